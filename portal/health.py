"""Liveness and readiness of the portal."""

from __future__ import annotations

import logging
from typing import cast

from django.core.cache import caches
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from portal.database.deadlines import PROBE_SECONDS, waiting_at_most
from portal.http.errors import RETRY_AFTER
from portal.http.redis_cache import ForgivingRedisCache

logger = logging.getLogger(__name__)


@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Return 503 without the database; Redis is only reported, being optional."""
    checks = {"database": database_answers(), "redis": redis_answers()}
    return JsonResponse(
        {"status": "ok" if checks["database"] else "unavailable", "checks": checks},
        status=200 if checks["database"] else 503,
        headers={} if checks["database"] else {"Retry-After": RETRY_AFTER},
    )


def database_answers() -> bool:
    try:
        ask_database()
    except Error:
        logger.exception("The database is unavailable")
        return False
    return True


def ask_database() -> None:
    """Query the database; raises django.db.Error if it is unavailable."""
    with waiting_at_most(PROBE_SECONDS), connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def redis_answers() -> bool:
    try:
        cast("ForgivingRedisCache", caches["default"]).ping()
    except (RedisError, OSError):
        return False
    return True
