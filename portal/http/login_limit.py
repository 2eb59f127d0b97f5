"""How often one address may fail to sign in to the Django admin, per minute."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.core.cache import BaseCache, caches
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from redis.exceptions import RedisError

WINDOW_SECONDS = 60
GetResponse = Callable[[HttpRequest], HttpResponse]
logger = logging.getLogger(__name__)


def admin_login_limit_middleware(get_response: GetResponse) -> GetResponse:
    """Answer 429 instead of trying one more password from the same address.

    An attempt counts before it is tried, so that many at once do not slip through; one
    that succeeds is taken back.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method != "POST" or request.path != reverse("admin:login"):
            return get_response(request)
        key = f"admin-login:{request.META['BERTH_CLIENT_ADDRESS']}"
        if _add(key, 1) > settings.BERTH_TOKEN_FAILURES_PER_MINUTE:
            return HttpResponse(
                "Too many failed logins from this address. Try again in a minute.",
                status=429,
                content_type="text/plain",
                headers={"Retry-After": str(WINDOW_SECONDS)},
            )
        response = get_response(request)
        if response.status_code == 302:
            _add(key, -1)
        return response

    return middleware


def _add(key: str, number: int) -> int:
    """Count in Redis; in this process alone while Redis is away."""
    try:
        return _add_in(caches["default"], key, number)
    except (RedisError, OSError):
        logger.warning("Redis does not answer; logins count in this process only.")
        return _add_in(caches["local"], key, number)


def _add_in(cache: BaseCache, key: str, number: int) -> int:
    cache.add(key, 0, timeout=WINDOW_SECONDS)
    try:
        return cache.incr(key, number)
    except ValueError:  # it ran out between the two
        return max(number, 0)
