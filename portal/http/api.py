"""The API's views that belong to no room: its schema, its pages, wrong addresses."""

from __future__ import annotations

from typing import Any, NoReturn

from django.http import Http404
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

# Swagger UI sets style attributes on what it draws.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


class SchemaView(SpectacularAPIView):
    """The OpenAPI document, for everybody."""

    authentication_classes = ()


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI, from this host alone, for everybody."""

    authentication_classes = ()

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Content-Security-Policy"] = _DOCS_POLICY
        return response


class UnknownAddressView(APIView):
    """Answers addresses that name nothing."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        raise Http404
