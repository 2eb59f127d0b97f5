"""The pages that describe the REST API, and the document that they are made of.

They are ours rather than Swagger's: with the portal's own look in both themes, on a
phone and without scripts, under the content security policy of all other pages.
"""

from __future__ import annotations

import json
from functools import cache

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from portal.http.pages import render_page
from portal.reference.document import JSON, document, document_text, reference

YAML = "application/vnd.oai.openapi"


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """Send the OpenAPI document, from the file that ``make openapi`` wrote.

    Generating it takes half a second, which anonymous requests must not cost.
    """
    documents = _documents()
    kind = request.get_preferred_type(list(documents)) or YAML
    response = HttpResponse(documents[kind], content_type=kind)
    response.headers["Vary"] = "Accept"
    return response


@cache
def _documents() -> dict[str, bytes]:
    return {YAML: document_text(), JSON: json.dumps(document()).encode()}


@require_safe
def docs(request: HttpRequest, section: str = "") -> HttpResponse:
    """Describe the API to everybody: what all calls share, or a section's calls."""
    shown = reference()
    if section and section not in shown.sections:
        raise Http404
    return render_page(
        request,
        "reference/page.html",
        {"reference": shown, "section": shown.sections.get(section)},
    )
