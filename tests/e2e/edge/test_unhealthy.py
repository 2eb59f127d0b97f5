"""What checks found never stands in the way of a pull."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from deploy.local import images
from registries.models import ExternalRegistry
from registries.models.health import Outcome
from tests.e2e.conftest import Upstream
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor

UNHEALTHY = [item for item in Outcome if item is not Outcome.VALID]


@pytest.mark.parametrize("health", UNHEALTHY)
def test_a_pull_is_tried_whatever_the_last_checks_came_to(
    health: Outcome, edge: EdgeClient, connected: Vendor, basic_upstream: Upstream
) -> None:
    images.push_image(
        *(basic_upstream.url, "my-org/unhealthy", "v1"),
        auth=basic_upstream.login,
        layers=[b"layer"],
    )
    now = timezone.now()
    ExternalRegistry.objects.update(
        health=health,
        health_since=now,
        health_checked_at=now,
        suspect=health,
        failures=50,
        next_check_at=now + timedelta(hours=1),
    )
    name = f"proxy/{connected.application.slug}/sample/my-org/unhealthy"
    license_id = connected.license().license_id.reveal()

    answer = edge.get(name, "manifests/v1", edge.token(license_id, name))

    assert answer.status == 200
    assert ExternalRegistry.objects.get().health == health
