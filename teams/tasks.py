from __future__ import annotations

from celery import shared_task


@shared_task
def delete_expired_idempotency_records_task() -> None:
    from teams import idempotency  # tasks are a leaf: services import them at the top

    idempotency.delete_expired_idempotency_records()
