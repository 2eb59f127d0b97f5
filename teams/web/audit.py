"""Pages of the audit log."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.http import HttpResponse, HttpResponseBase
from django.urls import NoReverseMatch
from django.views.decorators.http import require_safe
from django_filters import rest_framework as filters

from audit.models import AuditEvent
from audit.selectors import audit_events_for_team, existing_subjects
from audit.tags import EventTag, describe
from portal.http.pages import render_page
from teams.filters import AuditEventFilter
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page, team_url
from teams.web.lists.export import export_list
from teams.web.lists.filters import FirstDayFilter, LastDayFilter, PageFilter
from teams.web.lists.tables import Column, Table, instant_cell, table_list


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
    "alerts.alert": "alerts",
    "teams.apitoken": "api-tokens",
    "teams.invitation": "members",
    "teams.serviceaccount": "service-accounts",
    "teams.team": "team-settings",
    "teams.user": "members",
}
SUBJECT_WORDS = {
    "alerts.alert": "alert",
    "alerts.webhook": "webhook",
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
    first_day = FirstDayFilter(field_name="created_at", label="From")
    last_day = LastDayFilter(field_name="created_at", label="To")


TABLE = Table(
    (
        Column(
            "time",
            "When",
            lambda event: instant_cell(event.created_at),
            by="created_at",
            descends=True,
        ),
        Column("who", "Who"),
        Column("event", cell=lambda event: event.tag),
        Column("what", "What", lambda event: describe(event.tag)),
        Column("actor_kind", cell=lambda event: event.actor_kind),
        Column("actor", cell=lambda event: event.actor_label),
        Column("actor_id", cell=lambda event: str(event.actor_id or "")),
        Column("subject_kind", cell=lambda event: event.subject_kind),
        Column("subject", "Subject", lambda event: event.subject_label),
        Column("subject_id", cell=lambda event: str(event.subject_id)),
        Column("address", "From address", lambda event: event.address or ""),
        Column("request_id", cell=lambda event: event.request_id),
        Column(
            "data",
            "Details",
            lambda event: json.dumps(event.data, ensure_ascii=False, sort_keys=True),
        ),
    ),
    order="-time",
)


@require_safe
@team_page(Permission.AUDIT_READ)
def audit(request: TeamRequest) -> HttpResponse:
    """List who did what, newest first unless sorted otherwise."""
    context = table_list(_filtered(request), TABLE)
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
    return export_list(request, _filtered(request), TABLE, "audit")


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
