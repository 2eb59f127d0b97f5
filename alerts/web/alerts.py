"""Pages of what a team was told, and of who is told by mail."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.views.decorators.http import require_safe
from django_filters import filters

from alerts.events import Event
from alerts.filters import AlertFilter
from alerts.selectors import (
    alerts_without_tests,
    events_mailed_to,
    has_chosen,
    members_with_subscriptions,
)
from alerts.services import subscribe
from alerts.web.forms import EVENT_CHOICES, EventsField
from alerts.web.words import events_in_words, told
from portal.http.dialogs import render_dialog
from portal.http.forms import EditForm, edit
from portal.http.keyset import keyset_page
from portal.http.pages import go_to, render_page
from teams.models import Membership
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.filters import PageFilter, filtered_list


class MailForm(EditForm):
    events = EventsField(label="Send a mail when", required=False)


class AlertPageFilter(PageFilter, AlertFilter):
    shown = ("event",)
    event = filters.ChoiceFilter(
        label="Show",
        choices=[
            *EVENT_CHOICES,
            (Event.WEBHOOK_DISABLED.value, "A webhook was switched off"),
        ],
    )


@require_safe
@team_page(Permission.TEAM_READ)
def alerts(request: TeamRequest) -> HttpResponse:
    """List the team's latest alerts."""
    rows = alerts_without_tests(request.team.pk)
    context = filtered_list(AlertPageFilter(request.GET, rows))
    context["told"] = told(
        context["page"].rows, actor=request.actor, team_slug=request.team.slug
    )
    return render_page(
        request, "alerts/alerts.html", context, partial="alerts/alerts_list.html"
    )


@team_page(Permission.TEAM_READ)
def mail(request: TeamRequest) -> HttpResponse:
    """Choose what one is told by mail oneself; see who is told what."""
    people = members_with_subscriptions(request.team.pk)
    own = people.get(user_id=request.user.pk)
    form, is_saved = _edit(request, own)
    if is_saved:
        messages.success(request, "Your choice is saved.")
        return go_to(request, team_url(request, "alerts-mail"))
    context: dict[str, Any] = {"form": form, "is_chosen": has_chosen(own)}
    if request.actor.may(Permission.MEMBER_MANAGE):
        page = keyset_page(people, request.GET.get("page", ""))
        context["page"] = page
        context["members"] = [
            (each, events_in_words(events_mailed_to(each))) for each in page.rows
        ]
    return render_page(request, "alerts/mail.html", context)


@team_page(Permission.MEMBER_MANAGE)
def mail_of_member(request: TeamRequest, member_id: uuid.UUID) -> HttpResponse:
    """Choose what another member is told by mail."""
    member: Membership = find(members_with_subscriptions(request.team.pk), member_id)
    form, is_saved = _edit(request, member)
    if is_saved:
        messages.success(request, f"What {member.user.email} is told is saved.")
        return go_to(request, team_url(request, "alerts-mail"))
    return render_dialog(
        request,
        form=form,
        title=f"Alerts by mail to {member.user.email}",
        back=team_url(request, "alerts-mail"),
    )


def _edit(request: TeamRequest, member: Membership) -> tuple[MailForm, bool]:
    def save(present: Membership, changes: dict[str, Any]) -> object:
        return subscribe(
            actor=request.actor, membership=present, events=changes["events"]
        )

    def values(present: Membership) -> dict[str, Any]:
        return {"events": events_mailed_to(present)}

    return edit(request, MailForm, member, values=values, save=save)
