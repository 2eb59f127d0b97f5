"""The registry token: a JWT that says who may do what to which repositories.

Format: distribution-spec, "Token Authentication Implementation" (auth/jwt.md).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt
from cachetools import LRUCache
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from oci.scope import Scope
from registries.decision.credentials import REFUSED, RefusedLogin, Subject
from registries.decision.pull import Denied, denied
from registries.decision.steps import Refusal
from registries.models.outcomes import Reason
from registries.tokens.signing_keys import SigningKey, is_issued_by

ISSUER = "berth"
ALGORITHM = "ES256"
# The largest difference between the clocks of one installation's hosts.
CLOCK_SKEW_SECONDS = 10
MAX_TOKEN_LENGTH = 16 * 1024
MAX_VERIFIED = 2_000


class TokenInvalid(Exception):  # noqa: N818 -- states the fact
    """A registry token is forged, expired or for another service."""


@dataclass(frozen=True, slots=True)
class RegistryToken:
    """A verified token. ``subject`` is None for an anonymous one.

    ``refusal`` is that of the login which got this token, and so of every pull.
    """

    subject: Subject | None
    grants: frozenset[tuple[str, str, str]]
    expires_at: float
    refusal: Denied | None = None

    def allows(self, type: str, name: str, action: str) -> bool:
        return (type, name, action) in self.grants


class TokenIssuer:
    """Signs registry tokens with the leaf key."""

    def __init__(self, key: SigningKey) -> None:
        self._key = key
        self._header = key.header

    def issue(
        self,
        *,
        subject: Subject | RefusedLogin | str | None,
        service: str,
        grants: list[Scope],
        issued_at: datetime,
        lifetime_seconds: int,
    ) -> str:
        """Return a token for one service, with ``aud`` as the string that 2.8 expects.

        A ``subject`` that is text stands for Berth itself, not for a holder.
        """
        now = int(issued_at.timestamp())
        claims: dict[str, object] = {
            "iss": ISSUER,
            "sub": str(subject) if subject else "",
            "aud": service,
            "iat": now,
            "nbf": now,
            "exp": now + lifetime_seconds,
            "jti": uuid.uuid4().hex,
            "access": [
                {"type": item.type, "name": item.name, "actions": list(item.actions)}
                for item in grants
            ],
        }
        if isinstance(subject, RefusedLogin):
            claims["refusal"] = subject.message
        return jwt.encode(
            claims, self._key.private_key, algorithm=ALGORITHM, headers=self._header
        )


class TokenVerifier:
    """Verifies tokens for one service, signed by any leaf under the roots.

    A verified token is remembered until it expires: clients send the same one with
    every request of a pull.
    """

    def __init__(self, roots: list[x509.Certificate], service: str) -> None:
        self._roots = roots
        self._service = service
        self._verified: LRUCache[bytes, RegistryToken] = LRUCache(MAX_VERIFIED)

    def verify(self, text: str) -> RegistryToken:
        """Return the verified token.

        Raises:
            TokenInvalid: it is forged, for another service, or not valid now.
        """
        if len(text) > MAX_TOKEN_LENGTH:
            raise TokenInvalid
        fingerprint = hashlib.blake2b(text.encode(), digest_size=32).digest()
        known = self._verified.get(fingerprint)
        if known is None:
            known = self._verify(text)
            self._verified[fingerprint] = known
        if known.expires_at + CLOCK_SKEW_SECONDS <= time.time():
            self._verified.pop(fingerprint, None)
            raise TokenInvalid
        return known

    def _verify(self, text: str) -> RegistryToken:
        try:
            claims = jwt.decode(
                text,
                self._leaf_key(text),
                algorithms=[ALGORITHM],
                audience=self._service,
                issuer=ISSUER,
                leeway=CLOCK_SKEW_SECONDS,
                options={"require": ["exp", "nbf", "sub", "aud", "iss"]},
            )
            return _read_claims(claims)
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError) as error:
            raise TokenInvalid from error

    def _leaf_key(self, text: str) -> ec.EllipticCurvePublicKey:
        chain = jwt.get_unverified_header(text).get("x5c")
        if not isinstance(chain, list) or not chain or not isinstance(chain[0], str):
            raise TokenInvalid
        try:
            leaf = x509.load_der_x509_certificate(
                base64.b64decode(chain[0], validate=True)
            )
            key = leaf.public_key()
        except (
            binascii.Error,
            ValueError,
            x509.InvalidVersion,
            UnsupportedAlgorithm,
        ) as error:
            raise TokenInvalid from error
        if not isinstance(key, ec.EllipticCurvePublicKey) or not is_issued_by(
            leaf, self._roots, datetime.now(UTC)
        ):
            raise TokenInvalid
        return key


def _read_claims(claims: dict[str, Any]) -> RegistryToken:
    return RegistryToken(
        subject=Subject.parse(claims["sub"]),
        grants=frozenset(
            (str(item["type"]), str(item["name"]), str(action))
            for item in claims["access"]
            for action in item["actions"]
        ),
        expires_at=float(claims["exp"]),
        refusal=_read_refusal(claims),
    )


def _read_refusal(claims: dict[str, Any]) -> Denied | None:
    kind, _, reason = str(claims["sub"]).partition(":")
    if kind != REFUSED:
        return None
    return denied(Refusal("credential", Reason(reason), str(claims["refusal"])))
