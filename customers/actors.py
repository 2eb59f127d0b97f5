"""Contacts as actors, in exactly one customer."""

from __future__ import annotations

import uuid
from dataclasses import replace

from customers.models import Contact
from teams.actors import Actor, ActorKind, customer_actor
from teams.permissions import Permission

ADMINISTRATOR = frozenset(
    {
        Permission.CREDENTIAL_MANAGE,
        Permission.CONTACT_MANAGE,
        # Of the customer's own license files.
        Permission.LICENSE_REVEAL,
    }
)


def contact_actor(contact: Contact, user_id: uuid.UUID) -> Actor:
    """Return a contact who acts for their customer; a reader may change nothing."""
    actor = customer_actor(
        kind=ActorKind.CONTACT,
        id=contact.pk,
        label=contact.email,
        team_id=contact.team_id,
        customer_id=contact.customer_id,
    )
    permissions = ADMINISTRATOR if contact.is_administrator else frozenset()
    return replace(actor, permissions=permissions, person_id=user_id)
