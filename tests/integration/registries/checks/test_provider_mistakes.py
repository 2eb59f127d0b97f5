"""Obvious mistakes are reported before anything is sent."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from portal.crypto.secrets import Secret
from portal.errors import Invalid
from registries.checks.attempt import CheckFailed
from registries.models import ExternalRegistry
from registries.services import (
    NewCredential,
    NewRegistry,
    check_new_registry,
    connect_registry,
    draft_credential,
)
from teams.actors import Actor
from teams.models import Team
from tests.support.clients.api import ApiClient
from tests.support.pages.registry_forms import JSON_KEY
from tests.support.rows.audit import audited
from tests.support.rows.factories import ExternalRegistryFactory
from tests.support.rows.world import rows_of

ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
ECR_CHINA = "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"
GAR = {"provider": "gar", "endpoint": "us-docker.pkg.dev", "secret": JSON_KEY}
GCR = {"provider": "gcr", "endpoint": "gcr.io", "secret": JSON_KEY}
QUAY = {"provider": "quay", "endpoint": "quay.io", "username": "acme+puller"}
GHCR = {"provider": "ghcr", "username": "octocat", "secret": "ghp_abc"}
ACR = {"provider": "acr", "endpoint": "acme.azurecr.io", "username": "app"}
OTHER = {"provider": "other", "endpoint": "registry.example.com", "username": "me"}
RIGHT = (GAR, GCR, QUAY, GHCR, ACR, OTHER)


def key(**changes: object) -> str:
    """Return a service account's key with fields changed, or left out for None."""
    fields = json.loads(JSON_KEY) | changes
    return json.dumps({name: value for name, value in fields.items() if value})


def padded(size: int) -> str:
    """Return a key of so many bytes, with some that take two."""
    plain = key(description="é")
    return plain + " " * (size - len(plain.encode()))


