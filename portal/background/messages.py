"""Celery's log and traces, and the ID of the request that a task belongs to."""

from __future__ import annotations

import logging.config
from typing import Any

from celery.signals import (
    beat_init,
    before_task_publish,
    setup_logging,
    task_postrun,
    task_prerun,
    worker_process_init,
    worker_process_shutdown,
)
from django.conf import settings

from portal.logs.request_id import (
    HEADER,
    begin_request,
    current_request_id,
    end_request,
)
from portal.logs.tracing import flush_traces, start_tracing

_TOKEN = "_berth_request"  # noqa: S105 -- the name of an attribute


@setup_logging.connect
def log_like_others(**_: Any) -> None:
    """Keep Celery from handlers and a format of its own."""
    logging.config.dictConfig(settings.LOGGING)


@before_task_publish.connect
def name_request(headers: dict[str, Any], **_: Any) -> None:
    if request_id := current_request_id():
        headers[HEADER] = request_id


@task_prerun.connect
def begin_task(task: Any, task_id: str, **_: Any) -> None:
    """Go on with the request that has started the task; beat's have their own ID."""
    given = task.request.get(HEADER) or task_id
    setattr(task.request, _TOKEN, begin_request(given))


@task_postrun.connect
def end_task(task: Any, **_: Any) -> None:
    if token := task.request.get(_TOKEN):
        end_request(token)


@worker_process_init.connect
def trace_worker(**_: Any) -> None:
    start_tracing("worker")


@beat_init.connect
def trace_beat(**_: Any) -> None:
    start_tracing("beat")


@worker_process_shutdown.connect
def flush_worker(**_: Any) -> None:
    flush_traces()
