"""The public keys of an issuer (RFC 7517, RFC 7518)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeGuard

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from oci.strict_json import parse_json

MAX_BYTES = 64 * 1024
MAX_KEYS = 100
# Larger ones take long to verify with, smaller ones are weak.
RSA_BITS = range(2048, 8192 + 1)
MAX_EXPONENT = 2**32
MAX_KID_LENGTH = 200
# A signature of each algorithm is verified with one type of key, and no other. There is
# none in which whoever verifies could also sign.
ALGORITHMS = {
    **{f"{name}{bits}": "RSA" for name in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
}
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


class KeySetInvalid(ValueError):  # noqa: N818 -- states the fact
    """Not a set of public keys; the message says why, and quotes no key."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """``type`` is one of the values of ALGORITHMS; ``algorithm`` limits it to one."""

    type: str
    algorithm: str | None
    key: Any

    def fits(self, algorithm: str) -> bool:
        return ALGORITHMS.get(algorithm) == self.type and (
            self.algorithm in {None, algorithm}
        )


KeySet = Mapping[str, PublicKey]


# Parsing takes a millisecond; each login needs it.
@lru_cache(maxsize=200)
def parse_key_set(text: str) -> KeySet:
    """Return the keys of a JWK Set by their IDs.

    Keys of other types or for encryption are left out, and so are keys without an ID,
    which no workload token can name.

    Raises:
        KeySetInvalid: it is none, is too large, has a key that is not public, or none
            that can verify.
    """
    keys: dict[str, PublicKey] = {}
    for jwk in _listed(text):
        if _PRIVATE.intersection(jwk) or jwk.get("kty") == "oct":
            raise KeySetInvalid(
                "The key set has a private or symmetric key. Replace that key, and "
                "enter public keys only."
            )
        kid, key = jwk.get("kid"), _public_key(jwk)
        if key is None or not is_kid(kid):
            continue
        if kid in keys:
            raise KeySetInvalid(f"The key set has two keys with the ID {kid!r}.")
        keys[kid] = key
    if not keys:
        raise KeySetInvalid(
            "The key set has no key that can be used: RSA of 2048 to 8192 bits, P-256, "
            "P-384, P-521 or Ed25519, with a key ID (kid)."
        )
    return keys


def _listed(text: str) -> list[dict[str, Any]]:
    content = text.encode("utf-8", "replace")
    if len(content) > MAX_BYTES:
        raise KeySetInvalid(f"The key set is larger than {MAX_BYTES // 1024} KB.")
    try:
        listed = parse_json(content)["keys"]
    except (ValueError, TypeError, KeyError) as error:
        raise KeySetInvalid(
            'The key set is not JSON like {"keys": [...]} with each member once.'
        ) from error
    if not isinstance(listed, list) or not all(isinstance(key, dict) for key in listed):
        raise KeySetInvalid('"keys" is not a list of keys.')
    if len(listed) > MAX_KEYS:
        raise KeySetInvalid(f"The key set has more than {MAX_KEYS} keys.")
    return listed


def is_kid(kid: object) -> TypeGuard[str]:
    """Return whether this can be a key's ID, for which the database is asked."""
    return (
        isinstance(kid, str)
        and 0 < len(kid) <= MAX_KID_LENGTH
        and kid.isascii()
        and kid.isprintable()
    )


def _public_key(jwk: dict[str, Any]) -> PublicKey | None:
    """Return a key that can verify; None for another one."""
    algorithm = jwk.get("alg")
    if not isinstance(algorithm, str | None) or jwk.get("use", "sig") != "sig":
        return None
    if algorithm is not None and algorithm not in ALGORITHMS:
        return None
    try:
        key = jwt.PyJWK(jwk).key
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, OverflowError):
        return None
    type = _type(key)
    if type is None or (algorithm and ALGORITHMS[algorithm] != type):
        return None
    return PublicKey(type, algorithm, key)


def _type(key: object) -> str | None:
    if isinstance(key, rsa.RSAPublicKey):
        exponent = key.public_numbers().e
        is_usual = key.key_size in RSA_BITS and 3 <= exponent < MAX_EXPONENT
        return "RSA" if is_usual else None
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name)
    return "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else None
