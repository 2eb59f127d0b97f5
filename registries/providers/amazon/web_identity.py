"""Berth as an OpenID Connect issuer, so that a cloud accepts a team without a secret.

The cloud fetches the public keys from the portal and verifies a short-lived token that
Berth signs. Its subject is the team, so no team can use what another team's account
trusts.
"""

from __future__ import annotations

import json
import uuid
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from portal.crypto.jwk import public_jwk, thumbprint
from portal.crypto.pem import pem_blocks
from portal.crypto.secrets import Secret

# What AWS's own tools use. Any other would work that the vendor's account accepts.
AUDIENCE = "sts.amazonaws.com"
TOKEN_SECONDS = 300
_ALGORITHM = "ES256"


def is_available() -> bool:
    """Return whether this installation is an issuer: it has an address and keys."""
    return bool(settings.BERTH_ISSUER_URL and settings.BERTH_IDENTITY_KEYS)


def check_configuration() -> None:
    """Check the issuer's address and keys, if they are set.

    Raises:
        ImproperlyConfigured: the address or the keys are invalid.
    """
    if settings.BERTH_ISSUER_URL:
        _check_issuer(settings.BERTH_ISSUER_URL)
    if settings.BERTH_IDENTITY_KEYS:
        _parse(settings.BERTH_IDENTITY_KEYS)


def _check_issuer(url: str) -> None:
    parts = urlsplit(url)
    # AWS accepts no port. A local one is for trials; no cloud asks it.
    local = parts.scheme == "http" and parts.hostname == "localhost"
    public = parts.scheme == "https" and parts.netloc == parts.hostname
    if not (local or public) or url != f"{parts.scheme}://{parts.netloc}":
        raise ImproperlyConfigured(
            "BERTH_ISSUER_URL must be https://HOST, without a port, path or trailing "
            f"slash, not {url!r}."
        )


def subject(team_id: uuid.UUID) -> str:
    """Return a team's subject in tokens: its ID, which nobody can take over."""
    return f"team:{team_id}"


def identity_token(team_id: uuid.UUID) -> Secret:
    """Return a signed token, valid for five minutes, that Berth acts for a team."""
    key = _parse(settings.BERTH_IDENTITY_KEYS)[0]
    now = int(timezone.now().timestamp())
    claims = {
        "iss": settings.BERTH_ISSUER_URL,
        "sub": subject(team_id),
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + TOKEN_SECONDS,
        "jti": uuid.uuid4().hex,
    }
    headers = {"kid": thumbprint(key.public_key())}
    return Secret(jwt.encode(claims, key, algorithm=_ALGORITHM, headers=headers))


def discovery_document() -> dict[str, Any]:
    """Return OpenID Connect Discovery 1.0 section 3, as far as clouds need it.

    It has no authorization endpoint: only Berth gets tokens.
    """
    issuer = settings.BERTH_ISSUER_URL
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [_ALGORITHM],
        "claims_supported": ["iss", "sub", "aud", "iat", "exp", "jti"],
    }


def published_keys() -> dict[str, Any]:
    """Return the public keys of all identity keys as an RFC 7517 key set."""
    keys = [key.public_key() for key in _parse(settings.BERTH_IDENTITY_KEYS)]
    common = {"use": "sig", "alg": _ALGORITHM}
    return {
        "keys": [{**public_jwk(key), "kid": thumbprint(key), **common} for key in keys]
    }


def trust_policy(team_id: uuid.UUID, account: str, partition: str = "aws") -> str:
    """Return an IAM role's trust policy, as JSON, that lets Berth act for a team.

    ``account`` is the 12-digit ID of the role's account; ``partition`` is ``aws``,
    ``aws-cn`` or ``aws-us-gov``, as in the role's ARN.
    """
    host = urlsplit(settings.BERTH_ISSUER_URL).netloc
    equals = {f"{host}:aud": AUDIENCE, f"{host}:sub": subject(team_id)}
    provider = f"arn:{partition}:iam::{account}:oidc-provider/{host}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": equals},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)


@lru_cache(maxsize=1)
def _parse(pem: str) -> tuple[ec.EllipticCurvePrivateKey, ...]:
    """Read the private keys of BERTH_IDENTITY_KEYS, the signing one first."""
    keys = [_private_key(block) for block in pem_blocks(pem)]
    if not keys:
        raise ImproperlyConfigured(_INVALID_KEYS)
    return tuple(keys)


def _private_key(pem: str) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError) as error:
        raise ImproperlyConfigured(_INVALID_KEYS) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(
        key.curve, ec.SECP256R1
    ):
        raise ImproperlyConfigured(_INVALID_KEYS)
    return key


_INVALID_KEYS = "BERTH_IDENTITY_KEYS must contain only P-256 private keys in PEM."
