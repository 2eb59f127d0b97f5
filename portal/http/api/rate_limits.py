"""``RateLimit`` headers (draft-ietf-httpapi-ratelimit-headers-10)."""

from __future__ import annotations

from django.http import HttpResponseBase
from rest_framework.request import Request

from portal.limits.minute_counts import WINDOW_SECONDS, seconds_left

_USED = "BERTH_REQUESTS_OF_THE_MINUTE"


def note_request(request: Request, name: str, *, quota: int, used: int) -> None:
    """Remember how much of a limit per minute is used, with this request."""
    request.META[_USED] = (name, quota, used)


def tell_limit(request: Request, response: HttpResponseBase) -> None:
    """Say in the headers what is left, if the request is limited."""
    if (noted := request.META.get(_USED)) is None:
        return
    name, quota, used = noted
    response.headers["RateLimit-Policy"] = f'"{name}";q={quota};w={WINDOW_SECONDS}'
    left = max(quota - used, 0)
    response.headers["RateLimit"] = f'"{name}";r={left};t={seconds_left()}'
