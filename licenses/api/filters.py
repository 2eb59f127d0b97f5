from __future__ import annotations

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters

from licenses.models import Customer, License, LicenseQuerySet, LicenseState
from teams.api.base import InstantFilter, parse_id


class CustomerFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    search = filters.CharFilter(
        method="filter_search", label="Part of the name, e-mail address or custom ID"
    )
    archived = filters.ChoiceFilter(
        choices=[("true", "true"), ("false", "false")], method="filter_archived"
    )
    custom_id = filters.CharFilter()
    email = filters.CharFilter(lookup_expr="iexact")

    class Meta:
        model = Customer
        fields: list[str] = []

    def filter_search(
        self, rows: QuerySet[Customer], _name: str, text: str
    ) -> QuerySet[Customer]:
        return rows.filter(
            Q(name__icontains=text)
            | Q(email__icontains=text)
            | Q(custom_id__icontains=text)
        )

    def filter_archived(
        self, rows: QuerySet[Customer], _name: str, text: str
    ) -> QuerySet[Customer]:
        return rows.filter(archived_at__isnull=text == "false")


class LicenseFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    state = filters.ChoiceFilter(
        choices=[(state.value, state.value) for state in LicenseState],
        method="filter_state",
    )
    customer = filters.UUIDFilter(field_name="customer_id")
    application = filters.CharFilter(
        method="filter_application", label="ID or slug of an application"
    )
    type = filters.ChoiceFilter(choices=License.Type.choices)
    channel = filters.UUIDFilter(field_name="channel_id")
    expires_before = InstantFilter(field_name="expires_at", lookup_expr="lt")
    search = filters.CharFilter(
        method="filter_search", label="Part of the customer's name or e-mail address"
    )

    class Meta:
        model = License
        fields: list[str] = []

    def filter_state(
        self, rows: LicenseQuerySet, _name: str, state: str
    ) -> LicenseQuerySet:
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
        return rows.filter(
            Q(customer__name__icontains=text) | Q(customer__email__icontains=text)
        )
