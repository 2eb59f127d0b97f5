"""A customer's pulls, allowed and refused, and why: as a page and as CSV."""

from __future__ import annotations

from datetime import UTC, date

from django import forms
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_filters import filters

from customers.pulling.outcomes import PUBLIC_OUTCOMES
from customers.pulling.pulls import (
    IDENTITY,
    LICENSE_ID,
    NAMED,
    REFUSED,
    PullRow,
    on_day,
    pull_rows,
    with_credential,
    with_outcome,
)
from customers.web.base import CustomerRequest, customer_page, customer_url
from licenses.models import Customer, License, PullCredential, TrustedIdentity
from licenses.selectors import licenses_for_team
from portal.http.keyset import Sort
from portal.http.pages import render_page
from registries.models import PullEvent
from registries.models.outcomes import ALLOWED
from registries.selectors import pulls_for_team
from teams.web.lists.filters import ALL, DayFilter, PageFilter, filtered_list
from teams.web.lists.spreadsheets import csv_text

OPTIONS_SHOWN = 200
CSV_ROWS = 5000
COLUMNS = ("last", "application", "image", "credential", "outcome", "why", "pulls")
_OUTCOMES = [
    (ALLOWED, "Allowed"),
    (REFUSED, "All refused"),
    *(
        (outcome.code, f"Refused: {outcome.label}")
        for outcome in PUBLIC_OUTCOMES
        if not outcome.is_allowed
    ),
]


class CustomerPullFilter(PageFilter):
    """Filters of a customer's pulls; an unknown value matches nothing."""

    shown = ("day", "outcome", "application", "credential")
    day = DayFilter(method="filter_day", label="Day")
    outcome = filters.CharFilter(
        method="filter_outcome",
        label="Outcome",
        widget=forms.Select(choices=[ALL, *_OUTCOMES]),
    )
    application = filters.CharFilter(
        field_name="application_slug", label="Application", widget=forms.Select
    )
    credential = filters.CharFilter(
        method="filter_credential", label="Credential", widget=forms.Select
    )

    def filter_day(
        self, rows: QuerySet[PullEvent], _name: str, day: date
    ) -> QuerySet[PullEvent]:
        return on_day(rows, day)

    def filter_outcome(
        self, rows: QuerySet[PullEvent], _name: str, code: str
    ) -> QuerySet[PullEvent]:
        return with_outcome(rows, code)

    def filter_credential(
        self, rows: QuerySet[PullEvent], _name: str, text: str
    ) -> QuerySet[PullEvent]:
        return with_credential(rows, text)


@require_safe
@customer_page()
def pulls(request: CustomerRequest) -> HttpResponse:
    """List the customer's pulls by day, newest first, with filters."""
    found = _filtered(request)
    context = filtered_list(found, Sort("last_at"))
    context["pulls"] = pull_rows(context["page"].rows, request.look.name)
    return render_page(
        request, "customers/pulls.html", context, partial="customers/pulls_list.html"
    )


@require_safe
@customer_page()
def export(request: CustomerRequest) -> HttpResponse:
    """Send the newest of the filtered pulls as CSV."""
    found = _filtered(request)
    if not found.is_valid():
        address = customer_url(request, "pulls")
        return redirect(f"{address}?{request.GET.urlencode()}")
    rows = pull_rows(found.qs[:CSV_ROWS], request.look.name)
    response = HttpResponse(
        csv_text([COLUMNS, *map(_cells, rows)]), content_type="text/csv; charset=utf-8"
    )
    name = f"pulls-{timezone.localdate():%Y-%m-%d}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _filtered(request: CustomerRequest) -> CustomerPullFilter:
    customer = request.customer
    licenses = License.objects.for_team(customer.team_id).filter(customer=customer)
    rows = pulls_for_team(customer.team_id).filter(license__in=licenses.values("pk"))
    found = CustomerPullFilter(request.GET, rows, request=request)
    found.offer("application", lambda: _applications(customer))
    found.offer("credential", lambda: _credentials(customer))
    return found


def _applications(customer: Customer) -> list[tuple[str, str]]:
    licenses = licenses_for_team(customer.team_id).filter(customer=customer)
    named = {
        license.application.slug: license.application.name
        for license in licenses[:OPTIONS_SHOWN]
    }
    return sorted(named.items())


def _credentials(customer: Customer) -> list[tuple[str, str]]:
    names = (
        PullCredential.objects.for_team(customer.team_id)
        .filter(license__customer=customer)
        .order_by("name")
        .values_list("name", flat=True)
        .distinct()
    )
    named = [(f"{NAMED}{name}", name) for name in names[:OPTIONS_SHOWN]]
    identities = TrustedIdentity.objects.for_team(customer.team_id).filter(
        license__customer=customer
    )
    trusted = [
        (f"{IDENTITY}{pk}", f"Trusted identity {label}")
        for pk, label in identities.order_by("label").values_list("pk", "label")[
            :OPTIONS_SHOWN
        ]
    ]
    return [(LICENSE_ID, "License ID"), *named, *trusted]


def _cells(row: PullRow) -> tuple[str, ...]:
    return (
        row.pull.last_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        row.pull.application_slug,
        row.image,
        row.credential,
        row.outcome.code,
        "" if row.outcome.is_allowed else f"{row.outcome.label}. {row.advice}",
        str(row.pull.count),
    )
