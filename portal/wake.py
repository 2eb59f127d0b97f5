"""Starts a background task right after the change that creates its work."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from enum import StrEnum
from functools import partial

from celery import current_app
from django.db import transaction

logger = logging.getLogger(__name__)


class Task(StrEnum):
    """The tasks that services start, by their Celery names."""

    CHECK_REGISTRIES = "registries.tasks.check_due_registries_task"
    CONFIRM_IMAGES = "images.tasks.confirm_images_task"
    DISPATCH_ALERTS = "alerts.tasks.dispatch_alerts_task"
    DISPATCH_NOTICES = "customers.tasks.dispatch_notices_task"
    SEND_STORED_MAILS = "teams.tasks.send_stored_mails_task"


# No request waits for the broker, which may be frozen.
_sender = ThreadPoolExecutor(1, thread_name_prefix="wake")
_waiting: set[Task] = set()


def wake(task: Task) -> None:
    """Send the task to a worker once the current transaction has committed.

    By name, so that services do not import the tasks that call them. The work is stored
    in the database, and beat runs the task as well. An unavailable broker only delays
    the work, so it raises no error.
    """
    transaction.on_commit(partial(_send_soon, task), robust=True)


def _send_soon(task: Task) -> None:
    if task not in _waiting:
        _waiting.add(task)
        # With the ID of this request, which the worker logs too.
        _sender.submit(copy_context().run, _send, task)


def _send(task: Task) -> None:
    _waiting.discard(task)  # before it is sent: work that comes now needs another one
    try:
        current_app.send_task(task)
    except Exception as error:  # noqa: BLE001 -- of any broker
        logger.warning("The broker is unavailable; beat starts %s: %s", task, error)
