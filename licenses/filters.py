from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field

from licenses.models import (
    Application,
    Customer,
    License,
    LicenseQuerySet,
    LicenseState,
    PullCredentialQuerySet,
)
from licenses.selectors import contains_text, licenses_matching
from portal.http.values import CreatedFilter, InstantFilter, parse_id


class ArchivableFilter(CreatedFilter):
    """Leaves out what is archived, unless asked for it."""

    # Pages say themselves what they show.
    leaves_out_archived: ClassVar[bool] = True

    archived = filters.ChoiceFilter(
        choices=[("true", "true"), ("false", "false")],
        method="filter_archived",
    )

    @property
    def _team_id(self) -> uuid.UUID:
        # The team is on a page's request, and on the user of an API request.
        team = getattr(self.request, "team", None) or self.request.user.team
        team_id: uuid.UUID = team.pk
        return team_id

    @extend_schema_field(
        {
            "type": "boolean",
            "description": "true: only what is archived, which is left out otherwise",
        }
    )
    def filter_archived(self, rows: Any, _name: str, text: str) -> Any:
        return rows.filter(archived_at__isnull=text == "false")

    def filter_queryset(self, rows: Any) -> Any:
        rows = super().filter_queryset(rows)
        if self.leaves_out_archived and not self.form.cleaned_data["archived"]:
            return rows.filter(archived_at__isnull=True)
        return rows


class ApplicationFilter(ArchivableFilter):
    pass


class CustomerFilter(ArchivableFilter):
    search = filters.CharFilter(
        method="filter_search", label="Part of the name, e-mail address or custom ID"
    )
    custom_id = filters.CharFilter()
    email = filters.CharFilter(lookup_expr="iexact")
    application = filters.CharFilter(
        method="filter_application",
        label="ID or slug of an application that they have a license of",
    )

    def filter_application(
        self, rows: QuerySet[Customer], _name: str, text: str
    ) -> QuerySet[Customer]:
        of_team = License.objects.for_team(self._team_id).unarchived()
        licenses = of_team.filter(_of_application(text))
        return rows.filter(pk__in=licenses.values("customer"))

    def filter_search(
        self, rows: QuerySet[Customer], _name: str, text: str
    ) -> QuerySet[Customer]:
        return rows.filter(contains_text(text))


# Not a state of its own: an active license that will expire soon.
EXPIRING = "expiring"


class LicenseFilter(ArchivableFilter):
    state = filters.ChoiceFilter(
        choices=[
            *((state.value, state.value) for state in LicenseState),
            (EXPIRING, EXPIRING),
        ],
        method="filter_state",
        label="expiring: active, and expires within 30 days",
    )
    customer = filters.CharFilter(
        method="filter_customer", label="ID or custom ID of a customer"
    )
    application = filters.CharFilter(
        method="filter_application", label="ID or slug of an application"
    )
    type = filters.ChoiceFilter(choices=License.Type.choices)
    channel = filters.CharFilter(
        method="filter_channel", label="ID or slug of a channel"
    )
    expires_after = InstantFilter(field_name="expires_at", lookup_expr="gte")
    expires_before = InstantFilter(field_name="expires_at", lookup_expr="lt")
    search = filters.CharFilter(
        method="filter_search",
        label=(
            "Part of the customer's name, e-mail address or custom ID, or of a license "
            "field's value"
        ),
    )

    def filter_state(
        self, rows: LicenseQuerySet, _name: str, state: str
    ) -> LicenseQuerySet:
        if state == EXPIRING:
            return rows.expiring()
        if state == LicenseState.REVOKED:
            return rows.revoked()
        return rows.expired() if state == LicenseState.EXPIRED else rows.active()

    def filter_application(
        self, rows: LicenseQuerySet, _name: str, text: str
    ) -> LicenseQuerySet:
        return rows.filter(_of_application(text))

    def filter_customer(
        self, rows: LicenseQuerySet, _name: str, text: str
    ) -> LicenseQuerySet:
        return rows.filter(named("customer", "custom_id", text))

    def filter_channel(
        self, rows: LicenseQuerySet, _name: str, text: str
    ) -> LicenseQuerySet:
        return rows.filter(named("channel", "slug", text))

    def filter_search(
        self, rows: LicenseQuerySet, _name: str, text: str
    ) -> LicenseQuerySet:
        return licenses_matching(rows, self._team_id, text)


class PullCredentialFilter(CreatedFilter):
    state = filters.ChoiceFilter(
        choices=[("current", "current"), ("ended", "ended")],
        method="filter_state",
        label="current: neither revoked nor replaced; ended: either of them",
    )

    def filter_state(
        self, rows: PullCredentialQuerySet, _name: str, state: str
    ) -> PullCredentialQuerySet:
        if state == "current":
            return rows.current()
        return rows.exclude(revoked_at__isnull=True, replaced_by__isnull=True)


def _of_application(text: str) -> Q:
    return named("application", "slug", text)


def applications_named(team_id: uuid.UUID, text: str) -> QuerySet[Application]:
    """Return the team's application with this ID or slug, or nothing."""
    named = Q(slug=text)
    if identifier := parse_id(text):
        named |= Q(pk=identifier)
    return Application.objects.for_team(team_id).filter(named)


def named(relation: str, name: str, text: str) -> Q:
    """Match rows whose related row has this ID or name."""
    named = Q(**{f"{relation}__{name}": text})
    identifier = parse_id(text)
    return named | Q(**{f"{relation}_id": identifier}) if identifier else named
