"""Pages of the audit log."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_filters import rest_framework as filters

from audit.models import AuditEvent
from audit.selectors import audit_events_for_team, existing_subjects, in_batches
from audit.tags import EventTag, describe
from portal.database.deadlines import REQUEST_SECONDS, each_waiting_at_most
from portal.http.pages import render_page
from portal.limits.waiting import waiting
from teams.filters import AuditEventFilter
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page, team_url
from teams.web.lists.filters import DayFilter, PageFilter, filtered_list
from teams.web.lists.spreadsheets import csv_text

COLUMNS = (
    "time",
    "event",
    "what",
    "actor_kind",
    "actor",
    "actor_id",
    "subject_kind",
    "subject",
    "subject_id",
    "address",
    "request_id",
    "data",
)


@dataclass(frozen=True, slots=True)
class SubjectPage:
    """The page of a kind of subject: its name, and how the address names the row."""

    name: str
    parameter: str
    attribute: str = "pk"


SUBJECT_PAGES = {
    "licenses.customer": SubjectPage("customers-detail", "customer_id"),
    "licenses.license": SubjectPage("licenses-detail", "license_id"),
    "registries.externalregistry": SubjectPage("registries-detail", "registry_id"),
    "images.imagerepository": SubjectPage("images-detail", "image_id"),
    "licenses.application": SubjectPage(
        "applications-detail", "application_slug", "slug"
    ),
}
SUBJECT_LISTS = {
    "teams.apitoken": "api-tokens",
    "teams.invitation": "members",
    "teams.serviceaccount": "service-accounts",
    "teams.team": "team-settings",
    "teams.user": "members",
}
SUBJECT_WORDS = {
    "licenses.customer": "customer",
    "licenses.license": "license",
    "licenses.licensefield": "license field",
    "licenses.licensesigningkey": "license signing key",
    "licenses.pullcredential": "pull credential",
    "registries.externalregistry": "external registry",
    "images.imagerepository": "image",
    "teams.apitoken": "API token",
    "licenses.application": "application",
    "licenses.channel": "channel",
    "teams.invitation": "invitation",
    "teams.serviceaccount": "service account",
    "teams.team": "team",
    "teams.user": "member",
}
ACTOR_WORDS = {
    "user": "user",
    "service_account": "service account",
    "team_token": "team token",
    "contact": "customer's contact",
    "license": "license",
    "system": "Berth",
}


class AuditPageFilter(PageFilter, AuditEventFilter):
    """The API's filters, with kinds in words and days of the team's time zone."""

    shown = ("tag", "actor", "subject", "first_day", "last_day")
    tag = filters.ChoiceFilter(
        label="What",
        choices=[(tag.value, describe(tag)) for tag in EventTag],
        empty_label="All events",
    )
    actor = filters.CharFilter(
        field_name="actor_label", lookup_expr="icontains", label="Who"
    )
    subject = filters.CharFilter(
        field_name="subject_label", lookup_expr="icontains", label="Subject"
    )
    first_day = DayFilter(method="filter_first_day", label="From")
    last_day = DayFilter(method="filter_last_day", label="To")

    def filter_first_day(
        self, rows: QuerySet[AuditEvent], _name: str, day: date
    ) -> QuerySet[AuditEvent]:
        return rows.filter(created_at__gte=_instant(day, time.min))

    def filter_last_day(
        self, rows: QuerySet[AuditEvent], _name: str, day: date
    ) -> QuerySet[AuditEvent]:
        return rows.filter(created_at__lte=_instant(day, time.max))


@require_safe
@team_page(Permission.AUDIT_READ)
def audit(request: TeamRequest) -> HttpResponse:
    """List who did what, newest first."""
    context = filtered_list(_filtered(request))
    events = context["page"].rows
    addresses = _subject_addresses(request, events)
    context["entries"] = [_Entry.of(event, addresses) for event in events]
    return render_page(
        request, "teams/audit.html", context, partial="teams/audit_list.html"
    )


@require_safe
@team_page(Permission.AUDIT_READ)
def export(request: TeamRequest) -> HttpResponseBase:
    """Stream the filtered log as CSV, however long it is."""
    log = _filtered(request)
    if not log.is_valid():
        address = team_url(request, "audit")
        return redirect(f"{address}?{request.GET.urlencode()}")
    batches = each_waiting_at_most(REQUEST_SECONDS, in_batches(log.qs))
    lines = _waiting_for_reader(request.team.pk, csv_lines(batches))
    next(lines)  # or it is refused
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"audit-{request.team.slug}-{timezone.localdate():%Y-%m-%d}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _waiting_for_reader(team_id: uuid.UUID, lines: Iterator[str]) -> Iterator[str]:
    """Yield an empty line, then the lines, as slowly as they are read.

    The team's share is held from the first line on, until the response is closed.
    """
    with waiting(team_id):
        yield ""
        yield from lines


def csv_lines(batches: Iterable[Iterable[AuditEvent]]) -> Iterator[str]:
    """Yield a CSV document, a batch at a time."""
    yield csv_text([COLUMNS])
    for batch in batches:
        yield csv_text(map(_cells, batch))


@dataclass(frozen=True, slots=True)
class _Entry:
    event: AuditEvent
    what: str
    actor_kind: str
    subject_kind: str
    address: str | None

    @classmethod
    def of(cls, event: AuditEvent, addresses: dict[uuid.UUID, str]) -> _Entry:
        return cls(
            event=event,
            what=describe(event.tag),
            actor_kind=ACTOR_WORDS.get(event.actor_kind, event.actor_kind),
            subject_kind=SUBJECT_WORDS.get(event.subject_kind, event.subject_kind),
            address=addresses.get(event.subject_id),
        )


def _filtered(request: TeamRequest) -> AuditPageFilter:
    return AuditPageFilter(request.GET, audit_events_for_team(request.team.pk))


def _instant(day: date, at: time) -> datetime:
    return datetime.combine(day, at, timezone.get_current_timezone())


def _cells(event: AuditEvent) -> tuple[str, ...]:
    return (
        event.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        event.tag,
        describe(event.tag),
        event.actor_kind,
        event.actor_label,
        str(event.actor_id or ""),
        event.subject_kind,
        event.subject_label,
        str(event.subject_id),
        event.address or "",
        event.request_id,
        json.dumps(event.data, ensure_ascii=False, sort_keys=True),
    )


def _subject_addresses(
    request: TeamRequest, events: Iterable[AuditEvent]
) -> dict[uuid.UUID, str]:
    """Return the pages of the subjects that have one and still exist."""
    ids: dict[str, set[uuid.UUID]] = {}
    for event in events:
        ids.setdefault(event.subject_kind, set()).add(event.subject_id)
    addresses: dict[uuid.UUID, str] = {}
    for kind, subject_ids in ids.items():
        if kind in SUBJECT_LISTS:
            address = _address(request, SUBJECT_LISTS[kind])
            addresses |= dict.fromkeys(subject_ids, address)
        elif kind in SUBJECT_PAGES:
            page = SUBJECT_PAGES[kind]
            values = existing_subjects(
                request.team.pk, kind, subject_ids, page.attribute
            )
            for pk, value in values.items():
                addresses[pk] = _address(request, page.name, **{page.parameter: value})
    return addresses


def _address(request: TeamRequest, name: str, **names: object) -> str:
    try:
        return team_url(request, name, **names)
    except NoReverseMatch:
        return ""
