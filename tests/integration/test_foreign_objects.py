"""Objects of another team, named in what one sends."""

from __future__ import annotations

import pytest

from teams.models import Team
from tests.support.clients.api import ApiClient
from tests.support.rows.world import World, make_world, rows_of


@pytest.fixture
def world(team: Team) -> World:
    return make_world(team)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/licenses", {"customer": "customer_id", "application": "application"}),
        ("/licenses", {"customer": "customer_id", "application": "slug"}),
    ],
)
def test_licenses_cannot_be_issued_for_objects_of_another_team(
    path: str, body: dict[str, str], world: World, outsider_api: ApiClient
) -> None:
    names = world.ids | {"slug": world.license.application.slug}
    values = {name: names[value] for name, value in body.items()}
    before = rows_of(world.team)

    response = outsider_api.post(path, values | {"type": "paid"})

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["application"]
    assert rows_of(world.team) == before
    assert rows_of(outsider_api.team)["licenses.License"] == []


def test_licenses_cannot_be_issued_to_a_customer_of_another_team(
    world: World, outsider_api: ApiClient
) -> None:
    ours = make_world(outsider_api.team)

    response = outsider_api.post(
        "/licenses",
        {
            "customer": world.ids["customer_id"],
            "application": ours.ids["application"],
            "type": "paid",
        },
    )

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["customer"]


def test_registries_cannot_be_shared_with_an_application_of_another_team(
    world: World, outsider_api: ApiClient
) -> None:
    response = outsider_api.post(
        "/registries",
        {
            "provider": "other",
            "endpoint": "registry.example.com",
            "username": "me",
            "secret": "mine",
            "skip_test": True,
            "applications": [world.license.application.slug],
        },
    )

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["applications"]
    assert rows_of(outsider_api.team)["registries.ExternalRegistry"] == []


def test_api_tokens_cannot_be_made_for_a_service_account_of_another_team(
    world: World, outsider_api: ApiClient
) -> None:
    response = outsider_api.post(
        "/api-tokens",
        {
            "kind": "service_account",
            "name": "theirs",
            "service_account": world.ids["service_account_id"],
        },
    )

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["service_account"]


def test_licenses_of_another_team_cannot_be_searched_by_their_id(
    world: World, outsider_api: ApiClient
) -> None:
    license_id = world.license.license_id.reveal()

    response = outsider_api.post("/licenses/search", {"license_id": license_id})

    assert response.status_code == 404


def test_authorize_knows_no_license_of_another_team(
    world: World, outsider_api: ApiClient
) -> None:
    secret = world.license.license_id.reveal()
    asked = {
        "application": world.license.application.slug,
        "upstream": world.registry.slug,
        "repository": "my-org/api",
        "trace": True,
    }
    for credential in (
        {"license": world.ids["license_id"]},
        {"license_id": secret},
        {"username": "anyone", "password": secret},
    ):
        response = outsider_api.post("/authorize", credential | asked)

        assert response.status_code == 200
        decision = response.json()
        assert decision["allowed"] is False
        assert decision["reason"] == "credential_unknown"
        assert len(decision["trace"]) == 1
