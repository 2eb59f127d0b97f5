"""A customer's pulls, allowed and refused, and why: as a page and as CSV."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_filters import filters

from customers.web.base import CustomerRequest, customer_page, customer_url
from customers.web.pulling.outcomes import (
    PUBLIC_OUTCOMES,
    PublicOutcome,
    outcomes_behind,
    public_outcome,
)
from licenses.models import Customer, License, PullCredential
from licenses.selectors import licenses_for_team
from portal.http.pages import render_page
from registries.models import PullEvent
from registries.models.outcomes import ALLOWED
from registries.selectors import pulls_for_team
from registries.web.pull_links import MANY
from teams.web.filters import ALL, DayFilter, PageFilter, filtered_list
from teams.web.spreadsheets import csv_text

REFUSED = "refused"
LICENSE_ID = "license-id"
_NAMED = "credential:"
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
        zone = timezone.get_current_timezone()
        return rows.filter(
            last_at__gte=datetime.combine(day, time.min, zone),
            last_at__lte=datetime.combine(day, time.max, zone),
        )

    def filter_outcome(
        self, rows: QuerySet[PullEvent], _name: str, code: str
    ) -> QuerySet[PullEvent]:
        if code == REFUSED:
            return rows.exclude(outcome=ALLOWED)
        return rows.filter(outcome__in=outcomes_behind(code))

    def filter_credential(
        self, rows: QuerySet[PullEvent], _name: str, text: str
    ) -> QuerySet[PullEvent]:
        if text == LICENSE_ID:
            return rows.filter(credential_id=None)
        if not text.startswith(_NAMED):
            return rows.none()
        return rows.filter(credential_name=text.removeprefix(_NAMED))


@dataclass(frozen=True, slots=True)
class PullRow:
    """A counted pull in the customer's words."""

    pull: PullEvent
    image: str
    credential: str
    outcome: PublicOutcome
    advice: str

    @property
    def day(self) -> date:
        return timezone.localdate(self.pull.last_at)


@require_safe
@customer_page()
def pulls(request: CustomerRequest) -> HttpResponse:
    """List the customer's pulls by day, newest first, with filters."""
    found = _filtered(request)
    context = filtered_list(found, by="last_at")
    context["pulls"] = _rows(request, context["page"].rows)
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
    rows = _rows(request, found.qs[:CSV_ROWS])
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
    named = [(f"{_NAMED}{name}", name) for name in names[:OPTIONS_SHOWN]]
    return [(LICENSE_ID, "License ID"), *named]


def _rows(request: CustomerRequest, pulls: Iterable[PullEvent]) -> list[PullRow]:
    rows = []
    for pull in pulls:
        outcome = public_outcome(pull.outcome)
        rows.append(
            PullRow(
                pull=pull,
                image=_image(pull),
                credential=pull.credential_name if pull.credential_id else "License ID",
                outcome=outcome,
                advice=outcome.advice.format(vendor=request.look.name),
            )
        )
    return rows


def _image(pull: PullEvent) -> str:
    """Return the name as it was pulled."""
    if pull.repository == MANY:
        return "many images"
    if pull.is_private:
        name = f"{pull.application_slug}/{pull.image}"
        return "/".join(filter(None, (settings.BERTH_REGISTRY_HOST, name)))
    return "/".join(filter(None, (settings.BERTH_PROXY_HOST, pull.proxied_image)))


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
