"""Berth's settings, but workers look for work more often, so that tests wait less."""

from __future__ import annotations

from portal.settings import *  # noqa: F403
from portal.settings import CELERY_BEAT_SCHEDULE

CELERY_BEAT_SCHEDULE["check-due-registries"]["schedule"] = 1
CELERY_BEAT_SCHEDULE["dispatch-alerts"]["schedule"] = 1
# Tests kill workers and databases while webhooks are posted, and mails come after that.
CELERY_BEAT_SCHEDULE["send-mails"]["schedule"] = 5
EMAIL_TIMEOUT = 4
