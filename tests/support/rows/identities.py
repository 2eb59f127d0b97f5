"""Trusted identities, as rows and made through the services."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import factory
from factory.django import DjangoModelFactory

from licenses.identities.rules import IdentityKind
from licenses.models import IssuerKeys, License, TrustedIdentity
from licenses.services.identities import trust_identity
from licenses.services.identities.issuer_keys import Reading, store_reading
from teams.actors import system_actor
from tests.support.issuers.token_issuer import AUDIENCE, TokenIssuer
from tests.support.rows.factories import LicenseFactory

_numbers = itertools.count(1)
PROD = {"namespace": "prod"}


class TrustedIdentityFactory(DjangoModelFactory[TrustedIdentity]):
    """An identity of a cluster whose keys nobody has."""

    class Meta:
        model = TrustedIdentity

    license = factory.SubFactory(LicenseFactory)
    team = factory.SelfAttribute("license.team")
    label = factory.Sequence(lambda n: f"identity-{n}")
    kind = "kubernetes"
    issuer = "https://cluster.example"
    audience = "images.acme.example"
    rules = factory.LazyFunction(lambda: {"namespace": "prod"})
    anchor = "0" * 64
    key_set = '{"keys": []}'
    created_by_kind = "user"
    created_by_label = "owner@acme.example"


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
