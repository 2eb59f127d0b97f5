from __future__ import annotations

import pytest

from portal.crypto.secrets import Secret
from registries.decision.credentials import (
    PresentedCredential,
)
from registries.decision.pull import (
    Denied,
)
from registries.models.outcomes import Reason
from tests.support.rows.vendor import Vendor, create_vendor


@pytest.fixture
def vendor(db: None) -> Vendor:
    found = create_vendor()
    found.connect("quay.io", "quay.io")
    return found


def presented(license_id: str, username: str = "x") -> PresentedCredential:
    return PresentedCredential(username, Secret(license_id))


def license_of(vendor: Vendor) -> PresentedCredential:
    return presented(vendor.license().license_id.reveal())


def slug_of(vendor: Vendor) -> str:
    return vendor.application.slug


def reason(decision: object) -> Reason:
    assert isinstance(decision, Denied)
    return decision.reason
