"""What a customer's pages share: whose they are, who looks, and how they look.

A page is one function with :func:`customer_page`, and its line in ``urls``; those in
the navigation have one in ``navigation`` too. What shows something stands at two
addresses: below ``/c/`` for contacts, and below the team's customer for members who
view it as the customer does.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from customers.actors import contact_actor
from customers.models import Contact, ContactRole, VendorLook
from customers.selectors import contact_at, contacts_of_user, look_of_team
from customers.services.contacts import count_change, note_seen
from customers.services.views import note_viewed
from customers.web.navigation import NAVIGATION
from licenses.models import Customer
from licenses.selectors import customers_for_team
from portal.errors import NotAllowed
from teams.actors import Actor, Origin, member_actor
from teams.models import Team, User
from teams.permissions import Permission
from teams.selectors import membership_in_team, memberships_of_user
from teams.sign_in.second_factor import session_lacks_second_factor
from teams.web.base import ActingRequest, answer_of, ask_to_sign_in

P = ParamSpec("P")
SAFE = ("GET", "HEAD")
# Names of the two sets of addresses.
OWN, VIEWED = "customer", "customer-view"


class CustomerRequest(ActingRequest):
    """A request to a page of a customer.

    ``contact`` is None while a member views the page as the customer does. Then nothing
    can be changed, and ``may_change`` is false.
    """

    vendor: Team
    customer: Customer
    look: VendorLook
    contact: Contact | None
    may_change: bool


CustomerView = Callable[Concatenate[CustomerRequest, P], HttpResponseBase]
Page = Callable[Concatenate[HttpRequest, uuid.UUID, P], HttpResponseBase]


def customer_page(
    role: ContactRole = ContactRole.READER, *, only_reads: bool = False
) -> Callable[[CustomerView[P]], Page[P]]:
    """Show a page to the contacts of the customer in its address.

    Anonymous users sign in first. Anybody else's customer is 404. A reader gets 403 for
    a page of administrators, and whoever changes too much in a minute gets 429. Members
    of the vendor's team with ``customer:read`` see it at their own address, but change
    nothing there: they may only POST to a page that ``only_reads``.
    """
    of_members = (*SAFE, "POST") if only_reads else SAFE

    def decorate(view: CustomerView[P]) -> Page[P]:
        counted = view if only_reads else _counting_changes(view)

        @wraps(view)
        def page(
            request: HttpRequest,
            customer_id: uuid.UUID,
            team: str | None = None,
            *args: P.args,
            **kwargs: P.kwargs,
        ) -> HttpResponseBase:
            if not isinstance(request.user, User):
                by = "account_request_login_code" if team is None else "account_login"
                return ask_to_sign_in(request, by)
            entered = (
                _enter(request, request.user, customer_id)
                if team is None
                else _view(request, request.user, team, customer_id)
            )
            if isinstance(entered, HttpResponseBase):
                return entered
            with timezone.override(ZoneInfo(entered.vendor.time_zone)):
                if entered.contact is None and request.method not in of_members:
                    return HttpResponseNotAllowed(of_members)
                return _show(entered, counted, role, *args, **kwargs)

        marked = cast("Any", page)
        marked.permission = Permission.CUSTOMER_READ  # of members who view it
        marked.contact_role = role  # for the test that walks all pages
        return cast("Page[P]", marked)

    return decorate


def _counting_changes(view: CustomerView[P]) -> CustomerView[P]:
    def counting(
        request: CustomerRequest, /, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponseBase:
        if request.contact is not None and request.method not in SAFE:
            count_change(request.contact)
        return view(request, *args, **kwargs)

    return counting


def _show(
    request: CustomerRequest,
    view: CustomerView[P],
    role: ContactRole,
    *args: P.args,
    **kwargs: P.kwargs,
) -> HttpResponseBase:
    def show() -> HttpResponseBase:
        if request.contact is not None and not _has(request.contact, role):
            raise NotAllowed(
                "administrators_only",
                f"Only administrators of {request.customer.name} can do this. The page "
                "People shows who they are.",
            )
        return view(request, *args, **kwargs)

    return answer_of(request, show)


def _has(contact: Contact, role: ContactRole) -> bool:
    return contact.is_administrator or role == ContactRole.READER


def _enter(request: HttpRequest, user: User, customer_id: uuid.UUID) -> CustomerRequest:
    contact = contact_at(user, customer_id)
    if contact is None:
        raise Http404
    note_seen(contact)
    actor = contact_actor(contact, user.pk).at_origin(Origin.of(request))
    return _entered(request, contact.customer, contact.team, actor, contact)


def _view(
    request: HttpRequest, user: User, team: str, customer_id: uuid.UUID
) -> CustomerRequest | HttpResponseBase:
    """Let a member view a customer's page, or return what they must do first."""
    membership = membership_in_team(user, team)
    if membership is None:
        raise Http404
    if session_lacks_second_factor(request, membership):
        return redirect("second-factor-needed", team=team)
    actor = member_actor(membership).at_origin(Origin.of(request))
    customer = customers_for_team(membership.team_id).filter(pk=customer_id).first()
    if customer is None or not actor.may(Permission.CUSTOMER_READ):
        raise Http404
    note_viewed(actor, customer)
    return _entered(request, customer, membership.team, actor, None)


def _entered(
    request: HttpRequest,
    customer: Customer,
    vendor: Team,
    actor: Actor,
    contact: Contact | None,
) -> CustomerRequest:
    entered: Any = request
    entered.customer = customer
    entered.vendor = vendor
    entered.look = look_of_team(vendor)
    entered.actor = actor
    entered.contact = contact
    entered.may_change = contact is not None and contact.is_administrator
    customer_request: CustomerRequest = entered
    return customer_request


def customer_url(request: CustomerRequest, name: str, **names: object) -> str:
    """Return the address of a page of the customer, where the visitor may see it."""
    if request.contact is not None:
        kwargs = {"customer_id": request.customer.pk, **names}
        return reverse(f"{OWN}:{name}", kwargs=kwargs)
    kwargs = {"team": request.vendor.slug, "customer_id": request.customer.pk, **names}
    return reverse(f"{VIEWED}:{name}", kwargs=kwargs)


def customer_context(request: HttpRequest) -> dict[str, Any]:
    """Give templates of a customer's pages whose they are and how they look.

    Other pages can ask whether the visitor is a contact of anybody.
    """
    if not hasattr(request, "look"):
        return {"is_contact": lambda: _is_contact(request)}
    entered: Any = request
    match = request.resolver_match
    current = match.url_name if match else ""
    return {
        "page_template": "customers/base.html",
        "home_url": customer_url(entered, "overview"),
        "customer": entered.customer,
        "vendor": entered.vendor,
        "look": entered.look,
        "contact": entered.contact,
        "may_change": entered.may_change,
        "has_other_places": lambda: _has_other_places(entered.user),
        "navigation": [
            {
                "url": customer_url(entered, item.name),
                "label": item.label,
                "icon": item.icon,
                "is_current": current == item.name
                or str(current).startswith(f"{item.name}-"),
            }
            for item in NAVIGATION
        ],
    }


def _is_contact(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return isinstance(user, User) and contacts_of_user(user).exists()


def _has_other_places(user: User) -> bool:
    """Return whether a contact is one of other customers too, or a member."""
    return contacts_of_user(user).count() > 1 or memberships_of_user(user).exists()
