from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from registries.models import ExternalRegistry
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers.fake_registry import FakeRegistry, running_registry

LOGIN = ("sample", "upstream-password-9d2c")


@pytest.fixture
def fake(settings: Any) -> Iterator[FakeRegistry]:
    with running_registry(LOGIN) as registry:
        settings.BERTH_INSECURE_REGISTRIES = [registry.endpoint]
        yield registry


@pytest.fixture
def vendor(db: None) -> Vendor:
    return create_vendor()


@pytest.fixture
def registry(vendor: Vendor, fake: FakeRegistry) -> ExternalRegistry:
    return vendor.connect(fake.endpoint, "sample", LOGIN)