class World:
    """All names lead to one port here, which counts who connects."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        address = self._listener.getsockname()
        self.asked: list[str] = []

        real = socket.getaddrinfo

        def resolve(host: str, *args: Any, **more: Any) -> list[Any]:
            if host == "127.0.0.1":  # the servers of the tests
                return list(real(host, *args, **more))
            self.asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address)]

        # The system's name servers, and not our code.
        monkeypatch.setattr(socket, "getaddrinfo", resolve)

    def connections(self) -> int:
        number = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                self._listener.accept()[0].close()
                number += 1
        return number

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[World]:
    settings.BERTH_UPSTREAM_CONNECT_SECONDS = 0.2
    settings.BERTH_UPSTREAM_READ_SECONDS = 0.2
    world = World(monkeypatch)
    yield world
    world.close()


def entered(entries: dict[str, str]) -> NewRegistry:
    return NewRegistry(
        provider=entries["provider"],
        endpoint=entries.get("endpoint", ""),
        slug="sample",
        credential=NewCredential(
            entries.get("auth_type", ""),
            entries.get("username", ""),
            Secret(entries.get("secret", "a-secret")),
        ),
    )


@pytest.mark.parametrize("entries", RIGHT, ids=lambda entries: entries["provider"])
def test_without_a_mistake_the_registry_is_asked(
    entries: dict[str, str], actor: Actor, team: Team, world: World
) -> None:
    before = rows_of(team)

    with pytest.raises(CheckFailed, match="did not answer in time"):
        connect_registry(actor=actor, team=team, new=entered(entries))

    assert world.asked == [entries.get("endpoint", "ghcr.io")]
    assert world.connections() == 1
    assert rows_of(team) == before


MISTAKES = [
    (GAR, {"secret": ""}, "secret", "Enter the JSON key"),
    (GAR, {"secret": "my password"}, "secret", "Not valid JSON"),
    (GAR, {"secret": JSON_KEY[:-2]}, "secret", "from the first { to the last }"),
    (GAR, {"secret": "[" * 16_000}, "secret", "Not valid JSON"),
    (GAR, {"secret": "[]"}, "secret", "its type is not service_account"),
    (GAR, {"secret": '"service_account"'}, "secret", "Not a service account key"),
    (GAR, {"secret": key(type="authorized_user")}, "secret", "not service_account"),
    (GAR, {"secret": key(type=None)}, "secret", "its type is not service_account"),
    (GAR, {"secret": key(project_id=None)}, "secret", "lacks project_id"),
    (
        *(GAR, {"secret": key(private_key=" ", client_email=7)}),
        *("secret", "lacks private_key, client_email"),
    ),
    (GAR, {"secret": key(private_key="MIIE")}, "secret", "is not a PEM key"),
    (GAR, {"secret": padded(16 * 1024 + 1)}, "secret", "up to 16 KB"),
    (GAR, {"secret": JSON_KEY + "\0"}, "secret", "Enter the JSON key"),
    (GAR, {"username": "me"}, "username", "it is always _json_key"),
    (
        GAR,
        {"endpoint": "docker.pkg.dev"},
        "endpoint",
        "Not a valid endpoint of Google Artifact",
    ),
    (GAR, {"endpoint": "gcr.io"}, "endpoint", "Enter one like us-docker.pkg.dev"),
    (
        GAR,
        {"endpoint": "us-docker.pkg.dev.example.com"},
        "endpoint",
        "Not a valid endpoint of",
    ),
    (GAR, {"endpoint": ECR}, "endpoint", "Not a valid endpoint of Google Artifact"),
    (GCR, {"secret": "my password"}, "secret", "Not valid JSON"),
    (GCR, {"secret": padded(16 * 1024 + 1)}, "secret", "up to 16 KB"),
    (
        GCR,
        {"endpoint": "mirror.gcr.io"},
        "endpoint",
        "Not a valid endpoint of Google gcr.io",
    ),
    (QUAY, {"username": "puller"}, "username", "contains a plus sign"),
    (QUAY, {"username": "+puller"}, "username", "contains a plus sign"),
    (QUAY, {"username": "acme+"}, "username", "contains a plus sign"),
    (QUAY, {"username": " "}, "username", "Enter the Robot account"),
    (QUAY, {"auth_type": "magic"}, "auth_type", "Quay.io takes: robot, password."),
    (QUAY, {"endpoint": ECR}, "endpoint", "This is Amazon ECR"),
    (GHCR, {"secret": "github_pat_11AAAA"}, "secret", "rejects fine-grained tokens"),
    (
        ACR,
        {"endpoint": "registry.example.com"},
        "endpoint",
        "Not a valid endpoint of Azure",
    ),
    (
        ACR,
        {"endpoint": "acme.azurecr.io:5000"},
        "endpoint",
        "Not a valid endpoint of Azure",
    ),
    (OTHER, {"endpoint": ECR}, "endpoint", "passwords expire after twelve hours"),
    (OTHER, {"endpoint": ECR_CHINA}, "endpoint", "This is Amazon ECR"),
    (OTHER, {"endpoint": "docker.io"}, "endpoint", "This is Docker Hub"),
    (OTHER, {"endpoint": "registry-1.docker.io"}, "endpoint", "This is Docker Hub"),
]


@pytest.mark.parametrize(("right", "changes", "field", "message"), MISTAKES)
def test_a_mistake_is_shown_beside_its_field_and_nothing_is_sent(
    right: dict[str, str],
    changes: dict[str, str],
    field: str,
    message: str,
    actor: Actor,
    team: Team,
    world: World,
) -> None:
    before = rows_of(team)
    new = entered(right | changes)

    for act in (connect_registry, check_new_registry):
        with pytest.raises((Invalid, ValidationError)) as caught:
            act(actor=actor, team=team, new=new)

        error: Any = caught.value
        errors = getattr(error, "message_dict", None) or error.fields
        assert list(errors) == [field]
        assert message in " ".join(errors[field])
        assert (changes.get("secret") or "no secret") not in str(errors)

    assert world.asked == []
    assert world.connections() == 0
    assert rows_of(team) == before


@pytest.mark.parametrize("right", [GAR, GCR], ids=["gar", "gcr"])
def test_a_key_of_just_16_kb_is_sent(
    right: dict[str, str], actor: Actor, team: Team, world: World
) -> None:
    new = entered(right | {"secret": padded(16 * 1024)})

    with pytest.raises(CheckFailed, match="did not answer in time"):
        connect_registry(actor=actor, team=team, new=new)

    assert world.connections() == 1


def test_a_mistake_in_a_replacement_is_shown_too(
    actor: Actor, team: Team, world: World
) -> None:
    registry = ExternalRegistryFactory(
        team=team, provider="gar", endpoint="us-docker.pkg.dev", slug="sample"
    )
    before = rows_of(team)

    with pytest.raises(Invalid) as caught:
        draft_credential(
            actor=actor,
            registry=registry,
            new=NewCredential("json_key", "", Secret("my password")),
        )

    assert list(caught.value.fields) == ["secret"]
    assert world.asked == []
    assert rows_of(team) == before


@pytest.mark.parametrize(
    ("right", "changes", "field", "message"),
    [
        (GAR, {"secret": key(type="authorized_user")}, "secret", "not service_account"),
        (QUAY, {"username": "puller"}, "username", "contains a plus sign"),
        (OTHER, {"endpoint": ECR}, "endpoint", "This is Amazon ECR"),
    ],
)
def test_the_api_reports_a_mistake_under_its_field(
    right: dict[str, str],
    changes: dict[str, str],
    field: str,
    message: str,
    owner_api: ApiClient,
    team: Team,
    world: World,
) -> None:
    body = {"secret": "a-secret", "slug": "sample"} | right | changes

    response = owner_api.post("/registries", body)

    assert response.status_code == 400
    errors = response.json()["errors"]
    assert list(errors) == [field]
    assert message in " ".join(errors[field])
    assert world.asked == []
    assert world.connections() == 0
    assert not ExternalRegistry.objects.exists()
    assert audited(team) == []
