"""Notifications, confirmation and pulls at the same time, in real transactions."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import pytest
from django.db import connection
from django.test import Client

from images.confirmation import confirm_images
from images.models import ImageManifest, ImageRepository
from registries.models import PRIVATE_REGISTRY_ID, PullEvent, PullHour
from registries.pulls.events import Counted, Pull, add_pulls
from tests.integration.images.test_notifications import TOKEN, A, event, tell
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.stacks.private_registry import PrivateRegistry

PUSHERS = 4
PUSHES = 40
ROUNDS = 40
T = TypeVar("T")


@pytest.fixture(autouse=True)
def configured(settings: Any) -> None:
    settings.BERTH_REGISTRY_NOTIFICATION_TOKEN = TOKEN


@pytest.fixture
def vendor(transactional_db: None) -> Vendor:
    return create_vendor()


def closing(function: Callable[[], T]) -> Callable[[], T]:
    def run() -> T:
        try:
            return function()
        finally:
            connection.close()

    return run


def test_pushes_and_confirmations_of_one_image_do_not_deadlock(
    slug: str, registry: PrivateRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    def push() -> set[int]:
        return {
            tell(
                Client(), event("push", f"{slug}/api", A, f"v{number % 3}")
            ).status_code
            for number in range(PUSHES)
        }

    def confirm() -> None:
        # The registry has no such image: each round deletes it and its repository.
        while not all(pusher.done() for pusher in pushers):
            confirm_images(wait=True)

    with ThreadPoolExecutor(PUSHERS + 1) as threads:
        pushers = [threads.submit(closing(push)) for _ in range(PUSHERS)]
        threads.submit(closing(confirm)).result()
        statuses = set().union(*(pusher.result() for pusher in pushers))

    assert statuses == {200}
    assert "deadlock" not in caplog.text
    confirm_images(wait=True)
    assert not ImageRepository.objects.exists()
    assert not ImageManifest.objects.exists()


def test_edges_that_count_the_same_pulls_do_not_deadlock(vendor: Vendor) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    pulls = [
        Pull(
            team_id=vendor.team.pk,
            hour=hour,
            application_slug=vendor.application.slug,
            holder="license:one",
            license_id=None,
            registry_id=PRIVATE_REGISTRY_ID,
            repository=f"my-org/{number}",
            reference="v1",
            outcome="allowed",
        )
        for number in range(50)
    ]

    def count(pulls: list[Pull]) -> None:
        for _ in range(ROUNDS):
            add_pulls(dict.fromkeys(pulls, Counted(hour)))

    with ThreadPoolExecutor(2) as threads:
        edges = [
            threads.submit(closing(partial(count, order)))
            for order in (pulls, pulls[::-1])
        ]
        for edge in edges:
            edge.result()

    assert set(PullEvent.objects.values_list("count", flat=True)) == {2 * ROUNDS}
    assert PullHour.objects.get().allowed == 2 * ROUNDS * len(pulls)
