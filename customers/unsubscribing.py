"""Signed names of what a mail's recipient can unsubscribe from.

Whoever has the mail may unsubscribe, without signing in (RFC 8058). The signature does
not expire: an old mail can be unsubscribed from too.
"""

from __future__ import annotations

import uuid

from django.core.signing import BadSignature, Signer

from customers.models import Contact
from licenses.models import NoticeKind

_SIGNER = Signer(salt="customers.unsubscribe", sep=".")


def unsubscribe_token(contact: Contact, kind: NoticeKind) -> str:
    """Return what the address of a mail's unsubscribe page ends with."""
    return _SIGNER.sign(f"{contact.pk.hex}-{kind.value}")


def parse_unsubscribe_token(token: str) -> tuple[uuid.UUID, NoticeKind] | None:
    """Return the contact's ID and the kind of mail, or None if this is not ours."""
    try:
        contact_id, _, kind = _SIGNER.unsign(token).partition("-")
        return uuid.UUID(contact_id), NoticeKind(kind)
    except (BadSignature, ValueError):
        return None
