"""Keys of the kind that BERTH_IDENTITY_KEYS holds."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ISSUER = "https://portal.example.com"


def new_key() -> str:
    """Return a new P-256 key in PEM."""
    return pem_of(ec.generate_private_key(ec.SECP256R1()))


def pem_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
