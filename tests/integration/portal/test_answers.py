"""What all answers of the API have in common: places, and one shape of errors."""

from __future__ import annotations

from typing import Any

import pytest

from teams.models import Team
from tests.integration.test_outsiders import address
from tests.support.clients.api import ApiClient
from tests.support.rows.world import World, make_world

CREDENTIALS = "licenses/<uuid:license_id>/pull-credentials"
CREATED: dict[str, dict[str, Any]] = {
    "applications": {"name": "New", "slug": "new"},
    "applications/<str:application>/channels": {"name": "New", "slug": "new"},
    "applications/<str:application>/license-fields": {
        "name": "new",
        "title": "New",
        "type": "String",
    },
    "customers": {"name": "New"},
    "customers/<str:customer_id>/contacts": {"email": "new@initech.example"},
    "licenses": {
        "customer": "<uuid:customer_id>",
        "application": "<str:application>",
        "type": "paid",
    },
    CREDENTIALS: {"name": "new"},
    f"{CREDENTIALS}/<uuid:credential_id>/rotate": {},
    "licenses/<uuid:license_id>/replace-id": {},
    "registries/<str:registry>/duplicate": {"slug": "new"},
    "service-accounts": {"name": "new", "role": "developer"},
    "invitations": {"email": "new@acme.example", "role": "developer"},
    "webhooks": {
        "name": "new",
        "url": "https://example.com/hook",
        "events": ["license.expired"],
    },
    "api-tokens": {"kind": "user", "name": "new"},
}


@pytest.fixture
def world(team: Team) -> World:
    return make_world(team)


@pytest.mark.parametrize("route", CREATED)
def test_what_is_created_is_found_at_its_location(
    route: str, owner_api: ApiClient, world: World
) -> None:
    body = {
        name: address(value, world.ids)[1:] if str(value).startswith("<") else value
        for name, value in CREATED[route].items()
    }
    path, key = address(route, world.ids), {"Idempotency-Key": "k"}

    first = owner_api.post(path, body, headers=key)
    second = owner_api.post(path, body, headers=key)

    assert first.status_code == second.status_code == 201
    location = first.headers["Location"]
    assert second.headers["Location"] == location
    read = owner_api.get(location.removeprefix("/api/v1"))
    assert read.status_code == 200
    assert read.json()["id"] == first.json()["id"]
    assert read.headers["ETag"] == first.headers["ETag"] == second.headers["ETag"]


@pytest.mark.parametrize(
    ("path", "body", "fields"),
    [
        ("/applications", {"name": {"a": 1}, "slug": "a b"}, ["name"]),
        (
            "/licenses",
            {
                "customer": "a",
                "application": "a",
                "type": "paid",
                "pull_credential": {"name": "a", "networks": ["a", ""], "x": 1},
            },
            ["pull_credential.x"],
        ),
        (
            "/licenses",
            {
                "customer": "a",
                "application": "a",
                "type": "paid",
                "pull_credential": {"networks": ["a", ""]},
            },
            ["pull_credential.name", "pull_credential.networks"],
        ),
        (CREDENTIALS, {"name": "a", "networks": ["192.0.2.0/24", ""]}, ["networks"]),
        (CREDENTIALS, {"name": "a", "networks": ["192.0.2.0/24", "x"]}, ["networks"]),
        (CREDENTIALS, {"nope": 1}, ["nope"]),
        (CREDENTIALS, {"name": "a", "expires_at": "2020-01-01T00:00:00Z"}, None),
        ("/authorize", {}, None),
    ],
)
def test_errors_are_lists_of_messages_by_field(
    path: str,
    body: dict[str, Any],
    fields: list[str] | None,
    owner_api: ApiClient,
    world: World,
) -> None:
    response = owner_api.post(address(path.removeprefix("/"), world.ids), body)

    assert response.status_code == 400
    errors = response.json()["errors"]
    assert errors
    for messages in errors.values():
        assert messages
        assert all(isinstance(message, str) for message in messages)
    assert fields is None or list(errors) == fields


def test_the_error_of_an_item_says_which(owner_api: ApiClient, world: World) -> None:
    body = {"name": "a", "networks": ["192.0.2.0/24", ""]}

    response = owner_api.post(address(f"/{CREDENTIALS}", world.ids)[1:], body)

    assert response.json()["errors"] == {
        "networks": ["Item 2: This field may not be blank."]
    }
