"""The list of counted pulls."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from functools import partial

from django import forms
from django.conf import settings
from django.db.models import Q, QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe
from django_filters import filters

from licenses.identity_selectors import identities_of_team
from licenses.models import License, PullCredential, TrustedIdentity
from licenses.selectors import (
    applications_for_team,
    contains_text,
    customers_for_team,
    licenses_for_team,
    pull_credentials_of_team,
)
from oci.kustomize import PROXY_PREFIX
from portal.http.pages import render_page
from portal.http.values import parse_id
from registries.models import PRIVATE_REGISTRY_ID, PRIVATE_REGISTRY_SLUG, PullEvent
from registries.models.outcomes import ALLOWED, FAILURES, OUTCOMES, REFUSALS
from registries.preview.typed_image import image_in
from registries.selectors import (
    pulls_of_registry,
    pulls_with_customers,
    refused_pulls_for_team,
    registries_for_team,
)
from registries.web.pull_links import PullRow, pull_rows
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page
from teams.web.lists.export import export_list
from teams.web.lists.filters import (
    ALL,
    FirstDayFilter,
    LastDayFilter,
    PageFilter,
    search_input,
)
from teams.web.lists.tables import Column, Table, instant_cell, table_list

REFUSED = "refused"
FEW_LICENSES = 500
# Where a tag or digest starts; a port is followed by a / somewhere.
_REFERENCE = re.compile(r"[:@](?!.*/)")
_OUTCOMES = [
    (ALLOWED, "Allowed"),
    (REFUSED, "Refused or failed"),
    *((code, f"Refused: {words}") for code, words in REFUSALS.items()),
    *((code, f"Failed: {words}") for code, words in FAILURES.items()),
]


class PullPageFilter(PageFilter):
    """Filters of counted pulls; an unknown value matches nothing."""

    shown = (
        *("search", "customer", "outcome", "application", "registry"),
        *("first_day", "last_day"),
    )
    search = filters.CharFilter(
        method="filter_search",
        label="Image",
        widget=search_input("Start of the repository, or as pasted"),
    )
    customer = filters.CharFilter(
        method="filter_customer",
        label="Customer",
        widget=search_input("Name, e-mail or ID"),
    )
    outcome = filters.CharFilter(
        method="filter_outcome",
        label="Outcome",
        widget=forms.Select(choices=[ALL, *_OUTCOMES]),
    )
    application = filters.CharFilter(
        field_name="application_slug", label="Application", widget=forms.Select
    )
    registry = filters.CharFilter(
        method="filter_registry", label="Registry", widget=forms.Select
    )
    first_day = FirstDayFilter(field_name="last_at", label="From")
    last_day = LastDayFilter(field_name="last_at", label="To")
    license = filters.CharFilter(method="filter_license")
    credential = filters.CharFilter(method="filter_credential")
    # Those in the URL, if they belong to the team.
    license_filtered_by: License | None = None
    credential_filtered_by: PullCredential | TrustedIdentity | None = None

    @property
    def _team_id(self) -> uuid.UUID:
        team_id: uuid.UUID = self.request.team.pk
        return team_id

    def filter_search(
        self, rows: QuerySet[PullEvent], _name: str, text: str
    ) -> QuerySet[PullEvent]:
        """Match the start of the repository, or a pasted image name.

        With a ``:`` or ``@``, the repository must match entirely and the reference
        must start with the rest.
        """
        parts = _REFERENCE.split(_without_proxy(image_in(text)), maxsplit=1)
        name, host = parts[0].lower(), settings.BERTH_REGISTRY_HOST
        if host and name.startswith(f"{host}/"):
            slug, _, name = name.removeprefix(f"{host}/").partition("/")
            rows = rows.filter(registry_id=PRIVATE_REGISTRY_ID, application_slug=slug)
        if len(parts) == 1:
            return rows.filter(repository__startswith=name)
        return rows.filter(repository=name, reference__startswith=parts[1])

    def filter_customer(
        self, rows: QuerySet[PullEvent], _name: str, text: str
    ) -> QuerySet[PullEvent]:
        """Match customers by a part of what is known of them, or by their ID."""
        customers = customers_for_team(self._team_id)
        pk = parse_id(text)
        customers = customers.filter(Q(pk=pk) if pk else contains_text(text))
        licenses = licenses_for_team(self._team_id).filter(customer__in=customers)
        ids = licenses.order_by().values_list("pk", flat=True)
        # By ID, so that the database looks at the pulls of a few licenses alone. Those
        # of many are among the latest pulls.
        few = list(ids[: FEW_LICENSES + 1])
        return rows.filter(license__in=few if len(few) <= FEW_LICENSES else ids)

    def filter_outcome(
        self, rows: QuerySet[PullEvent], _name: str, outcome: str
    ) -> QuerySet[PullEvent]:
        if outcome == REFUSED:
            return rows & refused_pulls_for_team(self._team_id)
        return rows.filter(outcome=outcome) if outcome in OUTCOMES else rows.none()

    def filter_registry(
        self, rows: QuerySet[PullEvent], _name: str, slug: str
    ) -> QuerySet[PullEvent]:
        if slug == PRIVATE_REGISTRY_SLUG:
            return rows.filter(registry_id=PRIVATE_REGISTRY_ID)
        registry = registries_for_team(self._team_id).filter(slug=slug).first()
        return rows & pulls_of_registry(registry) if registry else rows.none()

    def filter_license(
        self, rows: QuerySet[PullEvent], _name: str, text: str
    ) -> QuerySet[PullEvent]:
        pk = parse_id(text)
        licenses = licenses_for_team(self._team_id)
        self.license_filtered_by = licenses.filter(pk=pk).first() if pk else None
        if self.license_filtered_by is None:
            return rows.none()
        return rows.filter(license=self.license_filtered_by)

    def filter_credential(
        self, rows: QuerySet[PullEvent], _name: str, text: str
    ) -> QuerySet[PullEvent]:
        if pk := parse_id(text):
            credentials = pull_credentials_of_team(self._team_id).filter(pk=pk)
            identities = identities_of_team(self._team_id).filter(pk=pk)
            self.credential_filtered_by = credentials.first() or identities.first()
        if self.credential_filtered_by is None:
            return rows.none()
        credential = self.credential_filtered_by
        # The license is redundant, but has an index.
        return rows.filter(license=credential.license_id, credential_id=credential.pk)


def _without_proxy(name: str) -> str:
    """Return what pulls are counted by, of a name that leads to the proxy."""
    host = settings.BERTH_PROXY_HOST
    path = name.removeprefix(f"{host}/") if host else name
    parts = path.split("/", 2)
    is_proxied = path != name and parts[0] == PROXY_PREFIX and len(parts) == 3
    return parts[2] if is_proxied else name


TABLE = Table(
    (
        Column(
            "last",
            "Last",
            lambda row: instant_cell(row.pull.last_at),
            by="last_at",
            descends=True,
        ),
        Column("application", "Application", lambda row: row.pull.application_slug),
        Column("registry", cell=lambda row: row.pull.registry_slug),
        Column("repository", "Image", lambda row: row.pull.repository),
        Column("reference", cell=lambda row: row.pull.reference),
        Column("customer", "Customer", lambda row: row.customer),
        Column("pulled_by", cell=lambda row: row.holder),
        Column("license", cell=lambda row: str(row.pull.license_id or "")),
        Column("credential", cell=lambda row: row.pull.credential_name),
        Column("outcome", "Outcome", lambda row: row.pull.outcome),
        Column("pulls", "Pulls in that hour", lambda row: str(row.pull.count)),
        Column("hour", cell=lambda row: instant_cell(row.pull.hour)),
    ),
    order="-last",
    # More would have to be looked for among all of a busy team's.
    counted=1_000,
)


@require_safe
@team_page(Permission.LICENSE_READ)
def pulls(request: TeamRequest) -> HttpResponse:
    """List counted pulls, newest first unless sorted otherwise, with filters."""
    filters = _filtered(request)
    context = table_list(filters, TABLE)
    context |= {
        "pulls": _rows(request.team.pk, context["page"].rows),
        "license": filters.license_filtered_by,
        "credential": filters.credential_filtered_by,
    }
    return render_page(
        request, "registries/pulls.html", context, partial="registries/pulls_list.html"
    )


@require_safe
@team_page(Permission.LICENSE_READ)
def export_pulls(request: TeamRequest) -> HttpResponseBase:
    """Stream the filtered pulls as CSV."""
    return export_list(
        request,
        _filtered(request),
        TABLE,
        "pulls",
        prepare=partial(_rows, request.team.pk),
    )


def _filtered(request: TeamRequest) -> PullPageFilter:
    team_id = request.team.pk
    rows = pulls_with_customers(team_id)
    filters = PullPageFilter(request.GET, rows, request=request)
    filters.offer("application", lambda: _applications(team_id))
    filters.offer("registry", lambda: _registries(team_id))
    return filters


def _rows(team_id: uuid.UUID, pulls: Iterable[PullEvent]) -> list[PullRow]:
    return pull_rows(team_id, ((pull, pull.license) for pull in pulls))


def _applications(team_id: uuid.UUID) -> list[tuple[str, str]]:
    applications = applications_for_team(team_id).order_by("slug")
    return [(application.slug, application.name) for application in applications]


def _registries(team_id: uuid.UUID) -> list[tuple[str, str]]:
    has_private = bool(settings.BERTH_REGISTRY_HOST)
    private = [(PRIVATE_REGISTRY_SLUG, "Private registry")] if has_private else []
    registries = registries_for_team(team_id).prefetch_related(None).order_by("slug")
    return [*private, *((registry.slug, registry.slug) for registry in registries)]
