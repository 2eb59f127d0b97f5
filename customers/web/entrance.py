"""Pages that belong to no customer: where contacts come in."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from customers.models import CustomerLink
from customers.selectors import contacts_of_user, link_by_secret, look_of_team
from customers.services.links import note_opened
from customers.sign_in import address_of_link, sign_in_by_link
from portal.crypto.secrets import Secret
from portal.errors import Conflict
from portal.http.pages import render_page
from teams.models import User
from teams.selectors import memberships_of_user

OPEN = ("sent", "opened")


@require_safe
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Go to the only place that somebody has, or list customers and teams."""
    user = request.user
    if not isinstance(user, User):
        return redirect("account_login")
    contacts = list(contacts_of_user(user))
    memberships = list(memberships_of_user(user))
    if len(contacts) == 1 and not memberships:
        return redirect("customer:overview", customer_id=contacts[0].customer_id)
    context = {
        "customers": [
            (contact.customer, look_of_team(contact.team)) for contact in contacts
        ],
        # Said whether or not the address is a contact's: a stranger may have opened it.
        "needs_proof": not user.is_address_proven,
        "memberships": memberships,
    }
    return render_page(request, "customers/home.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def link(request: HttpRequest, link_secret: str) -> HttpResponse:
    """Sign in by the link of a mail.

    Only a POST uses it up: programs that look at mails follow links, but press no
    button.
    """
    found = link_by_secret(Secret(link_secret))
    if found is None or found.state not in OPEN:
        return _no_longer_valid(request, found)
    user = request.user
    context = {"link": found, "look": look_of_team(found.contact.team)}
    if isinstance(user, User) and user.email != found.contact.email:
        return render_page(request, "customers/link_other.html", context)
    if request.method == "POST":
        try:
            return sign_in_by_link(request, found)
        except Conflict:
            # Of two simultaneous clicks one signs in.
            return _no_longer_valid(request, found)
    if request.method == "GET":
        note_opened(found)
    return render_page(request, "customers/link.html", context)


def _no_longer_valid(request: HttpRequest, link: CustomerLink | None) -> HttpResponse:
    """Answer alike for links that are used, withdrawn, expired or guessed."""
    user = request.user
    # A contact who follows their link again wants to come in.
    if (
        link is not None
        and isinstance(user, User)
        and contacts_of_user(user).filter(pk=link.contact_id).exists()
    ):
        return redirect(address_of_link(link))
    return render_page(request, "customers/link_invalid.html", status=404)
