"""The same request twice has one effect and one answer: ``Idempotency-Key``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from django.db import IntegrityError, transaction
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from portal.crypto.fields import lookup_keyring
from portal.crypto.secrets import Secret
from teams.models import IdempotencyRecord
from teams.permissions import Permission
from teams.services import forget_expired_idempotency_record

if TYPE_CHECKING:
    from teams.api.base import TeamView

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
PURPOSE = "idempotency"
_KEY = re.compile(r"[\x20-\x7e]{1,255}")

P = ParamSpec("P")
ViewT = TypeVar("ViewT", bound="TeamView")
Handler = Callable[Concatenate[ViewT, Request, P], Response]


class Decorator(Protocol):
    def __call__(self, handler: Handler[ViewT, P]) -> Handler[ViewT, P]: ...


class IdempotencyKeyReused(APIException):
    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key came with another request before."


def idempotent(permission: Permission) -> Decorator:
    """Let a repeated key give the first answer again instead of a second object.

    Whoever lacks the permission gets neither. With a key, all the handler does is one
    transaction with the record of its answer. A second request with the key waits for
    the first one to end. Errors are not kept: a handler raises them, which undoes
    everything, and the key is free again.
    """

    def decorate(handler: Handler[ViewT, P]) -> Handler[ViewT, P]:
        @wraps(handler)
        def answer_once(
            view: ViewT, request: Request, *args: P.args, **kwargs: P.kwargs
        ) -> Response:
            view.require(permission)
            key = request.headers.get(HEADER)
            if key is None:
                return handler(view, request, *args, **kwargs)
            return _answer_once(
                view, key, lambda: handler(view, request, *args, **kwargs)
            )

        marked = cast("Any", answer_once)
        marked.is_idempotent = True  # for the schema
        return cast("Handler[ViewT, P]", marked)

    return decorate


def _answer_once(view: TeamView, key: str, answer: Callable[[], Response]) -> Response:
    if not _KEY.fullmatch(key):
        raise ValidationError({HEADER: ["Use 1 to 255 printable ASCII characters."]})
    fingerprint = _fingerprint(view)
    with transaction.atomic():
        record, is_new = _take(view, key, fingerprint)
        if not is_new:
            return _replay(record, fingerprint)
        response = answer()
        record.status = response.status_code
        record.body = Secret(JSONRenderer().render(response.data).decode())
        record.save(update_fields=["status", "body"])
        return response


def _take(view: TeamView, key: str, fingerprint: str) -> tuple[IdempotencyRecord, bool]:
    """Insert the record of a key, or return the one that is there.

    The unique index makes a concurrent insert of the same key wait until this
    transaction ends.
    """
    actor = view.actor
    identity: dict[str, Any] = {
        "team_id": view.team.pk,
        "actor_kind": actor.kind.value,
        "actor_id": actor.id,
        # Another token of the same person may have fewer rights.
        "credential_id": actor.api_token_id,
        "key": key,
    }
    forget_expired_idempotency_record(**identity)
    record = IdempotencyRecord(
        **identity,
        request_digest=lookup_keyring().digest(fingerprint, purpose=PURPOSE),
        status=0,
        body=Secret(""),
    )
    try:
        with transaction.atomic():
            record.save(force_insert=True)
    except IntegrityError:
        return IdempotencyRecord.objects.get(**identity), False
    return record, True


def _replay(record: IdempotencyRecord, fingerprint: str) -> Response:
    if not lookup_keyring().matches(
        record.request_digest, fingerprint, purpose=PURPOSE
    ):
        raise IdempotencyKeyReused
    return Response(
        json.loads(record.body.reveal()),
        record.status,
        headers={REPLAYED_HEADER: "true"},
    )


def _fingerprint(view: TeamView) -> str:
    # Only its HMAC is stored: the body may hold a password that could be guessed. With
    # the role, so that nobody is shown again what a lower one could not have made.
    request = view.request
    body = json.dumps(request.data, sort_keys=True)
    return f"{view.actor.role} {request.method} {request.path}\n{body}"
