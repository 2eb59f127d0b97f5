"""Public documents that a cloud verifies Berth's identity tokens with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from registries.providers.amazon.web_identity import (
    discovery_document,
    is_available,
    published_keys,
)

CACHE_SECONDS = 300


@require_safe
@cache_control(public=True, max_age=CACHE_SECONDS)
def openid_configuration(request: HttpRequest) -> JsonResponse:
    return _published(discovery_document)


@require_safe
@cache_control(public=True, max_age=CACHE_SECONDS)
def jwks(request: HttpRequest) -> JsonResponse:
    return _published(published_keys)


def _published(document: Callable[[], dict[str, Any]]) -> JsonResponse:
    if not is_available():
        raise Http404
    return JsonResponse(document())
