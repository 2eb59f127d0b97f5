"""Berth's Celery application with quicker tasks of beat, so that tests wait less."""

from __future__ import annotations

from portal.celery import app

__all__ = ["app"]

_SECONDS = {
    "registries.tasks.check_due_registries_task": 1,
    "alerts.tasks.dispatch_alerts_task": 1,
    # Tests kill workers while webhooks are posted, before mails are sent.
    "alerts.tasks.send_mails_task": 5,
}
for task, seconds in _SECONDS.items():
    app.conf.beat_schedule[task]["schedule"] = seconds
