"""The list of alerts, and the choice of alerts to get by e-mail."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe
from django_filters import filters

from alerts.events import DESCRIPTIONS, MAILABLE, Event
from alerts.filters import AlertFilter
from alerts.selectors import (
    alerts_without_tests,
    events_mailed_to,
    has_chosen,
    members_with_subscriptions,
)
from alerts.services import subscribe
from alerts.web.forms import EventsField
from alerts.web.words import alert_rows, events_summary
from portal.http.dialogs import render_dialog
from portal.http.forms import EditForm, edit
from portal.http.keyset import keyset_page
from portal.http.pages import go_to, render_page
from teams.models import Membership
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.lists.export import export_list
from teams.web.lists.filters import FirstDayFilter, LastDayFilter, PageFilter
from teams.web.lists.tables import Column, Table, instant_cell, table_list


class MailForm(EditForm):
    events = EventsField(label="Send an e-mail when", events=MAILABLE, required=False)


class AlertPageFilter(PageFilter, AlertFilter):
    shown = ("event", "first_day", "last_day")
    event = filters.ChoiceFilter(
        label="Show",
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
    ),
    order="-time",
)


@require_safe
@team_page(Permission.TEAM_READ)
def alerts(request: TeamRequest) -> HttpResponse:
    """List the team's alerts, newest first unless sorted otherwise."""
    context = table_list(_filtered(request), TABLE)
    context["alerts"] = alert_rows(
        context["page"].rows, actor=request.actor, team_slug=request.team.slug
    )
    return render_page(
        request, "alerts/alerts.html", context, partial="alerts/alerts_list.html"
    )


@require_safe
@team_page(Permission.TEAM_READ)
def export_alerts(request: TeamRequest) -> HttpResponseBase:
    """Stream the filtered alerts as CSV."""
    return export_list(request, _filtered(request), TABLE, "alerts")


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
