from __future__ import annotations

import logging

from celery import shared_task

logger = logging.getLogger(__name__)


@shared_task
def check_due_registries_task() -> None:
    from registries.checks import queue as check_queue  # it imports this module

    check_queue.check_due_registries()


@shared_task
def delete_old_pull_events_task() -> None:
    from registries.pulls import events as pull_events  # it imports this module

    pull_events.delete_old_pull_events()


@shared_task
def delete_old_credential_checks_task() -> None:
    from registries import services  # tasks are a leaf: services import them at the top

    services.delete_old_credential_checks()


@shared_task
def confirm_images_task() -> None:
    # Both import this module.
    from registries.private_registry import client, confirmation

    try:
        confirmation.confirm_images()
    except client.PrivateRegistryProblem as problem:
        logger.warning("Images are not confirmed: %s", problem.message)


@shared_task
def reconcile_images_task() -> None:
    # Both import this module.
    from registries.private_registry import client, reconciliation

    try:
        reconciliation.reconcile_images()
    except client.PrivateRegistryProblem as problem:
        logger.warning("Images are not reconciled: %s", problem.message)


@shared_task
def forget_notifications_task() -> None:
    from registries.private_registry import events  # it imports this module

    events.forget_notifications()
