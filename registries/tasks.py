from __future__ import annotations

import logging

from celery import shared_task

from registries.checks.queue import check_due_registries
from registries.private_registry.client import PrivateRegistryProblem
from registries.private_registry.confirmation import confirm_images
from registries.private_registry.events import forget_notifications
from registries.private_registry.reconciliation import reconcile_images
from registries.pulls.events import delete_old_pull_events
from registries.services import delete_old_credential_checks

logger = logging.getLogger(__name__)


@shared_task
def check_due_registries_task() -> None:
    check_due_registries()


@shared_task
def delete_old_pull_events_task() -> None:
    delete_old_pull_events()


@shared_task
def delete_old_credential_checks_task() -> None:
    delete_old_credential_checks()


@shared_task
def confirm_images_task() -> None:
    try:
        confirm_images()
    except PrivateRegistryProblem as problem:
        logger.warning("Images are not confirmed: %s", problem.message)


@shared_task
def reconcile_images_task() -> None:
    try:
        reconcile_images()
    except PrivateRegistryProblem as problem:
        logger.warning("Images are not reconciled: %s", problem.message)


@shared_task
def forget_notifications_task() -> None:
    forget_notifications()
