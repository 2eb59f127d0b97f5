"""Berth's settings, but beat looks for work every second, so that tests wait less."""

from __future__ import annotations

from portal.settings import *  # noqa: F403
from portal.settings import CELERY_BEAT_SCHEDULE

for entry in CELERY_BEAT_SCHEDULE.values():
    if isinstance(entry["schedule"], int):
        entry["schedule"] = 1
EMAIL_TIMEOUT = 4
