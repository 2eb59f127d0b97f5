"""A customer's contacts: writes by the vendor, and by the customer's administrators."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from audit.services import record
from audit.tags import EventTag
from customers.models import Contact, ContactRole
from customers.selectors import (
    administrators_of_customer,
    contacts_of_customer,
    is_colleague,
)
from licenses.models import Customer
from licenses.services import require_unarchived
from portal.errors import Conflict, Invalid, Taken, TooMany
from portal.limits.minute_counts import count, seconds_left
from teams.actors import Actor, ActorKind
from teams.permissions import Permission
from teams.services import apply_changes

MAX_CONTACTS = 200
SEEN_AGAIN = timedelta(hours=1)
CHANGES_PER_MINUTE = 30


def require_people(actor: Actor, customer: Customer) -> None:
    """Check that the actor may change this customer's people.

    Raises:
        NotAllowed: the actor may not.
        Conflict: the customer is archived, and this is one of its own people.
    """
    actor.require(
        Permission.CONTACT_MANAGE, team_id=customer.team_id, customer_id=customer.pk
    )
    if actor.kind is ActorKind.CONTACT:
        require_unarchived(customer)


def lock_people(customer: Customer) -> None:
    """Let nobody else change a customer's people until the transaction ends."""
    # One lock per customer: of two administrators who remove each other, one must fail.
    Customer.objects.for_team(customer.team_id).select_for_update(no_key=True).get(
        pk=customer.pk
    )


@transaction.atomic
def add_contact(
    *,
    actor: Actor,
    customer: Customer,
    email: str,
    name: str = "",
    role: ContactRole = ContactRole.READER,
) -> Contact:
    """Add a person to a customer. Nothing is sent to them.

    Raises:
        Taken: they are a contact already.
        Invalid: they are a member of the vendor's team.
        Conflict: the customer has as many contacts as allowed.
        ValidationError: the address or the name is invalid.
    """
    require_people(actor, customer)
    lock_people(customer)
    contact = Contact(
        team_id=customer.team_id,
        customer=customer,
        email=email.strip(),
        name=name.strip(),
        role=role,
        invited_by=actor.label[:254],
    )
    contact.clean_fields()
    _require_may_be_added(customer, contact.email)
    contact.full_clean()
    contact.save()
    record(
        actor, EventTag.CONTACT_ADDED, customer, contact=contact.email, role=role.value
    )
    return contact


def _require_may_be_added(customer: Customer, email: str) -> None:
    contacts = contacts_of_customer(customer)
    existing = contacts.filter(email=email).first()
    if existing is not None:
        message = "This person is already a contact."
        raise Taken("already_contact", {"email": [message]}, existing.pk)
    if is_colleague(customer.team_id, email):
        team = customer.team.name
        message = (
            f"This address belongs to {team}, whose members see these pages already."
        )
        raise Invalid({"email": [message]})
    if contacts.count() >= MAX_CONTACTS:
        raise Conflict(
            "too_many_contacts",
            f"A customer has at most {MAX_CONTACTS} contacts. Remove one first.",
        )


@transaction.atomic
def change_contact(
    *, actor: Actor, contact: Contact, changes: Mapping[str, object]
) -> Contact:
    """Change a contact's name or role.

    The address stays: whoever reads its mail is the contact.

    Raises:
        Conflict: the customer's last administrator would become a reader, and the
            actor is not the vendor.
    """
    require_people(actor, contact.customer)
    lock_people(contact.customer)
    contact = _current(contact)
    if changes.get("role", contact.role) != ContactRole.ADMINISTRATOR:
        _require_another_administrator(actor, contact)
    changed = apply_changes(contact, changes)
    if changed:
        record(
            actor,
            EventTag.CONTACT_CHANGED,
            contact.customer,
            contact=contact.email,
            changed=changed,
            role=contact.role,
        )
    return contact


@transaction.atomic
def remove_contact(*, actor: Actor, contact: Contact) -> None:
    """Remove a contact: from their next request on, they see nothing of the customer.

    Links sent to them stop working.

    Raises:
        Conflict: this is the customer's last administrator, and the actor is not the
            vendor.
    """
    require_people(actor, contact.customer)
    lock_people(contact.customer)
    contact = _current(contact)
    _require_another_administrator(actor, contact)
    record(actor, EventTag.CONTACT_REMOVED, contact.customer, contact=contact.email)
    contact.delete()


def note_seen(contact: Contact) -> None:
    """Remember that a contact looks at the customer's pages, once an hour."""
    now = timezone.now()
    if contact.last_seen_at is None or now - contact.last_seen_at > SEEN_AGAIN:
        Contact.objects.for_team(contact.team_id).filter(pk=contact.pk).update(
            last_seen_at=now
        )


def count_change(contact: Contact) -> None:
    """Count something that a contact sends, or somebody with a mail of theirs.

    Each change is a row of the vendor's audit log, which nobody can delete.

    Raises:
        TooMany: they have sent too much in this minute.
    """
    if count(f"contact-changes:{contact.pk}") > CHANGES_PER_MINUTE:
        seconds = seconds_left()
        raise TooMany(
            "too_many_changes",
            f"You can change {CHANGES_PER_MINUTE} things a minute. Try again in "
            f"{seconds} seconds.",
            seconds,
        )


def _current(contact: Contact) -> Contact:
    """Return the contact as it is now, or raise ObjectDoesNotExist."""
    return contacts_of_customer(contact.customer).get(pk=contact.pk)


def _require_another_administrator(actor: Actor, contact: Contact) -> None:
    if actor.customer_id is None or not contact.is_administrator:
        return
    others = administrators_of_customer(contact.customer).exclude(pk=contact.pk)
    if not others.exists():
        raise Conflict(
            "last_administrator",
            f"{contact.email} is the only administrator. Make somebody else an "
            "administrator first.",
        )
