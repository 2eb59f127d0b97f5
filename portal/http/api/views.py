"""API views that belong to no room: the schema, its documentation, unknown URLs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, NoReturn

import yaml
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views import View
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

YAML, JSON = "application/vnd.oai.openapi", "application/json"
# Swagger UI uses style attributes.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


class SchemaView(View):
    """The public OpenAPI document, from the file that ``make openapi`` wrote.

    Generating it takes half a second, which anonymous requests must not cost.
    """

    http_method_names: Sequence[str] = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        documents = _schema_documents()
        kind = request.get_preferred_type(list(documents)) or YAML
        response = HttpResponse(documents[kind], content_type=kind)
        response.headers["Vary"] = "Accept"
        return response


@cache
def _schema_documents() -> dict[str, bytes]:
    path = settings.BASE_DIR / "docs/api/openapi.yaml"
    text = path.read_bytes()
    # By libyaml: in Python alone, the first request would take over a second.
    document = yaml.load(text, yaml.CSafeLoader)
    return {YAML: text, JSON: json.dumps(document).encode()}


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI, public, with all files from this host."""

    authentication_classes = ()

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Content-Security-Policy"] = _DOCS_POLICY
        return response


class UnknownAddressView(APIView):
    """Answers unknown URLs."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        raise Http404
