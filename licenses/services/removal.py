"""What nothing refers to is deleted; what must be kept for the record is archived.

Kept are licenses that were handed over or pulled with, and their customers and
applications. Deleting licenses, customers and applications in this order always ends.
"""

from __future__ import annotations

from typing import TypeVar, cast

from django.db import models, transaction
from django.utils import timezone

from audit.services import record
from audit.tags import EventTag
from licenses.models import Application, Customer, License, RetiredSlug
from licenses.selectors import is_kept_for_the_record
from licenses.services.customers import archive_customer
from licenses.services.licenses import locked_license, revoke_license
from portal.errors import Conflict
from teams.actors import Actor
from teams.models import TeamOwned
from teams.permissions import Permission

ARCHIVED_REASON = "The license was archived."
OwnedT = TypeVar("OwnedT", bound=TeamOwned)


@transaction.atomic
def delete_license(*, actor: Actor, license: License) -> License | None:
    """Delete a license; return it if it is archived instead.

    Its pulls stop within one second either way. Doing it again is a no-op.
    """
    actor.require(Permission.LICENSE_REVOKE, team_id=license.team_id)
    license = locked_license(license)
    if license.archived_at is not None:
        return license
    if not is_kept_for_the_record(license):
        record(actor, EventTag.LICENSE_DELETED, license)
        license.delete()
        return None
    license = revoke_license(actor=actor, license=license, reason=ARCHIVED_REASON)
    license.archived_at = timezone.now()
    license.save(update_fields=["archived_at"])
    record(actor, EventTag.LICENSE_ARCHIVED, license)
    return license


@transaction.atomic
def restore_license(*, actor: Actor, license: License) -> License:
    """Undo archiving. The license stays revoked until it is reinstated.

    Raises:
        Conflict: its application is archived.
    """
    actor.require(Permission.LICENSE_REVOKE, team_id=license.team_id)
    license = locked_license(license)
    if license.application.archived_at is not None:
        raise Conflict("application_archived", "Restore the application first.")
    if license.archived_at is not None:
        license.archived_at = None
        license.save(update_fields=["archived_at"])
        record(actor, EventTag.LICENSE_RESTORED, license)
    return license


@transaction.atomic
def delete_customer(*, actor: Actor, customer: Customer) -> Customer | None:
    """Delete a customer with its contacts; return it if it is archived instead.

    Raises:
        Conflict: the customer has licenses that are not archived.
    """
    actor.require(Permission.CUSTOMER_MANAGE, team_id=customer.team_id)
    customer = _locked(customer)
    if customer.licenses.unarchived().exists():
        raise Conflict(
            "customer_in_use",
            "This customer has licenses. Delete them first, or archive the customer, "
            "which stops their pulls.",
        )
    if customer.licenses.exists():
        return archive_customer(actor=actor, customer=customer)
    record(actor, EventTag.CUSTOMER_DELETED, customer)
    customer.delete()
    return None


@transaction.atomic
def delete_application(*, actor: Actor, application: Application) -> Application | None:
    """Delete an application; return it if it is archived instead.

    Its slug stays reserved for the team. Decisions know no archived application.

    Raises:
        Conflict: the application has licenses that are not archived, or images in the
            private registry.
    """
    actor.require(Permission.APPLICATION_MANAGE, team_id=application.team_id)
    application = _locked(application)
    if application.archived_at is not None:
        return application
    if application.licenses.unarchived().exists():
        raise Conflict(
            "application_in_use",
            "This application has licenses, and deleting it would break their pulls. "
            "Delete the licenses first.",
        )
    if application.licenses.exists():
        return _archived(actor, application)
    record(actor, EventTag.APPLICATION_DELETED, application, slug=application.slug)
    RetiredSlug.objects.get_or_create(
        slug=application.slug, defaults={"team_id": application.team_id}
    )
    try:
        application.delete()
    except models.ProtectedError as error:
        raise _has_images() from error
    return None


def _archived(actor: Actor, application: Application) -> Application:
    if application.image_repositories.exists():
        raise _has_images()
    application.archived_at = timezone.now()
    application.save(update_fields=["archived_at"])
    record(actor, EventTag.APPLICATION_ARCHIVED, application, slug=application.slug)
    return application


@transaction.atomic
def restore_application(*, actor: Actor, application: Application) -> Application:
    """Undo archiving. Its licenses stay archived until they are restored."""
    actor.require(Permission.APPLICATION_MANAGE, team_id=application.team_id)
    application = _locked(application)
    if application.archived_at is not None:
        application.archived_at = None
        application.save(update_fields=["archived_at"])
        record(actor, EventTag.APPLICATION_RESTORED, application, slug=application.slug)
    return application


def _locked(row: OwnedT) -> OwnedT:
    """Return the current row, locked so that no license can be issued for it."""
    rows = type(row).objects.for_team(row.team_id).select_for_update()
    return cast("OwnedT", rows.get(pk=row.pk))


def _has_images() -> Conflict:
    return Conflict(
        "application_has_images",
        "This application has images in the private registry. Delete the images first.",
    )
