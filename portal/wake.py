"""Starting a background task right after the change that gives it work."""

from __future__ import annotations

from enum import StrEnum

from celery import current_app
from django.db import transaction


class Task(StrEnum):
    """The tasks that services start, by the names that workers know them by."""

    CHECK_REGISTRIES = "registries.tasks.check_due_registries_task"
    CONFIRM_IMAGES = "images.tasks.confirm_images_task"
    DISPATCH_ALERTS = "alerts.tasks.dispatch_alerts_task"


def wake(task: Task) -> None:
    """Send the task to a worker once the current transaction has committed.

    By name, so that services need not import the tasks that call them. The work itself
    is rows in the database, and beat runs the task too: an unavailable broker only
    delays it, so it fails nothing.
    """
    transaction.on_commit(lambda: current_app.send_task(task), robust=True)
