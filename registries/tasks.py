from __future__ import annotations

from celery import shared_task

from registries.checks.queue import check_due_registries
from registries.pulls.events import delete_old_pull_events
from registries.pulls.usage import forget_old_usage
from registries.services import delete_old_credential_checks


@shared_task
def check_due_registries_task() -> None:
    check_due_registries()


@shared_task
def delete_old_pull_events_task() -> None:
    delete_old_pull_events()
    forget_old_usage()


@shared_task
def delete_old_credential_checks_task() -> None:
    delete_old_credential_checks()
