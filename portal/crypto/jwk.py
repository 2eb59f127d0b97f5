"""P-256 public keys as JSON Web Keys (RFC 7517)."""

from __future__ import annotations

import base64
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric import ec


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """Return the members that RFC 7638 section 3.2 requires of the key."""
    numbers = key.public_numbers()
    return {
        "crv": "P-256",
        "kty": "EC",
        "x": _base64url(numbers.x.to_bytes(32)),
        "y": _base64url(numbers.y.to_bytes(32)),
    }


def thumbprint(key: ec.EllipticCurvePublicKey) -> str:
    """Return the key's RFC 7638 thumbprint."""
    canonical = json.dumps(public_jwk(key), separators=(",", ":"), sort_keys=True)
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
