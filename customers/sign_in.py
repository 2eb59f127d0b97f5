"""How contacts sign in: by the link of a mail, or by a code that is mailed to them.

Both show that somebody reads the address's mail. That is not enough for accounts of
members and operators, who sign in as always: see ADR 52.
"""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.account.signals import user_logged_in
from django.contrib.auth.hashers import make_password
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from audit.services import record
from audit.tags import EventTag
from customers.actors import contact_actor
from customers.models import CustomerLink
from customers.selectors import contacts_of_user, is_contact_address
from customers.services.links import use_up
from teams.actors import Origin
from teams.models import User
from teams.selectors import may_sign_in_by_mail, user_by_email
from teams.sign_in.accounts import sign_in
from teams.sign_in.claims import claim_account


def sign_in_by_link(request: HttpRequest, link: CustomerLink) -> HttpResponse:
    """Use a link up, sign its contact in, and show them what it leads to.

    Members and operators sign in with their password or otherwise first, and everybody
    passes the second factor that their account has.

    Raises:
        Conflict: the link was used or withdrawn, or has expired.
    """
    contact = link.contact
    with transaction.atomic():
        use_up(link)
        user = _account_of(contact.email)
        record(
            contact_actor(contact, user.pk).at_origin(Origin.of(request)),
            EventTag.CUSTOMER_LINK_USED,
            contact.customer,
            contact=contact.email,
        )
    # Pages of an address that is not proven are nobody's: the entrance says what to do.
    is_proven = user.is_address_proven
    address = address_of_link(link) if is_proven else reverse("contact-home")
    if request.user == user:
        return redirect(address)
    if not may_sign_in_by_mail(user):
        return redirect_to_login(address)
    claim_account(request, user)
    return sign_in(request, user, next_url=address_of_link(link))


def address_of_link(link: CustomerLink) -> str:
    """Return the page that a link leads to, at its license if it has one."""
    pages = {"customer_id": link.contact.customer_id}
    overview = reverse("customer:overview", kwargs=pages)
    return f"{overview}#license-{link.license_id}" if link.license_id else overview


def user_for_code(email: str) -> User | None:
    """Return whom to mail a code for this address, if anybody.

    Members and operators get a mail that says how they sign in instead.
    """
    user = user_by_email(email)
    if user is None:
        return _account_of(email) if is_contact_address(email) else None
    if not user.is_active:
        return None
    if not may_sign_in_by_mail(user):
        get_adapter().send_mail("account/email/login_code_member", user.email, {})
        return None
    return user


@receiver(user_logged_in)
@transaction.atomic
def record_sign_in(request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Record that a contact signed in, once for each customer whose pages that opens.

    However they signed in: an account may have a password or a passkey too. A sign-in
    that still needs a second factor is none yet.
    """
    ways = [way["method"] for way in get_authentication_records(request, user)]
    origin = Origin.of(request)
    for contact in contacts_of_user(user):
        record(
            contact_actor(contact, user.pk).at_origin(origin),
            EventTag.CONTACT_SIGNED_IN,
            contact.customer,
            contact=contact.email,
            # Links leave no record of their own.
            by=", ".join(ways) or "link",
        )


def _account_of(email: str) -> User:
    """Return the account with this address, or a new one.

    It has no password: nobody gets into it but by the address's mail, so its address
    counts as proven.
    """
    user, _ = User.objects.get_or_create(
        email=email.lower(), defaults={"password": make_password(None)}
    )
    return user
