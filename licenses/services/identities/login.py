"""Which trusted identity a workload token means, if any.

An identity is meant if the token's issuer, audience and claims are those it trusts, and
one of its issuer's keys has signed the token. Of several, the one that may pull is
taken, and the oldest of those; if none may, the oldest, whose refusal is then told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from licenses.identities.key_sets import KeySet, KeySetInvalid, parse_key_set
from licenses.identities.rules import (
    anchors_of,
    in_words,
    matches,
    node_of,
    texts_of,
    workload_of,
)
from licenses.identities.workload_token import WorkloadToken, shown
from licenses.models import IssuerKeys, LicenseState, TrustedIdentity
from licenses.services.identities.workloads import NO_WORKLOAD, workload_number

# Without reading them again. An issuer may be away for so long.
KEYS_LAST = timedelta(hours=24)
# Those found by the same issuer, first rule and key.
MAX_CANDIDATES = 100
_READ = (
    *("team_id", "kind", "issuer", "audience", "rules", "key_set", "removed_at"),
    *("license__revoked_at", "license__expires_at", "license__customer__archived_at"),
)


@dataclass(frozen=True, slots=True)
class IdentityLogin:
    """A trusted identity that a workload token was accepted for, and who uses it."""

    identity: TrustedIdentity
    workload: int


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that an identity requires of a token, and whether the token has it."""

    words: str
    is_met: bool
    found: str = ""


def find_identity(
    token: WorkloadToken, applications: Collection[str], address: str, client: str
) -> IdentityLogin | None:
    """Return the identity that a token logs in with, and note its use.

    ``applications`` are the slugs that something is pulled of; none asks for any.
    """
    now = timezone.now()
    candidates = _candidates(token, applications)
    is_published = any(not row.key_set for row in candidates)
    published = published_keys(token.issuer, now) if is_published else None
    met = [row for row in candidates if is_met(row, token, published)]
    if not met:
        return None
    identity = min(met, key=lambda row: not _may_pull(row, now))
    # A login for nothing may mean another vendor's identity: they learn nothing of it.
    if not applications or not _may_pull(identity, now):
        return IdentityLogin(identity, NO_WORKLOAD)
    workload = shown(workload_of(identity.identity_kind, token.claims))
    node = shown(node_of(token.claims))
    number = workload_number(identity, workload, node, address, client)
    return IdentityLogin(identity, number)


def needs_reading(token: WorkloadToken) -> bool:
    """Return whether the token's issuer is one whose keys are read, but not this one.

    Of whatever team: this says nothing of a license.
    """
    row = IssuerKeys.objects.filter(pk=token.issuer).first()
    if row is None:
        return False
    is_old = row.read_at is None or row.read_at <= timezone.now() - KEYS_LAST
    return is_old or token.kid not in _parsed(row.key_set)


def requirements_of(
    identity: TrustedIdentity, token: WorkloadToken, published: KeySet | None
) -> Iterator[Requirement]:
    """Yield what an identity requires, in the order in which people look for faults."""
    yield Requirement(
        f"issuer is {identity.issuer}", token.issuer == identity.issuer, token.issuer
    )
    yield Requirement(
        f"audience is {identity.audience}",
        identity.audience in token.audiences,
        ", ".join(token.audiences),
    )
    texts = texts_of(identity.identity_kind, token.claims)
    for claim, pattern in identity.rules.items():
        value = texts.get(claim)
        words = in_words(claim, pattern)
        yield Requirement(words, matches(pattern, value), value or "")
    keys = _parsed(identity.key_set) if identity.key_set else published or {}
    yield Requirement(
        f"signed with the issuer's key {shown(token.kid)}", token.is_signed_by(keys)
    )


def is_met(
    identity: TrustedIdentity, token: WorkloadToken, published: KeySet | None
) -> bool:
    requirements = requirements_of(identity, token, published)
    return all(requirement.is_met for requirement in requirements)


def published_keys(issuer: str, now: datetime) -> KeySet | None:
    """Return the keys that an issuer published a day ago or later; None if unknown."""
    rows = IssuerKeys.objects.filter(pk=issuer, read_at__gt=now - KEYS_LAST)
    row = rows.first()
    return _parsed(row.key_set) if row is not None else None


def _candidates(
    token: WorkloadToken, applications: Collection[str]
) -> list[TrustedIdentity]:
    """Return the identities that a token may mean; removed ones come last."""
    uploaded = Q(kids__contains=[token.kid])
    rows = TrustedIdentity.objects.filter(
        Q(key_set="") | uploaded,
        anchor__in=anchors_of(token.issuer, token.claims),
        audience__in=[text for text in token.audiences if text.isprintable()],
    )
    if applications:
        rows = rows.filter(license__application__slug__in=applications)
    # Nothing else, since each login reads it.
    rows = rows.select_related("license__customer").only(*_READ)
    # NULL is the greatest: what was not removed comes first.
    return list(rows.order_by("-removed_at", "created_at", "pk")[:MAX_CANDIDATES])


def _may_pull(identity: TrustedIdentity, now: datetime) -> bool:
    license = identity.license
    return (
        identity.removed_at is None
        and license.state(now) is LicenseState.ACTIVE
        and license.customer.archived_at is None
    )


def _parsed(text: str) -> KeySet:
    try:
        return parse_key_set(text)
    except KeySetInvalid:
        return {}
