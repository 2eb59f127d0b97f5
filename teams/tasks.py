from __future__ import annotations

from celery import shared_task

from teams.idempotency import delete_expired_idempotency_records
from teams.mail import send_stored_mails
from teams.sign_in.sessions import delete_expired_sessions


@shared_task
def delete_expired_idempotency_records_task() -> None:
    delete_expired_idempotency_records()


@shared_task
def delete_expired_sessions_task() -> None:
    delete_expired_sessions()


@shared_task
def send_stored_mails_task() -> None:
    send_stored_mails()
