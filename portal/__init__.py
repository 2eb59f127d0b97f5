from __future__ import annotations

# Lets @shared_task find the application in every process.
from portal.celery import app as celery_app

__all__ = ["celery_app"]
