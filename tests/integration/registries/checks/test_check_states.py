"""A registry's health over several checks of a real registry that changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from alerts.models import Alert
from deploy.local.process import ManagedProcess, free_port
from deploy.local.registry import start_registry
from registries.checks.queue import check_due_registries
from registries.models import ExternalRegistry
from tests.support.rows.vendor import Vendor, create_vendor

LOGIN = ("puller", "upstream-password-9d2c")
ANOTHER = "another-password-41aa"


class Upstream:
    """Debian's docker-registry on one port, with the password of the day."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = free_port()
        self._process: ManagedProcess | None = None
        self.endpoint = f"127.0.0.1:{self._port}"

    def start(self, password: str) -> None:
        self.stop()
        self._process = start_registry(
            self._directory, self._port, htpasswd=(LOGIN[0], password)
        )

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None


@pytest.fixture
def upstream(tmp_path: Path, settings: Any) -> Iterator[Upstream]:
    upstream = Upstream(tmp_path / "registry")
    settings.BERTH_INSECURE_REGISTRIES = [upstream.endpoint]
    upstream.start(LOGIN[1])
    yield upstream
    upstream.stop()


@pytest.fixture
def vendor(db: None) -> Vendor:
    return create_vendor()


def check() -> ExternalRegistry:
    ExternalRegistry.objects.update(next_check_at=timezone.now())
    assert check_due_registries() == 1
    return ExternalRegistry.objects.get()


def alerts() -> list[str]:
    return [alert.event for alert in Alert.objects.order_by("created_at")]


def test_a_registry_goes_away_comes_back_and_changes_its_password(
    upstream: Upstream, vendor: Vendor
) -> None:
    vendor.connect(upstream.endpoint, "sample", LOGIN)
    well = check()
    assert (well.health, alerts()) == ("valid", [])

    upstream.stop()
    for failures in (1, 2):
        registry = check()
        assert (registry.health, registry.health_since) == ("valid", well.health_since)
        assert (registry.suspect, registry.failures) == ("unreachable", failures)
    gone = check()
    assert (gone.health, alerts()) == ("unreachable", ["registry.unreachable"])
    assert gone.health_since == gone.health_checked_at
    assert check().health_since == gone.health_since

    upstream.start(ANOTHER)
    registry = check()
    assert (registry.health, registry.suspect) == ("unreachable", "rejected")
    assert registry.health_since == gone.health_since
    refused = check()
    assert (refused.health, refused.suspect) == ("rejected", "rejected")
    assert refused.health_since == refused.health_checked_at
    assert check().health_since == refused.health_since

    upstream.start(LOGIN[1])
    again = check()
    assert (again.health, again.suspect, again.failures) == ("valid", "", 0)
    assert again.health_since == again.health_checked_at
    assert alerts() == [
        "registry.unreachable",
        "registry.rejected",
        "registry.recovered",
    ]


def test_one_bad_answer_is_forgotten_after_a_good_one(
    upstream: Upstream, vendor: Vendor
) -> None:
    vendor.connect(upstream.endpoint, "sample", LOGIN)
    since = check().health_since

    for _ in range(2):
        upstream.start(ANOTHER)
        assert check().suspect == "rejected"
        upstream.start(LOGIN[1])
        registry = check()
        assert (registry.health, registry.suspect) == ("valid", "")
        assert registry.health_since == since

    assert alerts() == []
