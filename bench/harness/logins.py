"""What clients log in with: license IDs, and workload tokens of a cluster."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from bench.pulls.vendor import Vendor
from licenses.identities.rules import IdentityKind
from licenses.models import License
from licenses.services.identities import trust_identity
from portal.crypto.jwk import public_jwk
from portal.crypto.secrets import Secret

ISSUER = "https://cluster.example"
AUDIENCE = "bench"


def logins_of(vendor: Vendor, licenses: Sequence[License]) -> list[Secret]:
    """Return a password for each license: a workload token for every second one."""
    key = ec.generate_private_key(ec.SECP256R1())
    keys = json.dumps({"keys": [{**public_jwk(key.public_key()), "kid": "1"}]})
    return [
        _workload_token(vendor, license, key, keys, number)
        if number % 2
        else Secret(license.license_id.reveal())
        for number, license in enumerate(licenses)
    ]


def _workload_token(
    vendor: Vendor,
    license: License,
    key: ec.EllipticCurvePrivateKey,
    keys: str,
    number: int,
) -> Secret:
    namespace = f"customer-{number}"
    trust_identity(
        actor=vendor.actor,
        license=license,
        label="cluster",
        kind=IdentityKind.KUBERNETES,
        issuer=ISSUER,
        rules={"namespace": namespace},
        audience=AUDIENCE,
        key_set=keys,
    )
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": f"system:serviceaccount:{namespace}:default",
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 20 * 3600,
    }
    return Secret(jwt.encode(claims, key, algorithm="ES256", headers={"kid": "1"}))
