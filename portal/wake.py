"""Starts a background task right after the change that creates its work."""

from __future__ import annotations

from enum import StrEnum

from celery import current_app
from django.db import transaction


class Task(StrEnum):
    """The tasks that services start, by their Celery names."""

    CHECK_REGISTRIES = "registries.tasks.check_due_registries_task"
    CONFIRM_IMAGES = "images.tasks.confirm_images_task"
    DISPATCH_ALERTS = "alerts.tasks.dispatch_alerts_task"


def wake(task: Task) -> None:
    """Send the task to a worker once the current transaction has committed.

    By name, so that services do not import the tasks that call them. The work is stored
    in the database, and beat runs the task as well. An unavailable broker only delays
    the work, so it raises no error.
    """
    transaction.on_commit(lambda: current_app.send_task(task), robust=True)
