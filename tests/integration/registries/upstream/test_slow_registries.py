"""While a registry is tried, which may take its time, no transaction is open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client

from registries.models import Credential, ExternalRegistry
from teams.models import Membership
from tests.support.clients.api import ApiClient, member_client
from tests.support.pages.registry_forms import new
from tests.support.servers.fake_registry import FakeRegistry, running_registry

LOGIN = ("puller", "upstream-password-9d2c")
OPEN = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%'
"""
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def registry(settings: Any) -> Iterator[FakeRegistry]:
    with running_registry(LOGIN) as found:
        settings.BERTH_INSECURE_REGISTRIES = [found.endpoint]
        yield found


@pytest.fixture
def open_transactions(registry: FakeRegistry) -> list[int]:
    """Return how many there were each time the registry was asked."""
    found: list[int] = []
    parameters = connection.get_connection_params()
    own = {"host", "port", "dbname", "user", "password"} & set(parameters)
    wanted = {name: parameters[name] for name in own}

    def count() -> None:
        with psycopg.connect(**wanted) as mine:
            row = mine.execute(OPEN).fetchone()
            found.append(row[0] if row else -1)

    registry.on_request = count
    return found


def test_pages(
    client: Client,
    owner: Membership,
    registry: FakeRegistry,
    open_transactions: list[int],
) -> None:
    client.force_login(owner.user)
    body = new(registry.endpoint, secret=LOGIN[1], slug="sample")

    added = client.post("/t/acme/registries/add?provider=other", body)
    found = ExternalRegistry.objects.get()
    replaced = client.post(
        f"/t/acme/registries/{found.pk}/credential", new(secret=LOGIN[1])
    )

    assert (added.status_code, replaced.status_code) == (302, 302)
    assert Credential.objects.count() == 2
    assert len(open_transactions) >= 4
    assert set(open_transactions) == {0}


def test_api_with_a_key(
    owner: Membership, registry: FakeRegistry, open_transactions: list[int]
) -> None:
    api: ApiClient = member_client(owner)
    body = {"username": LOGIN[0], "secret": LOGIN[1]}
    whole = body | {"provider": "other", "endpoint": registry.endpoint, "slug": "s"}

    made = api.post("/registries", whole, headers={"Idempotency-Key": "a"})
    again = api.post("/registries", whole, headers={"Idempotency-Key": "a"})
    asked = len(open_transactions)
    api.put("/registries/s/credential", body, headers={"Idempotency-Key": "b"})

    assert made.status_code == again.status_code == 201
    assert made.json()["id"] == again.json()["id"]
    assert Credential.objects.count() == 2
    assert len(open_transactions) > asked > 0
    assert set(open_transactions) == {0}
