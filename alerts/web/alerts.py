"""The list of alerts, and the choice of alerts to get by e-mail."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.defaultfilters import pluralize
from django.views.decorators.http import require_POST, require_safe
from django_filters import filters

from alerts.events import DESCRIPTIONS, MAILABLE, Event
from alerts.filters import AlertFilter
from alerts.selectors import (
    alerts_without_tests,
    count_unacknowledged,
    events_mailed_to,
    has_chosen,
    members_with_subscriptions,
)
from alerts.services import acknowledge_alerts, subscribe
from alerts.web.forms import EventsField
from alerts.web.words import alert_rows, events_summary
from portal.http.dialogs import render_dialog
from portal.http.forms import EditForm, edit
from portal.http.keyset import PAGE_SIZE, keyset_page
from portal.http.pages import go_to, render_page
from portal.http.values import parse_id
from teams.models import Membership
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.lists.export import export_list
from teams.web.lists.filters import FirstDayFilter, LastDayFilter, PageFilter
from teams.web.lists.tables import Column, Table, instant_cell, table_list


class MailForm(EditForm):
    events = EventsField(label="Send an e-mail when", events=MAILABLE, required=False)


class AlertPageFilter(PageFilter, AlertFilter):
    shown = ("acknowledged", "event", "first_day", "last_day")
    acknowledged = filters.ChoiceFilter(
        method="filter_acknowledged",
        label="Show",
        choices=[("false", "Not acknowledged"), ("true", "Acknowledged")],
    )
    event = filters.ChoiceFilter(
        label="Alert",
        choices=[
            *((event.value, DESCRIPTIONS[event]) for event in MAILABLE),
            (Event.WEBHOOK_DISABLED.value, "A webhook was disabled"),
        ],
    )
    first_day = FirstDayFilter(field_name="created_at", label="From")
    last_day = LastDayFilter(field_name="created_at", label="To")


TABLE = Table(
    (
        Column(
            "time",
            "When",
            lambda alert: instant_cell(alert.created_at),
            by="created_at",
            descends=True,
        ),
        Column("event", cell=lambda alert: alert.event),
        Column("message", "Alert", lambda alert: alert.message),
        Column("subject", "Subject", lambda alert: alert.subject_label),
        Column("subject_id", cell=lambda alert: str(alert.subject_id)),
        Column(
            "acknowledged",
            "Acknowledged",
            lambda alert: instant_cell(alert.acknowledged_at),
        ),
        Column("acknowledged_by", cell=lambda alert: alert.acknowledged_by),
    ),
    order="-time",
)


@require_safe
@team_page(Permission.TEAM_READ)
def alerts(request: TeamRequest) -> HttpResponse:
    """List the team's alerts, newest first unless sorted otherwise."""
    context = table_list(_filtered(request), TABLE)
    rows = context["page"].rows
    context["alerts"] = alert_rows(
        rows, actor=request.actor, team_slug=request.team.slug
    )
    context["waiting"] = [row.pk for row in rows if row.acknowledged_at is None]
    return render_page(
        request, "alerts/alerts.html", context, partial="alerts/alerts_list.html"
    )


@require_safe
@team_page(Permission.TEAM_READ)
def export_alerts(request: TeamRequest) -> HttpResponseBase:
    """Stream the filtered alerts as CSV."""
    return export_list(request, _filtered(request), TABLE, "alerts")


@require_POST
@team_page(Permission.ALERT_ACKNOWLEDGE)
def acknowledge(request: TeamRequest) -> HttpResponse:
    """Acknowledge one alert, or those that the list showed; then show it again."""
    ids = request.POST.getlist("id") or request.POST.getlist("shown")
    count = acknowledge_alerts(
        actor=request.actor,
        team=request.team,
        alert_ids=[found for text in ids[:PAGE_SIZE] if (found := parse_id(text))],
    )
    if count:
        messages.success(request, f"{count} alert{pluralize(count)} acknowledged.")
    else:
        messages.info(request, "Somebody has acknowledged this already.")
    return go_to(
        request, f"{team_url(request, 'alerts')}?{request.GET.urlencode()}".rstrip("?")
    )


def alerts_context(request: HttpRequest) -> dict[str, Any]:
    """Give team pages the number of alerts that nobody has acknowledged."""
    team = getattr(request, "team", None)
    if team is None:
        return {}
    return {"unacknowledged": lambda: _up_to_99(team.pk)}


@team_page(Permission.TEAM_READ)
def mail(request: TeamRequest) -> HttpResponse:
    """Choose your own e-mail alerts; member managers also see everyone's choice."""
    members = members_with_subscriptions(request.team.pk)
    own = members.get(user_id=request.user.pk)
    form, is_saved = _edit(request, own)
    if is_saved:
        messages.success(request, "Your e-mail alerts were updated.")
        return go_to(request, team_url(request, "alerts-mail"))
    context: dict[str, Any] = {"form": form, "is_chosen": has_chosen(own)}
    if request.actor.may(Permission.MEMBER_MANAGE):
        page = keyset_page(members, request.GET.get("page", ""))
        context["page"] = page
        context["members"] = [
            (member, events_summary(events_mailed_to(member), MAILABLE))
            for member in page.rows
        ]
    return render_page(request, "alerts/mail.html", context)


@team_page(Permission.MEMBER_MANAGE)
def mail_of_member(request: TeamRequest, member_id: uuid.UUID) -> HttpResponse:
    """Choose another member's e-mail alerts."""
    member: Membership = find(members_with_subscriptions(request.team.pk), member_id)
    form, is_saved = _edit(request, member)
    if is_saved:
        messages.success(request, f"E-mail alerts of {member.user.email} were updated.")
        return go_to(request, team_url(request, "alerts-mail"))
    return render_dialog(
        request,
        form=form,
        title=f"E-mail alerts of {member.user.email}",
        back=team_url(request, "alerts-mail"),
    )


def _up_to_99(team_id: uuid.UUID) -> str:
    count = count_unacknowledged(team_id, limit=100)
    return "99+" if count > 99 else str(count or "")


def _filtered(request: TeamRequest) -> AlertPageFilter:
    return AlertPageFilter(request.GET, alerts_without_tests(request.team.pk))


def _edit(request: TeamRequest, member: Membership) -> tuple[MailForm, bool]:
    def save(current: Membership, changes: dict[str, Any]) -> object:
        return subscribe(
            actor=request.actor, membership=current, events=changes["events"]
        )

    def values(current: Membership) -> dict[str, Any]:
        return {"events": events_mailed_to(current)}

    return edit(request, MailForm, member, values=values, save=save)
