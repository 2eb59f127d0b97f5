"""Facts of a decision that no database has."""

from __future__ import annotations

import uuid

from django.utils import timezone

from portal.crypto.fields import SealedSecret
from registries.decision.facts import ConnectedRegistry, StoredCredential


def connected_registry(credential_id: uuid.UUID | None = None) -> ConnectedRegistry:
    """Return a registry on quay.io, shared, with everything allowed."""
    sealed = SealedSecret("v1:x:", "nothing")
    return ConnectedRegistry(
        id=uuid.uuid4(),
        slug="quay",
        provider="quay",
        endpoint="quay.io",
        patterns=("*",),
        created_at=timezone.now(),
        is_shared=True,
        team_id=uuid.uuid4(),
        trusted_realm="",
        health="",
        credential=StoredCredential(
            credential_id or uuid.uuid4(), "password", sealed, sealed
        ),
    )
