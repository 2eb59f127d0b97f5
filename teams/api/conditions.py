"""``If-Match``: a change of what the caller has read, or of nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from portal.http.api.etags import IF_MATCH, require_match
from teams.permissions import Permission


class ChangingView(Protocol):
    """A view of an object that its URL names."""

    def require(self, permission: Permission, /) -> None: ...
    def locked(self) -> Any: ...
    def etag(self, row: Any, /) -> str: ...


P = ParamSpec("P")
ViewT = TypeVar("ViewT", bound=ChangingView)
Handler = Callable[Concatenate[ViewT, Request, P], Response]


class Decorator(Protocol):
    def __call__(self, handler: Handler[ViewT, P]) -> Handler[ViewT, P]: ...


def conditional(permission: Permission) -> Decorator:
    """Let a change depend on ``If-Match``; without the header it is unconditional.

    With it, the permission is checked first, so that the ETag says nothing to others.
    Then the object is locked, compared, and changed in one transaction. Goes below
    ``idempotent``, so that a repeated request gets the first response, not 412.
    """

    def decorate(handler: Handler[ViewT, P]) -> Handler[ViewT, P]:
        @wraps(handler)
        def change_if_match(
            view: ViewT, request: Request, *args: P.args, **kwargs: P.kwargs
        ) -> Response:
            header = request.headers.get(IF_MATCH)
            if header is None:
                return handler(view, request, *args, **kwargs)
            view.require(permission)
            with transaction.atomic():
                require_match(header, view.etag(view.locked()))
                return handler(view, request, *args, **kwargs)

        marked = cast("Any", change_if_match)
        marked.is_conditional = True  # for the schema
        return cast("Handler[ViewT, P]", marked)

    return decorate
