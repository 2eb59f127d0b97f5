"""The vendor's page of one customer: all about them in one place."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from customers.selectors import contacts_with_links
from licenses.history import events_of_customer, history
from licenses.models import Customer
from licenses.selectors import (
    customers_pull_credentials_to_show,
    customers_with_licenses,
    licenses_for_team,
)
from portal.http.keyset import keyset_page
from portal.http.pages import render_page
from registries.selectors import pulled_images_of_customer
from registries.web.pull_links import why_query
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url

HISTORY_SHOWN = 12


@require_safe
@team_page(Permission.CUSTOMER_READ)
def customer_detail(request: TeamRequest, customer_id: uuid.UUID) -> HttpResponse:
    """Show a customer with licenses, pull credentials, pulls, people and history."""
    customer: Customer = find(customers_with_licenses(request.team.pk), customer_id)
    licenses = licenses_for_team(request.team.pk).unarchived().filter(customer=customer)
    context: dict[str, Any] = {
        "customer": customer,
        "page": keyset_page(licenses, request.GET.get("page", "")),
        "issue": f"{team_url(request, 'licenses-add')}?customer={customer.pk}",
        "credentials": customers_pull_credentials_to_show(customer),
        "pulls": [
            (pull, "" if pull.is_allowed else why_query(pull))
            for pull in pulled_images_of_customer(customer)
        ],
        "people": contacts_with_links(customer),
    }
    if request.actor.may(Permission.AUDIT_READ):
        events = list(
            events_of_customer(request.team.pk, customer)[: HISTORY_SHOWN + 1]
        )
        context["history"] = history(events[:HISTORY_SHOWN])
        context["has_more_history"] = len(events) > HISTORY_SHOWN
    return render_page(request, "customers/customer.html", context)
