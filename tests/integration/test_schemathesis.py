"""The API, driven from its own schema with whatever the schema allows and forbids."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from portal.wsgi import application
from teams.models import Team
from tests.support.clients.api import ApiClient
from tests.support.clients.license_holder import basic
from tests.support.rows.world import World, make_world
from tests.support.stacks.private_registry import (
    PrivateRegistry,
    running_private_registry,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
CALLS = itertools.count()


# Made from a fixture: building 3,900 cases takes seconds, which all processes would
# spend while they collect tests.
api = schemathesis.pytest.from_fixture("schema")


@pytest.fixture(scope="session")
def schema() -> Any:
    return schemathesis.openapi.from_wsgi("/api/v1/schema", application)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRegistry]:
    with running_private_registry(tmp_path_factory.mktemp("private")) as registry:
        yield registry


class Worlds:
    """One world for each operation: what an earlier one changed is rolled back."""

    def __init__(self, team: Team) -> None:
        self._team = team
        self._before = transaction.savepoint()
        self._operation: Any = None
        self._world: World

    def of(self, operation: Any) -> World:
        if operation is not self._operation:
            transaction.savepoint_rollback(self._before)
            self._operation, self._world = operation, make_world(self._team)
            self._world.registry.endpoint = "127.0.0.1:1"
            self._world.registry.save()
        return self._world


@pytest.fixture
def worlds(owner_api: ApiClient, running: PrivateRegistry, settings: Any) -> Worlds:
    settings.BERTH_REGISTRY_URL = running.url
    settings.BERTH_PROXY_HOST = "proxy.example.com"
    # Whatever hosts are made up, nothing of the network is waited for.
    settings.BERTH_UPSTREAM_CONNECT_SECONDS = 0.01
    return Worlds(owner_api.team)


@pytest.fixture
def kept_connection() -> Iterator[None]:
    # As Django's own test client does: the connection holds the test's transaction.
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.django_db  # its fixtures are only known when it runs
@pytest.mark.timeout(600)  # all operations; each is a subtest
@api.parametrize()
@settings(
    max_examples=5,  # and every value that the schema itself suggests
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_api_keeps_its_schema(
    case: Any, worlds: Worlds, owner_api: ApiClient, kept_connection: None
) -> None:
    world = worlds.of(case.operation)
    # Every other call is for an object that exists, or did before the calls before.
    if next(CALLS) % 2:
        for name in case.path_parameters:
            case.path_parameters[name] = world.ids[name]
    login = f"Bearer {owner_api.text}"
    if case.operation.tags == ["license-holder"]:
        login = basic("license", world.license.license_id.reveal())

    response = case.call(headers={"Authorization": login})

    case.validate_response(response, checks=CHECKS)
