from __future__ import annotations

from django_filters import rest_framework as filters

from customers.models import ContactRole, CustomerLink, CustomerLinkQuerySet
from portal.http.values import CreatedFilter


class ContactFilter(CreatedFilter):
    email = filters.CharFilter(lookup_expr="iexact")
    role = filters.ChoiceFilter(choices=ContactRole.choices)


class CustomerLinkFilter(CreatedFilter):
    contact = filters.UUIDFilter(field_name="contact_id", label="ID of a contact")
    license = filters.UUIDFilter(field_name="license_id", label="ID of a license")
    state = filters.ChoiceFilter(
        choices=[(state, state) for state in CustomerLink.STATES],
        method="filter_state",
    )

    def filter_state(
        self, rows: CustomerLinkQuerySet, _name: str, state: str
    ) -> CustomerLinkQuerySet:
        return rows.in_state(state)
