from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers.failing_registry import FailingRegistry, failing_registry
from tests.support.stacks.private_registry import (
    PrivateRegistry,
    running_private_registry,
)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRegistry]:
    with running_private_registry(tmp_path_factory.mktemp("private")) as registry:
        yield registry


@pytest.fixture
def registry(running: PrivateRegistry, settings: Any) -> PrivateRegistry:
    settings.BERTH_REGISTRY_URL = running.url
    return running


@pytest.fixture
def failing(registry: PrivateRegistry, settings: Any) -> Iterator[FailingRegistry]:
    """The same registry, whose answers a test can spoil."""
    with failing_registry(registry.url) as between:
        settings.BERTH_REGISTRY_URL = between.url
        yield between


@pytest.fixture
def vendor(db: None) -> Vendor:
    return create_vendor()


@pytest.fixture
def slug(vendor: Vendor) -> str:
    """Every test has an application of its own, so also images of its own."""
    return vendor.application.slug
