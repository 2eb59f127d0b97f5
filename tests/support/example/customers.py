"""The people at one of the example's customers, and how they see the vendor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from django.utils import timezone

from customers.installer_wheel import installer_wheel
from customers.models import Contact, ContactRole, CustomerLink
from customers.selectors import LINK_PURPOSE
from customers.services.contacts import add_contact
from customers.services.look import change_logo, change_look
from customers.unsubscribing import unsubscribe_token
from licenses.models import Customer, NoticeKind
from portal.crypto.fields import lookup_keyring
from teams.actors import Actor
from teams.models import User
from tests.support.example import names
from tests.support.example.logo import example_logo

LINK_SECRET = "A" * 43
UNKNOWN_SECRET = "B" * 43


def add_contacts(
    actor: Actor,
    customer: Customer,
    some_time_ago: Callable[[int], AbstractContextManager[None]],
) -> tuple[User, dict[str, str]]:
    """Add people to a customer; return their administrator, and values of addresses."""
    with some_time_ago(60):
        look = change_look(actor=actor, team=customer.team, changes=names.LOOK)
        look = change_logo(actor=actor, team=customer.team, content=example_logo())
        people = [
            add_contact(
                actor=actor,
                customer=customer,
                email=email,
                name=name,
                role=ContactRole(role),
            )
            for email, name, role in names.CONTACTS
        ]
    administrator, reader, _newest = people
    user = User.objects.create_user(administrator.email, name=administrator.name)
    for contact, hours in ((administrator, 1), (reader, 200)):
        seen = timezone.now() - timedelta(hours=hours)
        Contact.objects.filter(pk=contact.pk).update(last_seen_at=seen)
    for contact, hours in ((administrator, 59 * 24), (reader, 58 * 24)):
        _used_link(contact, timezone.now() - timedelta(hours=hours))
    link, wheel = _link(people[-1]), installer_wheel()
    return user, {
        "contact_id": str(people[-1].pk),
        "link_id": str(link.pk),
        "link_secret": LINK_SECRET,
        "unknown_secret": UNKNOWN_SECRET,
        "token": unsubscribe_token(reader, NoticeKind.LICENSE_EXPIRING),
        "digest": look.logo_digest,
        "wheel_key": wheel.key if wheel else "",
        "wheel_name": wheel.name if wheel else "",
        "color": look.accent.removeprefix("#"),
    }


def _used_link(contact: Contact, at: datetime) -> None:
    CustomerLink.objects.create(
        team_id=contact.team_id,
        contact=contact,
        digest=f"none:{contact.pk}",
        sent_by=names.OWNER[0],
        created_at=at,
        opened_at=at + timedelta(hours=2),
        used_at=at + timedelta(hours=2),
        expires_at=at + timedelta(days=7),
    )


def _link(contact: Contact) -> CustomerLink:
    return CustomerLink.objects.create(
        team_id=contact.team_id,
        contact=contact,
        digest=lookup_keyring().digest(LINK_SECRET, purpose=LINK_PURPOSE),
        message="Welcome aboard.",
        sent_by=names.OWNER[0],
        expires_at=timezone.now() + timedelta(days=7),
    )
