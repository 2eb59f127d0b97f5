"""Which mails contacts get: the team's choice, their own, and unsubscribing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from customers.models import Contact
from customers.selectors import (
    contact_by_unsubscribe_token,
    is_unsubscribed,
    look_of_team,
    mailed_kinds,
    wanted_kinds,
)
from customers.services.contacts import count_change
from customers.services.mail_choices import (
    choose_mails,
    choose_own_mails,
    subscribe_again,
    unsubscribe,
)
from customers.web.base import CustomerRequest, customer_page, customer_url
from licenses.models import NoticeKind
from portal.errors import TooMany
from portal.http.forms import EditForm, edit
from portal.http.pages import refused, render_page
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


class OwnMailsForm(EditForm):
    kinds = forms.MultipleChoiceField(
        label="Send me an e-mail when",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"invalid_choice": "One of these e-mails is no longer sent."},
    )

    def __init__(self, *args: Any, offered: Collection[str], **options: Any) -> None:
        super().__init__(*args, **options)
        kinds: Any = self.fields["kinds"]
        kinds.choices = _labelled(offered)

    def clean_kinds(self) -> list[str]:
        # As for MailsForm.
        return sorted(self.cleaned_data["kinds"])


def _labelled(kinds: Collection[str]) -> list[tuple[str, str]]:
    return [(kind.value, str(kind.label)) for kind in NoticeKind if kind in kinds]


@customer_page()
def own_mails(request: CustomerRequest) -> HttpResponse:
    """Let contacts choose which of the mails that their vendor sends they get."""
    offered = mailed_kinds(request.vendor)
    if request.contact is None or not offered:
        labels = [label for _kind, label in _labelled(offered)]
        return render_page(request, "customers/own_mails.html", {"labels": labels})

    def save(contact: Contact, changes: dict[str, Any]) -> object:
        return choose_own_mails(
            contact=contact, kinds=changes["kinds"], origin=Origin.of(request)
        )

    def values(contact: Contact) -> dict[str, Any]:
        return {"kinds": wanted_kinds(contact)}

    form, is_saved = edit(
        request,
        OwnMailsForm,
        request.contact,
        values=values,
        save=save,
        offered=offered,
    )
    if is_saved:
        messages.success(request, "Your choice of e-mails is saved.")
        return redirect(customer_url(request, "mails"))
    return render_page(request, "customers/own_mails.html", {"form": form})


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
        try:
            count_change(contact)
        except TooMany as error:
            return refused(request, error)
        change = subscribe_again if "again" in request.POST else unsubscribe
        change(contact, kind, Origin.of(request))
    context = {
        "look": look_of_team(contact.team),
        "customer": contact.customer,
        "kind": kind,
        "is_unsubscribed": is_unsubscribed(contact, kind),
    }
    return render_page(request, "customers/unsubscribe.html", context)
