from __future__ import annotations

from django.db.models import Exists, F, Q, QuerySet
from django_filters import rest_framework as filters

from licenses.filters import applications_named, named
from portal.http.values import CreatedFilter, InstantFilter, parse_id
from registries.models import (
    PRIVATE_REGISTRY_ID,
    PRIVATE_REGISTRY_SLUG,
    ExternalRegistry,
    PullEvent,
)
from registries.models.health import Outcome
from registries.models.outcomes import ALLOWED
from registries.providers import PROVIDERS

REFUSED = "refused"


class PullFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    license = filters.UUIDFilter(field_name="license_id")
    credential = filters.UUIDFilter(
        field_name="credential_id", label="ID of a pull credential"
    )
    registry = filters.CharFilter(
        method="filter_registry",
        label="ID or slug of a registry; `private-registry` is the private registry",
    )
    outcome = filters.CharFilter(
        method="filter_outcome",
        label="`allowed`, `refused` for all others, the reason of a refusal, or a "
        "failure of the registry, such as `registry_rejected`",
    )
    application = filters.CharFilter(
        method="filter_application",
        label="ID of an application, or the slug that it had at that time",
    )
    customer = filters.CharFilter(
        method="filter_customer", label="ID or custom ID of a customer"
    )
    repository = filters.CharFilter(lookup_expr="startswith", label="How it begins")
    after = InstantFilter(field_name="last_at", lookup_expr="gte")
    before = InstantFilter(field_name="last_at", lookup_expr="lt")

    def filter_outcome(
        self, rows: QuerySet[PullEvent], _name: str, outcome: str
    ) -> QuerySet[PullEvent]:
        if outcome == REFUSED:
            return rows.exclude(outcome=ALLOWED)
        return rows.filter(outcome=outcome)

    def filter_application(
        self, rows: QuerySet[PullEvent], _name: str, text: str
    ) -> QuerySet[PullEvent]:
        if parse_id(text) is None:
            return rows.filter(application_slug=text)
        applications = applications_named(self.request.user.team.pk, text)
        return rows.filter(application_slug__in=applications.values("slug"))

    def filter_customer(
        self, rows: QuerySet[PullEvent], _name: str, text: str
    ) -> QuerySet[PullEvent]:
        # Custom IDs are indexed within a team.
        same_team = Q(license__customer__team_id=F("team_id"))
        return rows.filter(same_team & named("license__customer", "custom_id", text))

    def filter_registry(
        self, rows: QuerySet[PullEvent], _name: str, text: str
    ) -> QuerySet[PullEvent]:
        if text == PRIVATE_REGISTRY_SLUG:
            return rows.filter(registry_id=PRIVATE_REGISTRY_ID)
        by_slug = Q(registry_slug=text)
        identifier = parse_id(text)
        if identifier is None:
            return rows.filter(by_slug)
        return rows.filter(by_slug | Q(registry_id=identifier))


class RegistryFilter(CreatedFilter):
    provider = filters.ChoiceFilter(choices=[(name, name) for name in PROVIDERS])
    health = filters.ChoiceFilter(choices=Outcome.choices)
    application = filters.CharFilter(
        method="filter_application",
        label="ID or slug of an application that may use them",
    )

    def filter_application(
        self, rows: QuerySet[ExternalRegistry], _name: str, text: str
    ) -> QuerySet[ExternalRegistry]:
        applications = applications_named(self.request.user.team.pk, text)
        may_use = Q(shared_with_all=True) | Q(applications__in=applications)
        return rows.filter(may_use, Exists(applications)).distinct()


class CheckFilter(CreatedFilter):
    outcome = filters.ChoiceFilter(choices=Outcome.choices)


class TrafficFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    day_after = filters.DateFilter(
        field_name="day", lookup_expr="gte", label="This day or later"
    )
    day_before = filters.DateFilter(field_name="day", lookup_expr="lt")
