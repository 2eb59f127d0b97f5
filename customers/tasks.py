from __future__ import annotations

from celery import shared_task

from customers.services.notices import delete_old_notices, dispatch_notices


@shared_task
def dispatch_notices_task() -> None:
    dispatch_notices()


@shared_task
def delete_old_notices_task() -> None:
    delete_old_notices()
