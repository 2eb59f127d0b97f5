"""The Celery application, and the tasks that beat starts regularly."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import task_postrun, worker_init, worker_ready
from django.conf import settings

from portal.background import messages
from portal.background.heartbeat import Role, note

__all__ = ["app", "messages"]

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("berth")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# These find their work in the database. A message expires when the next one is due, so
# that messages do not pile up while no worker is running.
_EVERY_FEW_SECONDS = {
    "registries.tasks.check_due_registries_task": 5,
    "alerts.tasks.dispatch_alerts_task": 10,
    "alerts.tasks.send_mails_task": 10,
    "customers.tasks.dispatch_notices_task": 10,
    "images.tasks.confirm_images_task": 10,
    "teams.tasks.send_stored_mails_task": 10,
    "licenses.tasks.refresh_issuers_task": 60,
}
_AT = {
    "licenses.tasks.alert_expiring_licenses_task": crontab(minute="*/10"),
    "teams.tasks.delete_expired_idempotency_records_task": crontab(minute="17"),
    "teams.tasks.delete_expired_sessions_task": crontab(minute="29", hour="3"),
    "images.tasks.reconcile_images_task": crontab(minute="37"),
    "registries.tasks.delete_old_pull_events_task": crontab(minute="11", hour="3"),
    "alerts.tasks.delete_old_alerts_task": crontab(minute="23", hour="3"),
    "customers.tasks.delete_old_notices_task": crontab(minute="47", hour="3"),
    "registries.tasks.delete_old_credential_checks_task": crontab(
        minute="41", hour="3"
    ),
    "images.tasks.forget_notifications_task": crontab(minute="53", hour="3"),
}
app.conf.beat_schedule = {
    task: {"task": task, "schedule": seconds, "options": {"expires": seconds}}
    for task, seconds in _EVERY_FEW_SECONDS.items()
} | {task: {"task": task, "schedule": schedule} for task, schedule in _AT.items()}


@worker_init.connect
def use_run_dir(**_: Any) -> None:
    """Let the pool keep what its processes share where the worker may write."""
    if settings.BERTH_RUN_DIR:
        tempfile.tempdir = settings.BERTH_RUN_DIR


@worker_ready.connect
@task_postrun.connect
def note_sign_of_life(**_: Any) -> None:
    note(Role.WORKER)
