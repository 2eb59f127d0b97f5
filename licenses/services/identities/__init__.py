"""Trusted identities: changing them, their issuers' keys, and logging in with them."""

from __future__ import annotations

from licenses.services.identities.issuer_keys import (
    claim_reading,
    read_issuer,
    read_issuer_for,
    refresh_issuers,
    store_reading,
)
from licenses.services.identities.login import (
    IdentityLogin,
    find_identity,
    needs_reading,
)
from licenses.services.identities.trusted import (
    change_trusted_identity,
    remove_trusted_identity,
    trust_identity,
)

__all__ = [
    "IdentityLogin",
    "change_trusted_identity",
    "claim_reading",
    "find_identity",
    "needs_reading",
    "read_issuer",
    "read_issuer_for",
    "refresh_issuers",
    "remove_trusted_identity",
    "store_reading",
    "trust_identity",
]
