from __future__ import annotations

import logging

from celery import shared_task

from images.client import PrivateRegistryProblem
from images.confirmation import confirm_images
from images.events import forget_notifications
from images.reconciliation import reconcile_images

logger = logging.getLogger(__name__)


@shared_task
def confirm_images_task() -> None:
    try:
        confirm_images()
    except PrivateRegistryProblem as problem:
        logger.warning("Images could not be confirmed: %s", problem.message)


@shared_task
def reconcile_images_task() -> None:
    try:
        reconcile_images()
    except PrivateRegistryProblem as problem:
        logger.warning("Images could not be reconciled: %s", problem.message)


@shared_task
def forget_notifications_task() -> None:
    forget_notifications()
