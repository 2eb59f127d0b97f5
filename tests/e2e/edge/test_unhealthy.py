"""What checks found never stands in the way of a pull, and a pull tests it."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from deploy.local import images
from registries.models import ExternalRegistry
from registries.models.health import Outcome
from tests.e2e.conftest import Upstream
from tests.e2e.edge.conftest import eventually
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor

DISPROVED = [Outcome.REJECTED, Outcome.UNREACHABLE, Outcome.UPSTREAM_ERROR]
OTHERS = [Outcome.VALID, Outcome.REPOSITORY_DENIED, Outcome.RATE_LIMITED]


@pytest.fixture
def registry(connected: Vendor, basic_upstream: Upstream) -> ExternalRegistry:
    images.push_image(
        *(basic_upstream.url, "my-org/unhealthy", "v1"),
        auth=basic_upstream.login,
        layers=[b"layer"],
    )
    return ExternalRegistry.objects.get()


def pull(edge: EdgeClient, connected: Vendor, reference: str = "v1") -> int:
    name = f"proxy/{connected.application.slug}/sample/my-org/unhealthy"
    license_id = connected.license().license_id.reveal()
    token = edge.token(license_id, name)
    return edge.get(name, f"manifests/{reference}", token).status


def found(registry: ExternalRegistry, health: Outcome) -> None:
    """Store what a check found just now: the next one is in an hour."""
    now = timezone.now()
    ExternalRegistry.objects.filter(pk=registry.pk).update(
        health=health,
        health_since=now,
        health_checked_at=now,
        suspect="" if health is Outcome.VALID else health,
        failures=0 if health is Outcome.VALID else 50,
        next_check_at=now + timedelta(hours=1),
    )


def is_due(registry: ExternalRegistry) -> bool:
    registry.refresh_from_db()
    return registry.next_check_at <= timezone.now()


@pytest.mark.parametrize("health", DISPROVED)
def test_a_pull_that_works_has_an_unhealthy_registry_checked_at_once(
    health: Outcome, edge: EdgeClient, connected: Vendor, registry: ExternalRegistry
) -> None:
    found(registry, health)

    assert pull(edge, connected) == 200

    eventually(lambda: is_due(registry), "the registry is not due")
    assert registry.health == health


def test_pulls_that_work_have_it_checked_once_a_minute(
    edge: EdgeClient, connected: Vendor, registry: ExternalRegistry
) -> None:
    found(registry, Outcome.REJECTED)
    pull(edge, connected)
    eventually(lambda: is_due(registry), "the registry is not due")
    found(registry, Outcome.REJECTED)

    assert pull(edge, connected) == 200
    assert not cache.add(f"check-queued:worked:{registry.pk}", 1)

    assert not is_due(registry)


def test_a_busy_unhealthy_registry_costs_this_process_one_job_a_minute(
    edge: EdgeClient, connected: Vendor, registry: ExternalRegistry
) -> None:
    found(registry, Outcome.REJECTED)
    pull(edge, connected)
    eventually(lambda: is_due(registry), "the registry is not due")
    found(registry, Outcome.REJECTED)
    cache.delete(f"check-queued:worked:{registry.pk}")

    assert [pull(edge, connected) for _ in range(3)] == [200] * 3
    time.sleep(1)

    assert cache.get(f"check-queued:worked:{registry.pk}") is None
    assert not is_due(registry)


@pytest.mark.parametrize("health", OTHERS)
def test_a_pull_has_no_other_registry_checked(
    health: Outcome, edge: EdgeClient, connected: Vendor, registry: ExternalRegistry
) -> None:
    found(registry, health)

    assert pull(edge, connected) == 200

    assert cache.get(f"check-queued:worked:{registry.pk}") is None
    assert not is_due(registry)


def test_a_pull_that_fails_says_nothing_about_an_unhealthy_registry(
    edge: EdgeClient, connected: Vendor, registry: ExternalRegistry
) -> None:
    found(registry, Outcome.UNREACHABLE)

    assert pull(edge, connected, "missing") == 404

    assert cache.get(f"check-queued:worked:{registry.pk}") is None
    assert not is_due(registry)
