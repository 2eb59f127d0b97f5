"""Keys of the kind that BERTH_IDENTITY_KEYS holds."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from portal.crypto.pem import private_pem

ISSUER = "https://portal.example.com"


def new_key() -> str:
    """Return a new P-256 key in PEM."""
    return private_pem(ec.generate_private_key(ec.SECP256R1()))
