"""The API, driven from its own schema with whatever the schema allows and forbids.

Calls that show nothing new are left out.
"""

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
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from portal.wsgi import application
from teams.models import Team
from tests.support.clients.api import ApiClient
from tests.support.clients.api_cases import NewCases, is_random, let_it_be_read
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
STATE = {
    "name": "state",
    "in": "query",
    "schema": {"type": "string", "enum": ["active", "revoked", "expired"]},
}
BODY = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 9}},
}


# Made from a fixture: building 6,600 cases takes seconds, which all processes would
# spend while they collect tests.
api = schemathesis.pytest.from_fixture("schema")


@pytest.fixture(scope="session")
def schema() -> Any:
    loaded = schemathesis.openapi.from_wsgi("/api/v1/schema", application)
    is_new = NewCases()

    @loaded.hook
    def filter_case(context: Any, case: Any) -> bool:
        return is_new(case)

    return loaded


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
    max_examples=2,  # and every value that the schema itself suggests
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_api_keeps_its_schema(
    case: Any, worlds: Worlds, owner_api: ApiClient, kept_connection: None
) -> None:
    world = worlds.of(case.operation)
    if not is_random(case) or next(CALLS) % 2:
        let_it_be_read(case, world.ids)
    login = f"Bearer {owner_api.text}"
    if case.operation.tags == ["license-holder"]:
        login = basic("license", world.license.license_id.reveal())

    response = case.call(headers={"Authorization": login})

    case.validate_response(response, checks=CHECKS)


def operation(**values: Any) -> dict[str, Any]:
    return {"responses": {"200": {"description": "OK"}}, **values}


def kept() -> list[Any]:
    """Return what is kept for two lists with the same filter, and two bodies."""
    create = operation(
        requestBody={
            "content": {"application/json": {"schema": BODY}},
            "required": True,
        }
    )
    paths = {
        path: {"get": operation(parameters=[STATE]), "post": create}
        for path in ("/first", "/second")
    }
    document = {
        "openapi": "3.0.3",
        "info": {"title": "Lists", "version": "1"},
        "paths": paths,
    }
    loaded: Any = schemathesis.openapi.from_dict(document)
    is_new = NewCases()
    cases = []
    for result in loaded.get_all_operations():
        found = result.ok()
        config = loaded.config.generation_for(operation=found)
        cases += [
            case
            for case in loaded.iter_coverage_cases(
                found, generation_modes=list(config.modes), generation_config=config
            )
            if is_new(case)
        ]
    return cases


def modes_of(cases: list[Any], label: str, location: ParameterLocation) -> list[str]:
    return [
        case.meta.generation.mode.name
        for case in cases
        if case.operation.label == label
        and case.meta.phase.data.parameter_location is location
    ]


def test_a_shared_filter_is_tried_in_full_once_and_elsewhere_once_each_way() -> None:
    cases = kept()

    first = modes_of(cases, "GET /first", ParameterLocation.QUERY)
    second = modes_of(cases, "GET /second", ParameterLocation.QUERY)

    assert first.count("NEGATIVE") > 3
    assert sorted(second) == ["NEGATIVE", "POSITIVE"]


def test_each_body_is_tried_at_each_boundary() -> None:
    cases = kept()

    for label in ("POST /first", "POST /second"):
        scenarios = [
            case.meta.phase.data.scenario.value
            for case in cases
            if case.operation.label == label
        ]
        assert {
            "string_above_max_length",
            "string_below_min_length",
            "object_missing_required_property",
        } <= set(scenarios)
        assert scenarios.count("incorrect_type") == 4  # the body's, and the name's
