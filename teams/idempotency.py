"""The same request twice has one effect: the record of a key and its answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.crypto.fields import lookup_keyring
from portal.crypto.secrets import Secret
from teams.actors import Actor
from teams.models import IdempotencyRecord

LIFETIME = timedelta(hours=24)
NO_ANSWER = 0  # the status of a record whose answer is not there yet
PURPOSE = "idempotency"


def find_record(actor: Actor, key: str) -> IdempotencyRecord | None:
    """Return the record of a key that was taken and not given back."""
    found = IdempotencyRecord.objects.filter(
        **_identity(actor, key), created_at__gte=timezone.now() - LIFETIME
    )
    return found.first()


def take_key(
    actor: Actor, key: str, fingerprint: str
) -> tuple[IdempotencyRecord, bool]:
    """Insert the record of a key, or return the one that is there; and which it was.

    To be called in the transaction that does the work. The unique index makes a
    concurrent insert of the same key wait until that transaction ends.
    """
    identity = _identity(actor, key)
    IdempotencyRecord.objects.filter(
        **identity, created_at__lt=timezone.now() - LIFETIME
    ).delete()
    record = IdempotencyRecord(
        **identity,
        # Only its HMAC is stored: a request may hold a password that can be guessed.
        request_digest=lookup_keyring().digest(fingerprint, purpose=PURPOSE),
        status=NO_ANSWER,
        body=Secret(""),
    )
    try:
        with transaction.atomic():
            record.save(force_insert=True)
    except IntegrityError:
        return IdempotencyRecord.objects.get(**identity), False
    return record, True


def _identity(actor: Actor, key: str) -> dict[str, Any]:
    return {
        "team_id": actor.team_id,
        "actor_kind": actor.kind.value,
        "actor_id": actor.id,
        # Another token of the same person may have fewer rights.
        "credential_id": actor.api_token_id,
        "key": key,
    }


def is_same_request(record: IdempotencyRecord, fingerprint: str) -> bool:
    """Return whether the key came with this very request before."""
    return lookup_keyring().matches(record.request_digest, fingerprint, purpose=PURPOSE)


def keep_answer(
    record: IdempotencyRecord, status: int, headers: dict[str, str], body: Secret
) -> None:
    """Keep what was answered, to answer the same again."""
    record.status = status
    record.headers = headers
    record.body = body
    record.save(update_fields=["status", "headers", "body"])


def delete_expired_idempotency_records() -> int:
    """Delete records older than a day; return how many."""
    expired = IdempotencyRecord.objects.filter(created_at__lt=timezone.now() - LIFETIME)
    return expired.delete()[0]
