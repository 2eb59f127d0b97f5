"""Members who look at a customer's pages as the customer does."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from audit.selectors import audit_events_for_team
from audit.services import record
from audit.tags import EventTag
from licenses.models import Customer
from teams.actors import Actor

RECORDED_AGAIN = timedelta(hours=1)


def note_viewed(actor: Actor, customer: Customer) -> None:
    """Record that a member views a customer's pages, at most once an hour."""
    recorded = audit_events_for_team(customer.team_id).filter(
        tag=EventTag.CUSTOMER_VIEWED,
        subject_id=customer.pk,
        actor_id=actor.id,
        created_at__gt=timezone.now() - RECORDED_AGAIN,
    )
    if not recorded.exists():
        record(actor, EventTag.CUSTOMER_VIEWED, customer)
