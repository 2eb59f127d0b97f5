"""Trusted identities: changing them, their issuers' keys, and logging in with them."""

from __future__ import annotations

from licenses.services.identities.explain import TokenTest, examine_token
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
    check_identity,
    default_audience,
    remove_trusted_identity,
    trust_identity,
)

__all__ = [
    "IdentityLogin",
    "TokenTest",
    "change_trusted_identity",
    "check_identity",
    "claim_reading",
    "default_audience",
    "examine_token",
    "find_identity",
    "needs_reading",
    "read_issuer",
    "read_issuer_for",
    "refresh_issuers",
    "remove_trusted_identity",
    "store_reading",
    "trust_identity",
]
