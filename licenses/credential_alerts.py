"""Alerts and events for programs about pull credentials.

Their subject is the license; the credential is told by its name and key, never by its
secret.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.events import Event
from licenses.alerts import instant, named, raise_license_event
from licenses.models import License
from teams.actors import Actor


@dataclass(frozen=True, slots=True)
class ToldCredential:
    """A pull credential as events tell of it: one row, one secret."""

    id: uuid.UUID
    name: str
    key: str
    expires_at: datetime | None
    networks: Sequence[str] = ()

    def told(self) -> dict[str, object]:
        return {
            "id": str(self.id),
            "name": self.name,
            "key": self.key,
            "expires_at": instant(self.expires_at),
            "networks": list(self.networks),
        }


def tell_credential_created(
    actor: Actor, license: License, credential: ToldCredential
) -> None:
    """Tell programs of a new credential, in the transaction that creates it."""
    raise_license_event(
        license,
        Event.PULL_CREDENTIAL_CREATED,
        key=str(credential.id),
        message=(
            f"{actor.label} created the pull credential {credential.name} of "
            f"{named(license)}."
        ),
        credential=credential.told(),
    )


def tell_credential_rotated(
    actor: Actor, license: License, new: ToldCredential, old: ToldCredential
) -> None:
    """Tell programs of a replaced secret, in the transaction that replaces it.

    The old one has the end that was chosen.
    """
    raise_license_event(
        license,
        Event.PULL_CREDENTIAL_ROTATED,
        key=str(new.id),
        message=(
            f"{actor.label} rotated the pull credential {new.name} of {named(license)}."
        ),
        credential=new.told(),
        replaced=old.told(),
    )


def tell_credential_revoked(
    actor: Actor, license: License, credential: ToldCredential
) -> None:
    """Tell programs of a revoked credential, in the transaction that revokes it."""
    raise_license_event(
        license,
        Event.PULL_CREDENTIAL_REVOKED,
        key=str(credential.id),
        message=(
            f"{actor.label} revoked the pull credential {credential.name} of "
            f"{named(license)}."
        ),
        credential=credential.told(),
    )


def alert_credential_expiring(license: License, credential: ToldCredential) -> None:
    """Alert the team once of a credential that is about to end, by its expiry."""
    at = credential.expires_at
    if at is None:
        return
    raise_license_event(
        license,
        Event.PULL_CREDENTIAL_EXPIRING,
        key=f"{credential.id}:{instant(at)}",
        message=(
            f"The pull credential {credential.name} of {named(license)} expires at "
            f"{at:%Y-%m-%d %H:%M} UTC. Rotate it, or pulls with it will be refused."
        ),
        credential=credential.told(),
    )
