"""Trusted identities, made through the services."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from licenses.identities.rules import IdentityKind
from licenses.models import IssuerKeys, License, TrustedIdentity
from licenses.services.identities import trust_identity
from licenses.services.identities.issuer_keys import Reading, store_reading
from teams.actors import system_actor
from tests.support.servers.token_issuer import AUDIENCE, TokenIssuer

_numbers = itertools.count(1)
PROD = {"namespace": "prod"}


def trusted(
    license: License,
    issuer: TokenIssuer,
    rules: Mapping[str, str] | None = None,
    kind: IdentityKind = IdentityKind.KUBERNETES,
    *,
    audience: str = AUDIENCE,
    uploaded: bool = True,
) -> TrustedIdentity:
    """Trust an issuer for a license, by its key set or by its published keys."""
    if not uploaded:
        publish(issuer)
    return trust_identity(
        actor=system_actor(license.team),
        license=license,
        label=f"cluster {next(_numbers)}",
        kind=kind,
        issuer=issuer.issuer,
        rules=PROD if rules is None else rules,
        audience=audience,
        key_set=issuer.key_set if uploaded else "",
    )


def publish(issuer: TokenIssuer) -> None:
    """Store an issuer's present keys as if they had just been read."""
    IssuerKeys.objects.get_or_create(issuer=issuer.issuer)
    store_reading(issuer.issuer, Reading(key_set=issuer.key_set))
