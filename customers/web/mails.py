"""Which mails contacts get: the team's choice, and the page to unsubscribe."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from customers.selectors import (
    contact_by_unsubscribe_token,
    is_unsubscribed,
    look_of_team,
    mailed_kinds,
)
from customers.services.mail_choices import choose_mails, subscribe_again, unsubscribe
from licenses.models import NoticeKind
from portal.http.forms import EditForm, edit
from portal.http.pages import render_page
from teams.actors import Origin
from teams.models import Team
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page


class MailsForm(EditForm):
    kinds = forms.MultipleChoiceField(
        label="Send the people at a customer an e-mail when",
        choices=NoticeKind.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Each person can unsubscribe from each kind.",
    )

    def clean_kinds(self) -> list[str]:
        # Stored sorted; another order must not count as a change.
        return sorted(self.cleaned_data["kinds"])


@team_page(Permission.TEAM_MANAGE)
def mails(request: TeamRequest) -> HttpResponse:
    """Choose which kinds of mail the team's customers get."""

    def save(team: Team, changes: dict[str, Any]) -> object:
        return choose_mails(actor=request.actor, team=team, kinds=changes["kinds"])

    def values(team: Team) -> dict[str, Any]:
        return {"kinds": mailed_kinds(team)}

    form, is_saved = edit(request, MailsForm, request.team, values=values, save=save)
    if is_saved:
        messages.success(request, "The e-mails to customers are saved.")
        return redirect("customer-mails", team=request.team.slug)
    context = {"form": form, "look": look_of_team(request.team)}
    return render_page(request, "customers/mails.html", context)


# The signed token is the right to do it: a mail provider sends the POST (RFC 8058).
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe_page(request: HttpRequest, token: str) -> HttpResponse:
    """Stop one kind of mail to whoever got this token, and start it again.

    Only a POST changes anything: programs that look at mails follow links. Every token
    that is not valid, or no longer somebody's, has the same answer.
    """
    found = contact_by_unsubscribe_token(token)
    if found is None:
        return render_page(request, "customers/unsubscribe_invalid.html", status=404)
    contact, kind = found
    if request.method == "POST":
        change = subscribe_again if "again" in request.POST else unsubscribe
        change(contact, kind, Origin.of(request))
    context = {
        "look": look_of_team(contact.team),
        "kind": kind,
        "is_unsubscribed": is_unsubscribed(contact, kind),
    }
    return render_page(request, "customers/unsubscribe.html", context)
