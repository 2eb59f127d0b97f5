"""Says which trusted identities of a license accept a token, and why others do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asgiref.sync import async_to_sync
from django.utils import timezone

from licenses.identities.workload_token import (
    WorkloadToken,
    WorkloadTokenInvalid,
    read_workload_token,
)
from licenses.models import License, TrustedIdentity
from licenses.services.identities.issuer_keys import (
    claim_reading,
    read_issuer,
    store_reading,
)
from licenses.services.identities.login import (
    Requirement,
    needs_reading,
    published_keys,
    requirements_of,
)
from portal.crypto.secrets import Secret
from portal.limits.waiting import waiting


@dataclass(frozen=True, slots=True)
class Examined:
    """A trusted identity, and whether a token has each thing that it requires."""

    identity: TrustedIdentity
    requirements: Sequence[Requirement]

    @property
    def is_met(self) -> bool:
        return all(requirement.is_met for requirement in self.requirements)


@dataclass(frozen=True, slots=True)
class TokenTest:
    """The result: what is wrong with the token itself, or each identity's answer."""

    problem: str = ""
    examined: Sequence[Examined] = ()

    @property
    def is_accepted(self) -> bool:
        return any(one.is_met for one in self.examined)


def examine_token(license: License, presented: Secret) -> TokenTest:
    """Test a token with the trusted identities of a license; stores nothing of it.

    May read the issuer's keys again, so call it outside a transaction.
    """
    now = timezone.now()
    try:
        token = read_workload_token(presented.reveal().strip(), now)
    except WorkloadTokenInvalid as error:
        return TokenTest(problem=str(error))
    rows = TrustedIdentity.objects.for_team(license.team_id).current()
    identities = list(rows.filter(license=license).order_by("created_at", "pk"))
    if any(row.issuer == token.issuer and not row.key_set for row in identities):
        _read_again(license, token)
    published = published_keys(token.issuer, now)
    examined = [
        Examined(row, list(requirements_of(row, token, published)))
        for row in identities
    ]
    # Those that it meets, or nearly meets, first.
    examined.sort(key=lambda one: sum(not each.is_met for each in one.requirements))
    return TokenTest(examined=examined)


def _read_again(license: License, token: WorkloadToken) -> None:
    if needs_reading(token) and claim_reading(token.issuer):
        with waiting(license.team_id):
            reading = async_to_sync(read_issuer)(token.issuer)
        store_reading(token.issuer, reading)
