"""Links that are mailed to contacts, and sign them in once."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from audit.selectors import audit_events_for_team
from audit.services import record
from audit.tags import EventTag
from customers.mail import store_link_mail
from customers.models import (
    LINK_LIFETIME,
    Contact,
    CustomerLink,
    name_for_customer,
)
from customers.selectors import LINK_PURPOSE, contacts_of_customer, links_of_customer
from customers.services.contacts import lock_people, require_people
from licenses.models import Customer, License
from portal.crypto.fields import lookup_keyring
from portal.crypto.secrets import Secret
from portal.errors import Conflict, Invalid, TooMany
from teams.actors import Actor, ActorKind

# Of one customer: people there may send mails in the vendor's name.
MAX_PER_HOUR = 100


@transaction.atomic
def send_links(
    *,
    actor: Actor,
    customer: Customer,
    contacts: Iterable[Contact],
    site: str,
    message: str = "",
    license: License | None = None,
) -> list[CustomerLink]:
    """Mail each contact a link that works once, within a week.

    ``site`` is the portal's address, which the link begins with. The mails name the
    ``license``, if given, and their links lead to it. The mails are stored in this
    transaction, and sent after it. Links sent to them before stop working.

    Raises:
        Invalid: there are no contacts, or one or the license is not this customer's.
        TooMany: the customer's contacts got too many mails.
        ValidationError: the message is not one line of printable text.
    """
    require_people(actor, customer)
    # So that of two links sent at once the second ends the first, and both count.
    lock_people(customer)
    wanted = {contact.pk for contact in contacts}
    found = list(contacts_of_customer(customer).filter(pk__in=wanted))
    if not found or len(found) != len(wanted):
        raise Invalid({"contacts": ["Choose contacts of this customer."]})
    if license is not None and license.customer_id != customer.pk:
        raise Invalid({"license": ["Choose a license of this customer."]})
    _require_few(customer, len(found))
    return [_send(actor, contact, site, message.strip(), license) for contact in found]


def _require_few(customer: Customer, number: int) -> None:
    hour_ago = timezone.now() - timedelta(hours=1)
    # Of the audit log: whoever removes a person deletes the links sent to them.
    sent = audit_events_for_team(customer.team_id).filter(
        tag=EventTag.CUSTOMER_LINK_SENT,
        subject_id=customer.pk,
        created_at__gt=hour_ago,
    )
    recent = sent.count()
    if recent + number > MAX_PER_HOUR:
        raise TooMany(
            "too_many_mails",
            f"People of {customer.name} got {recent} mails within an hour. Try again "
            "in an hour.",
            3600,
        )


def _send(
    actor: Actor, contact: Contact, site: str, message: str, license: License | None
) -> CustomerLink:
    now = timezone.now()
    contact.links.filter(used_at=None, withdrawn_at=None).update(withdrawn_at=now)
    secret = Secret(secrets.token_urlsafe(32))
    link = CustomerLink(
        team_id=contact.team_id,
        contact=contact,
        license=license,
        digest=lookup_keyring().digest(secret.reveal(), purpose=LINK_PURPOSE),
        message=message,
        sent_by=actor.label[:254],
        created_at=now,
        expires_at=now + LINK_LIFETIME,
    )
    link.full_clean()
    link.save()
    inviter = actor.label if actor.kind is ActorKind.CONTACT else ""
    store_link_mail(link, secret, site=site, inviter=inviter)
    named = {"license": name_for_customer(license)} if license else {}
    record(
        actor,
        EventTag.CUSTOMER_LINK_SENT,
        contact.customer,
        contact=contact.email,
        **named,
    )
    return link


@transaction.atomic
def withdraw_link(*, actor: Actor, link: CustomerLink) -> CustomerLink:
    """Let a link that was not used yet work no more. Doing it again is a no-op."""
    customer = link.contact.customer
    require_people(actor, customer)
    open_links = links_of_customer(customer).open().filter(pk=link.pk)
    if CustomerLink.objects.filter(pk__in=open_links.values("pk")).update(
        withdrawn_at=timezone.now()
    ):
        record(
            actor,
            EventTag.CUSTOMER_LINK_WITHDRAWN,
            customer,
            contact=link.contact.email,
        )
    link.refresh_from_db()
    return link


def note_opened(link: CustomerLink) -> None:
    """Remember when the page of a link was first shown."""
    CustomerLink.objects.for_team(link.team_id).filter(
        pk=link.pk, opened_at=None
    ).update(opened_at=timezone.now())


@transaction.atomic
def use_up(link: CustomerLink) -> None:
    """Use a link, so that nobody can again.

    Raises:
        Conflict: it has been used or withdrawn, or has expired.
    """
    now = timezone.now()
    used = (
        CustomerLink.objects.for_team(link.team_id)
        .open()
        .filter(pk=link.pk)
        .update(used_at=now)
    )
    if not used:
        raise Conflict("link_over", "This link is no longer valid.")
    # A person was here, whatever showed the page first.
    note_opened(link)
