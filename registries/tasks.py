from __future__ import annotations

import uuid

from celery import shared_task


@shared_task
def check_registry_task(registry_id: str) -> None:
    """Try a registry's credential; a registry deleted meanwhile is no error."""
    from registries import services  # tasks are a leaf: services import them at the top

    registry = services.registry_by_id(uuid.UUID(registry_id))
    if registry is not None:
        services.check_registry(registry)


@shared_task
def delete_old_pull_events_task() -> None:
    from registries import pull_events  # tasks are a leaf: it imports them at the top

    pull_events.delete_old_pull_events()


@shared_task
def delete_old_credential_checks_task() -> None:
    from registries import services  # tasks are a leaf: services import them at the top

    services.delete_old_credential_checks()
