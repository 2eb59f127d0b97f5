"""The JWT that a cluster or a CI job presents as its password (RFC 7519, RFC 8725)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from licenses.identities.key_sets import ALGORITHMS, KeySet, is_kid
from oci.strict_json import parse_json
from portal.crypto.secrets import Secret

MAX_LENGTH = 16 * 1024
# Each is looked up before the signature is verified. GitHub's have thirty.
MAX_CLAIMS = 100
# Between the clocks of the issuer and of Berth.
# Further instants, such as Python's last, could not be reckoned with.
YEAR_1970, YEAR_2100 = 0, 4_102_444_800
LEEWAY = timedelta(seconds=30)
# From iat to exp. A long-lived one would be a secret like any other.
LONGEST_LIFE = timedelta(hours=24)
SHOWN_LENGTH = 200
# Ways for a token to bring its own key, or to change what is signed.
_REFUSED_HEADERS = ("jku", "jwk", "x5u", "x5c", "crit", "b64")
# Without the signature too, so that ``alg: none`` is told what is wrong.
_FORM = re.compile(r"eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_JWS = jwt.PyJWS(algorithms=[*ALGORITHMS])


class WorkloadTokenInvalid(ValueError):  # noqa: N818 -- states the fact
    """A workload token is malformed, expired or unsafe, whoever trusts its issuer."""


@dataclass(frozen=True, slots=True)
class WorkloadToken:
    """A token that was read; whether its signature is right, is another question."""

    text: Secret
    algorithm: str
    kid: str
    issuer: str
    audiences: tuple[str, ...]
    claims: Mapping[str, object]
    expires_at: datetime

    @property
    def subject(self) -> str:
        subject = self.claims.get("sub")
        return subject if isinstance(subject, str) else ""

    def is_signed_by(self, keys: KeySet) -> bool:
        """Return whether the key that the token names is among these, and signed it."""
        key = keys.get(self.kid)
        if key is None or not key.fits(self.algorithm):
            return False
        try:
            _JWS.decode_complete(
                self.text.reveal(), key.key, algorithms=[self.algorithm]
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            return False
        return True


def has_form(text: str) -> bool:
    """Return whether a password is a JWT; no other credential looks like one."""
    return text.startswith("eyJ") and bool(_FORM.fullmatch(text))


def read_workload_token(text: str, now: datetime) -> WorkloadToken:
    """Read a JWT and check what can be known of it without its issuer.

    Raises:
        WorkloadTokenInvalid: the message tells whoever sent it what is wrong.
    """
    if len(text) > MAX_LENGTH:
        raise WorkloadTokenInvalid(
            f"The JWT is larger than {MAX_LENGTH // 1024} KB, which is the limit."
        )
    if not has_form(text):
        raise WorkloadTokenInvalid("This is not a JWT.")
    header, claims = (_part(part) for part in text.split(".")[:2])
    if len(claims) > MAX_CLAIMS:
        raise WorkloadTokenInvalid(f"The JWT has more than {MAX_CLAIMS} claims.")
    algorithm, kid = _checked_header(header)
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or not issuer or not issuer.isprintable():
        raise WorkloadTokenInvalid("The JWT names no issuer (iss).")
    return WorkloadToken(
        text=Secret(text),
        algorithm=algorithm,
        kid=kid,
        issuer=issuer,
        audiences=_audiences(claims.get("aud")),
        claims=claims,
        expires_at=_checked_times(claims, now),
    )


def _part(encoded: str) -> dict[str, Any]:
    try:
        padded = encoded + "=" * (-len(encoded) % 4)
        members = parse_json(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise WorkloadTokenInvalid(
            "The JWT is malformed: not JSON with each member once."
        ) from error
    if not isinstance(members, dict):
        raise WorkloadTokenInvalid("The JWT is malformed: not a JSON object.")
    return members


def _checked_header(header: Mapping[str, Any]) -> tuple[str, str]:
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        named = shown(algorithm) if isinstance(algorithm, str) else "no algorithm"
        raise WorkloadTokenInvalid(
            f"The JWT is signed with {named}. It must be signed with a private key: "
            "RS256, ES256 or another of their kind."
        )
    for name in _REFUSED_HEADERS:
        if name in header:
            raise WorkloadTokenInvalid(
                f"The JWT has the header {name}, which is not accepted."
            )
    if not is_kid(kid):
        raise WorkloadTokenInvalid("The JWT does not name its key (kid).")
    return algorithm, kid


def _audiences(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list) else [value]
    return tuple(item for item in listed if isinstance(item, str))


def _checked_times(claims: Mapping[str, object], now: datetime) -> datetime:
    """Return when the token ends."""
    issued_at, ends_at = _instant(claims, "iat"), _instant(claims, "exp")
    if issued_at is None or ends_at is None:
        raise WorkloadTokenInvalid(
            "The JWT does not say when it was issued (iat) and when it ends (exp)."
        )
    begins_at = max(issued_at, _instant(claims, "nbf") or issued_at)
    if ends_at + LEEWAY <= now:
        raise WorkloadTokenInvalid(
            f"The JWT expired on {ends_at:%Y-%m-%d %H:%M:%S} UTC. Present a new one."
        )
    if begins_at - LEEWAY > now:
        raise WorkloadTokenInvalid(
            f"The JWT is not valid before {begins_at:%Y-%m-%d %H:%M:%S} UTC. Check the "
            "clock of its issuer."
        )
    if ends_at - issued_at > LONGEST_LIFE:
        hours = int(LONGEST_LIFE.total_seconds() // 3600)
        raise WorkloadTokenInvalid(
            f"The JWT is valid for more than {hours} hours. Ask its issuer for one "
            "that expires sooner."
        )
    return ends_at


def _instant(claims: Mapping[str, object], name: str) -> datetime | None:
    """Return a claim's instant; None without the claim."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WorkloadTokenInvalid(f"The JWT's {name} is not a number.")
    if not YEAR_1970 <= value <= YEAR_2100:
        raise WorkloadTokenInvalid(f"The JWT's {name} is not a time.")
    return datetime.fromtimestamp(value, UTC)


def shown(text: str) -> str:
    """Return a text of a stranger's token for a sentence: short, and of one line."""
    printable = "".join(c if c.isprintable() and c.isascii() else "?" for c in text)
    if len(printable) <= SHOWN_LENGTH:
        return printable
    return f"{printable[: SHOWN_LENGTH - 1]}~"
