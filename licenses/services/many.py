"""Many customers and licenses at once: all of them, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction

from alerts.events import Event
from audit.services import record_all
from audit.tags import EventTag
from licenses.alerts import tell_of_customers, tell_programs_of_issued
from licenses.models import Customer, License
from licenses.services.licenses import (
    audited_terms,
    raise_sequences,
    require_unarchived_application,
)
from portal.database.uniqueness import validate_values
from teams.actors import Actor
from teams.permissions import Permission

BATCH = 1000


@transaction.atomic
def create_customers(*, actor: Actor, customers: Sequence[Customer]) -> None:
    """Add customers that are not saved yet.

    Raises:
        ValidationError: values are invalid.
        IntegrityError: a custom ID is taken.
    """
    for customer in customers:
        actor.require(Permission.CUSTOMER_MANAGE, team_id=customer.team_id)
        validate_values(customer)
    Customer.objects.bulk_create(customers, BATCH)
    changes = record_all(
        actor, EventTag.CUSTOMER_CREATED, ((row, {}) for row in customers)
    )
    told = ((row, change, ()) for row, change in zip(customers, changes, strict=True))
    tell_of_customers(Event.CUSTOMER_CREATED, actor.team_id, told)


@transaction.atomic
def change_customers(
    *, actor: Actor, changes: Sequence[tuple[Customer, Mapping[str, str]]]
) -> None:
    """Set attributes of customers that have other values now.

    Raises:
        ValidationError: values are invalid.
        IntegrityError: a custom ID is taken.
    """
    for customer, values in changes:
        actor.require(Permission.CUSTOMER_MANAGE, team_id=customer.team_id)
        for name, value in values.items():
            setattr(customer, name, value)
        validate_values(customer)
    customers = [customer for customer, _ in changes]
    names = sorted({name for _, values in changes for name in values})
    if names:
        Customer.objects.bulk_update(customers, names, BATCH)
    raise_sequences(
        License.objects.for_team(actor.team_id).filter(customer__in=customers)
    )
    events = record_all(
        actor,
        EventTag.CUSTOMER_CHANGED,
        ((customer, {"changed": list(values)}) for customer, values in changes),
    )
    told = (
        (customer, event, values)
        for (customer, values), event in zip(changes, events, strict=True)
    )
    tell_of_customers(Event.CUSTOMER_CHANGED, actor.team_id, told)


@transaction.atomic
def issue_licenses(*, actor: Actor, licenses: Sequence[License]) -> None:
    """Save drafts of licenses; programs are told of them, and customers are not.

    Raises:
        ValidationError: values are invalid.
        Conflict: an application is archived.
    """
    for license in licenses:
        actor.require(Permission.LICENSE_ISSUE, team_id=license.team_id)
        validate_values(license)
    applications = {license.application_id: license.application for license in licenses}
    for _, application in sorted(applications.items()):
        require_unarchived_application(application)
    License.objects.bulk_create(licenses, BATCH)
    record_all(
        actor,
        EventTag.LICENSE_ISSUED,
        ((license, audited_terms(license)) for license in licenses),
    )
    tell_programs_of_issued(actor, licenses)
