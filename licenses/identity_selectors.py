"""Trusted identities of licenses, for pages and the API."""

from __future__ import annotations

import uuid

from django.db.models import Case, F, OuterRef, Prefetch, Subquery, Value, When
from django.db.models.functions import Coalesce

from licenses.models import (
    Customer,
    IdentityWorkload,
    IssuerKeys,
    License,
    TrustedIdentity,
    TrustedIdentityQuerySet,
)

# A license has at most 20 current ones.
MOST_SHOWN = 30
MOST_OF_CUSTOMER = 300


def identities_of_team(team_id: uuid.UUID) -> TrustedIdentityQuerySet:
    """Return all trusted identities of a team, the latest first.

    Each has its workloads, and ``keys_problem``: why its issuer's published keys could
    not be read the last time, or "".
    """
    rows: TrustedIdentityQuerySet = TrustedIdentity.objects.for_team(team_id)
    workloads = IdentityWorkload.objects.for_team(team_id).order_by(
        "-last_used_at", "number"
    )
    published = IssuerKeys.objects.filter(pk=OuterRef("issuer"))
    problem = Case(
        When(key_set="", then=Subquery(published.values("problem"))), default=Value("")
    )
    return (
        rows.select_related("license__customer", "license__application")
        .prefetch_related(Prefetch("workloads", workloads))
        .annotate(keys_problem=Coalesce(problem, Value("")))
        .order_by("-created_at", "-id")
    )


def identities_of_license(license: License) -> TrustedIdentityQuerySet:
    return identities_of_team(license.team_id).filter(license=license)


def identities_to_show(license: License) -> list[TrustedIdentity]:
    """Return a license's identities for a page: current ones, and the last removed."""
    return _to_show(identities_of_license(license), MOST_SHOWN)


def customers_identities_to_show(customer: Customer) -> list[TrustedIdentity]:
    """Return those of all licenses of a customer, as for one license."""
    rows = identities_of_team(customer.team_id)
    return _to_show(rows.filter(license__customer=customer), MOST_OF_CUSTOMER)


def _to_show(rows: TrustedIdentityQuerySet, most: int) -> list[TrustedIdentity]:
    latest = F("removed_at").desc(nulls_first=True)
    return list(rows.order_by(latest, "-created_at", "-id")[:most])
