"""The public keys that anyone can verify license files with."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from licenses.files.license_keys import license_roots

CACHE_SECONDS = 300


@require_safe
@cache_control(public=True, max_age=CACHE_SECONDS)
def license_root(request: HttpRequest) -> HttpResponse:
    """Send the roots' public keys, the signing one first."""
    published = license_roots().published()
    if not published:
        raise Http404
    return HttpResponse(published, content_type="application/x-pem-file")
