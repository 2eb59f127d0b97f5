"""The API view that belongs to no room: unknown URLs."""

from __future__ import annotations

from typing import Any, NoReturn

from django.http import Http404
from rest_framework.request import Request
from rest_framework.views import APIView


class UnknownAddressView(APIView):
    """Answers unknown URLs."""

    authentication_classes = ()
    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        raise Http404
