"""``Idempotency-Key``: a repeated request has one effect and one response."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from django.db import transaction
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from portal.crypto.secrets import Secret
from teams.idempotency import find_record, is_same_request, keep_answer, take_key
from teams.models import IdempotencyRecord
from teams.permissions import Permission

if TYPE_CHECKING:
    from teams.actors import Actor

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
KEPT_HEADERS = ("ETag", "Location")
_KEY = re.compile(r"[\x20-\x7e]{1,255}")


class CreatingView(Protocol):
    """A view for someone who acts in a team."""

    request: Request

    @property
    def actor(self) -> Actor: ...
    def require(self, permission: Permission, /) -> None: ...
    def prepare(self) -> None: ...


P = ParamSpec("P")
ViewT = TypeVar("ViewT", bound=CreatingView)
Handler = Callable[Concatenate[ViewT, Request, P], Response]


class Decorator(Protocol):
    def __call__(self, handler: Handler[ViewT, P]) -> Handler[ViewT, P]: ...


class IdempotencyKeyReused(APIException):
    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was used for a different request."


def idempotent(permission: Permission) -> Decorator:
    """Answer a repeated key with the first response instead of creating again.

    Checks the permission first. With a key, the handler runs in one transaction with
    the record of its response; the view's ``prepare`` runs before it, only for a new
    key. A second request with the key waits for the first to end. Errors are not
    stored: raising one rolls everything back and frees the key.
    """

    def decorate(handler: Handler[ViewT, P]) -> Handler[ViewT, P]:
        @wraps(handler)
        def answer_once(
            view: ViewT, request: Request, *args: P.args, **kwargs: P.kwargs
        ) -> Response:
            view.require(permission)
            key = request.headers.get(HEADER)
            if key is not None and (again := _answered(view, key)) is not None:
                return again
            view.prepare()
            if key is None:
                return handler(view, request, *args, **kwargs)
            return _answer_once(
                view, key, lambda: handler(view, request, *args, **kwargs)
            )

        marked = cast("Any", answer_once)
        marked.is_idempotent = True  # for the schema
        return cast("Handler[ViewT, P]", marked)

    return decorate


def _answered(view: CreatingView, key: str) -> Response | None:
    if not _KEY.fullmatch(key):
        raise ValidationError({HEADER: ["Use 1 to 255 printable ASCII characters."]})
    record = find_record(view.actor, key)
    return _replay(record, _fingerprint(view)) if record is not None else None


def _answer_once(
    view: CreatingView, key: str, answer: Callable[[], Response]
) -> Response:
    fingerprint = _fingerprint(view)
    with transaction.atomic():
        record, is_new = take_key(view.actor, key, fingerprint)
        if not is_new:
            return _replay(record, fingerprint)
        response = answer()
        body = Secret(JSONRenderer().render(response.data).decode())
        headers = {name: response[name] for name in KEPT_HEADERS if name in response}
        keep_answer(record, response.status_code, headers, body)
        return response


def _replay(record: IdempotencyRecord, fingerprint: str) -> Response:
    if not is_same_request(record, fingerprint):
        raise IdempotencyKeyReused
    return Response(
        json.loads(record.body.reveal()),
        record.status,
        headers={**record.headers, REPLAYED_HEADER: "true"},
    )


def _fingerprint(view: CreatingView) -> str:
    # Only its HMAC is stored, because the body may contain a password that could be
    # guessed. It includes the role, so that a lower role cannot replay the response.
    request = view.request
    body = json.dumps(request.data, sort_keys=True)
    return f"{view.actor.role} {request.method} {request.path}\n{body}"
