from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters

from licenses.models import Customer, License, LicenseQuerySet, LicenseState
from licenses.selectors import contains_text, licenses_matching
from portal.http.values import InstantFilter, parse_id


class ArchivableFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    """Leaves out what is archived, unless asked for it."""

    archived = filters.ChoiceFilter(
        choices=[("true", "true"), ("false", "false")],
        method="filter_archived",
        label="true: only what is archived, which is left out otherwise",
    )

    # Pages say themselves what they show.
    leaves_out_archived: ClassVar[bool] = True

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
    customer = filters.UUIDFilter(field_name="customer_id")
    application = filters.CharFilter(
        method="filter_application", label="ID or slug of an application"
    )
    type = filters.ChoiceFilter(choices=License.Type.choices)
    channel = filters.UUIDFilter(field_name="channel_id")
    expires_before = InstantFilter(field_name="expires_at", lookup_expr="lt")
    search = filters.CharFilter(
        method="filter_search",
        label=(
            "Part of the customer's name, e-mail address or custom ID, or of a license "
            "field's value"
        ),
    )

    @property
    def _team_id(self) -> uuid.UUID:
        # The team is on a page's request, and on the user of an API request.
        team = getattr(self.request, "team", None) or self.request.user.team
        team_id: uuid.UUID = team.pk
        return team_id

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
        named = Q(application__slug=text)
        identifier = parse_id(text)
        return rows.filter(
            named | Q(application_id=identifier) if identifier else named
        )

    def filter_search(
        self, rows: LicenseQuerySet, _name: str, text: str
    ) -> LicenseQuerySet:
        return licenses_matching(rows, self._team_id, text)
