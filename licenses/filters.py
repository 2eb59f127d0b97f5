from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Count, Max, Min, Q, QuerySet, Value
from django.db.models.functions import Lower
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field

from licenses.models import (
    END,
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
    email = filters.CharFilter(method="filter_email")
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

    def filter_email(
        self, rows: QuerySet[Customer], _name: str, text: str
    ) -> QuerySet[Customer]:
        # The first condition is redundant, but has an index.
        return rows.filter(contains_text(text), email__iexact=text)


# Customers whose names are compared, at most.
COMPARED = 20_000
# Not a state of its own: an active license that will expire soon.
EXPIRING = "expiring"


class ExpiryFilter(InstantFilter):
    """Keeps licenses whose expiry compares so with an instant."""

    def filter(self, rows: LicenseQuerySet, value: datetime | None) -> LicenseQuerySet:
        return expiring(rows, self.lookup_expr, value) if value else rows


def expiring(rows: LicenseQuerySet, lookup: str, at: datetime) -> LicenseQuerySet:
    """Keep licenses whose expiry compares so with an instant.

    The list in the order of expiry uses the same index.
    """
    ends = rows.alias(end=END).filter(**{f"end__{lookup}": at})
    return ends.filter(expires_at__isnull=False)


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
    expires_after = ExpiryFilter(field_name="expires_at", lookup_expr="gte")
    expires_before = ExpiryFilter(field_name="expires_at", lookup_expr="lt")
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
        customers = Customer.objects.for_team(self._team_id)
        # A subquery, since an OR over both tables would read all licenses.
        chosen = customers.filter(_is_called("custom_id", text))
        return rows.filter(customer__in=chosen.values("pk"))

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
    return Application.objects.for_team(team_id).filter(_is_called("slug", text))


def _is_called(name: str, text: str) -> Q:
    """Match rows with this ID or name."""
    identifier = parse_id(text)
    called = Q(**{name: text})
    return called | Q(pk=identifier) if identifier else called


def named(relation: str, name: str, text: str) -> Q:
    """Match rows whose related row has this ID or name."""
    named = Q(**{f"{relation}__{name}": text})
    identifier = parse_id(text)
    return named | Q(**{f"{relation}_id": identifier}) if identifier else named


def from_first_name(
    rows: QuerySet[Any], path: str, team_id: uuid.UUID, text: str, order: str
) -> QuerySet[Any]:
    """Begin a list by name with the first customer that a search for a text can find.

    ``path`` leads to the name. The database expects what is found everywhere, while
    names that begin with the text are all in one place: it would look through all the
    others before them. Of very many customers the first one is not looked for.
    """
    customers = Customer.objects.for_team(team_id).annotate(key=Lower("name"))
    after = customers.filter(key__gte=Lower(Value(text))).order_by("key")
    next_name = after.values_list("key", flat=True).first()
    if next_name is None or not next_name.startswith(text.lower()):
        return rows
    is_descending = order.startswith("-")
    matching = customers.filter(contains_text(text)).order_by().values("key")
    found = matching[: COMPARED + 1].aggregate(
        number=Count("*"), first=(Max if is_descending else Min)("key")
    )
    if not 0 < found["number"] <= COMPARED:
        return rows
    side = "lte" if is_descending else "gte"
    keyed: QuerySet[Any] = rows.alias(name_key=Lower(path))
    return keyed.filter(**{f"name_key__{side}": found["first"]})
