from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from portal.guide.pages import NotBuilt, guide_page
from portal.http.pages import render_page


@require_safe
def help_page(request: HttpRequest, page: str) -> HttpResponse:
    """Show a page of the guide to everybody, signed in or not."""
    try:
        shown = guide_page(settings.BERTH_GUIDE_DIR, page)
    except NotBuilt:
        return render_page(request, "guide/not_built.html", status=404)
    if shown is None:
        raise Http404
    return render_page(request, "guide/page.html", {"page": shown, "name": page})
