"""Many customers and licenses at once, in few statements: all of them, or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction

from alerts.events import Event
from audit.services import record_all
from audit.tags import EventTag
from licenses.alerts import (
    alert_revocations,
    tell_all_changed,
    tell_all_issued,
    tell_of_customers,
)
from licenses.credential_alerts import tell_credentials_created
from licenses.models import Customer, License, PullCredential
from licenses.services.credentials import audited_credential
from licenses.services.licenses import (
    REVOCATION,
    Change,
    audited_terms,
    raise_sequences,
    require_unarchived_application,
)
from portal.crypto.secrets import Secret
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
def issue_licenses(
    *,
    actor: Actor,
    licenses: Sequence[License],
    credentials: Sequence[PullCredential] = (),
    tells_customers: bool = True,
) -> None:
    """Save drafts of licenses, and those of their first pull credentials.

    Raises:
        Conflict: an application is archived.
    """
    for license in licenses:
        actor.require(Permission.LICENSE_ISSUE, team_id=license.team_id)
    applications = {license.application_id: license.application for license in licenses}
    for _, application in sorted(applications.items()):
        require_unarchived_application(application)
    License.objects.bulk_create(licenses, BATCH)
    record_all(
        actor,
        EventTag.LICENSE_ISSUED,
        ((license, audited_terms(license)) for license in licenses),
    )
    tell_all_issued(actor, licenses, tells_customers=tells_customers)
    if credentials:
        _create_credentials(actor, credentials)


def _create_credentials(actor: Actor, credentials: Sequence[PullCredential]) -> None:
    PullCredential.objects.bulk_create(credentials, BATCH)
    record_all(
        actor,
        EventTag.PULL_CREDENTIAL_CREATED,
        ((credential, audited_credential(credential)) for credential in credentials),
    )
    tell_credentials_created(actor, credentials)


@transaction.atomic
def reveal_license_ids(*, actor: Actor, licenses: Sequence[License]) -> list[Secret]:
    """Return the IDs of licenses to show to who asked, and audit that."""
    for license in licenses:
        actor.require(Permission.LICENSE_REVEAL, team_id=license.team_id)
    record_all(actor, EventTag.LICENSE_ID_REVEALED, ((row, {}) for row in licenses))
    return [Secret(license.license_id.reveal()) for license in licenses]


@transaction.atomic
def change_licenses(*, actor: Actor, changes: Iterable[Change]) -> None:
    """Save changes of licenses that are locked; those that change nothing are left."""
    changed = [change for change in changes if change.attributes]
    for change in changed:
        actor.require(Permission.LICENSE_CHANGE, team_id=change.license.team_id)
        change.license.save(update_fields=change.columns)
    record_all(
        actor,
        EventTag.LICENSE_CHANGED,
        ((change.license, change.audited) for change in changed),
    )
    told = [(change.license, change.names, change.fields) for change in changed]
    tell_all_changed(actor, told)


@transaction.atomic
def revoke_licenses(*, actor: Actor, licenses: Sequence[License]) -> None:
    """Save licenses that are locked and marked as revoked."""
    for license in licenses:
        actor.require(Permission.LICENSE_REVOKE, team_id=license.team_id)
        license.save(update_fields=REVOCATION)
    record_all(
        actor,
        EventTag.LICENSE_REVOKED,
        ((license, {"reason": license.revoke_reason}) for license in licenses),
    )
    alert_revocations(actor, licenses)
