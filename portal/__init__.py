from __future__ import annotations

# So that @shared_task finds the application in every process.
from portal.celery import app as celery_app

__all__ = ["celery_app"]
