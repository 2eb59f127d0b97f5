from __future__ import annotations

from celery import shared_task


@shared_task
def check_due_registries_task() -> None:
    from registries import check_queue  # tasks are a leaf: services import them

    check_queue.check_due_registries()


@shared_task
def delete_old_pull_events_task() -> None:
    from registries import pull_events  # tasks are a leaf: it imports them at the top

    pull_events.delete_old_pull_events()


@shared_task
def delete_old_credential_checks_task() -> None:
    from registries import services  # tasks are a leaf: services import them at the top

    services.delete_old_credential_checks()


@shared_task
def confirm_images_task() -> None:
    from registries.private_registry import confirmation  # it imports this module

    confirmation.confirm_images()


@shared_task
def reconcile_images_task() -> None:
    from registries.private_registry import reconciliation  # it imports this module

    reconciliation.reconcile_images()


@shared_task
def forget_notifications_task() -> None:
    from registries.private_registry import events  # it imports this module

    events.forget_notifications()
