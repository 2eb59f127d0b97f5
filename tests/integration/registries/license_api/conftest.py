from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from licenses.models import License
from portal.crypto.secrets import Secret
from teams.models import Team
from tests.support.clients.license_holder import PROXY, REGISTRY, LicenseClient
from tests.support.rows.factories import LicenseFactory, LicenseFieldFactory


@pytest.fixture(autouse=True)
def hosts(settings: Any) -> None:
    settings.BERTH_PROXY_HOST = PROXY
    settings.BERTH_REGISTRY_HOST = REGISTRY


@pytest.fixture
def license(team: Team) -> License:
    made: License = LicenseFactory(
        team=team,
        application__slug="my-app",
        application__name="My app",
        customer__name="Initech",
        expires_at=datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC),
        field_values={"seats": 5},
        secret_field_values=Secret('{"key": "hunter2"}'),
        sequence=7,
    )
    application = made.application
    LicenseFieldFactory(application=application, name="seats", type="Integer")
    LicenseFieldFactory(
        application=application, name="key", title="Key", type="Password", hidden=True
    )
    LicenseFieldFactory(application=application, name="note", title="Note")
    return made


@pytest.fixture
def holder(license: License) -> LicenseClient:
    return LicenseClient(license)
