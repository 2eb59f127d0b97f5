from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from alerts.events import Event
from audit.services import record
from audit.tags import EventTag
from licenses.alerts import tell_of_customer
from licenses.models import Customer
from licenses.services.licenses import raise_sequences
from portal.database.uniqueness import save_valid
from portal.errors import Conflict
from teams.actors import Actor
from teams.models import Team
from teams.permissions import Permission
from teams.services import apply_changes


@transaction.atomic
def create_customer(
    *, actor: Actor, team: Team, name: str, email: str = "", custom_id: str = ""
) -> Customer:
    """Add a customer of the team."""
    actor.require(Permission.CUSTOMER_MANAGE, team_id=team.pk)
    customer = Customer(team=team, name=name, email=email, custom_id=custom_id)
    save_valid(customer)
    change = record(actor, EventTag.CUSTOMER_CREATED, customer)
    tell_of_customer(Event.CUSTOMER_CREATED, customer, change)
    return customer


@transaction.atomic
def change_customer(
    *, actor: Actor, customer: Customer, changes: Mapping[str, object]
) -> Customer:
    """Change name, e-mail address or custom ID."""
    actor.require(Permission.CUSTOMER_MANAGE, team_id=customer.team_id)
    changed = apply_changes(customer, changes)
    if changed:
        raise_sequences(customer.licenses.all())
        change = record(actor, EventTag.CUSTOMER_CHANGED, customer, changed=changed)
        tell_of_customer(Event.CUSTOMER_CHANGED, customer, change, changed)
    return customer


@transaction.atomic
def archive_customer(*, actor: Actor, customer: Customer) -> Customer:
    """Stop all pulls with the customer's licenses. Archiving again is a no-op."""
    actor.require(Permission.CUSTOMER_MANAGE, team_id=customer.team_id)
    return _set_archived(actor, customer, archived=True)


@transaction.atomic
def restore_customer(*, actor: Actor, customer: Customer) -> Customer:
    """Undo archiving: licenses that are neither expired nor revoked can pull again."""
    actor.require(Permission.CUSTOMER_MANAGE, team_id=customer.team_id)
    return _set_archived(actor, customer, archived=False)


def require_unarchived(customer: Customer) -> None:
    """Raise Conflict if the customer is archived now."""
    customers = Customer.objects.for_team(customer.team_id).filter(pk=customer.pk)
    if customers.filter(archived_at__isnull=False).exists():
        raise Conflict(
            "customer_archived",
            f"The licenses of {customer.name} are suspended. The vendor has to restore "
            "the customer first.",
        )


def _set_archived(actor: Actor, customer: Customer, *, archived: bool) -> Customer:
    changed = (
        Customer.objects.for_team(customer.team_id)
        .filter(pk=customer.pk, archived_at__isnull=archived)
        .update(archived_at=timezone.now() if archived else None)
    )
    customer.refresh_from_db(fields=["archived_at", "updated_at"])
    if changed:
        tag, event = (
            (EventTag.CUSTOMER_ARCHIVED, Event.CUSTOMER_ARCHIVED)
            if archived
            else (EventTag.CUSTOMER_RESTORED, Event.CUSTOMER_RESTORED)
        )
        tell_of_customer(event, customer, record(actor, tag, customer))
    return customer
