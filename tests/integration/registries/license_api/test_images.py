"""What a license holder is told about images."""

from __future__ import annotations

import json
from typing import Any

import pytest

from licenses.models import License
from oci.reference import parse_reference
from registries.decision.credentials import Subject, SubjectKind
from registries.decision.proxied_name import parse_proxied_name
from registries.decision.pull import Allowed, Denied, authorize_pull
from teams.models import Team
from tests.support.clients.license_holder import PROXY, REGISTRY, LicenseClient
from tests.support.rows.factories import ExternalRegistryFactory, RegistryShareFactory


@pytest.fixture
def registries(license: License, team: Team) -> None:
    ExternalRegistryFactory(
        team=team, endpoint="quay.io", repository_patterns=["my-org/*"]
    )
    ExternalRegistryFactory(team=team, endpoint="index.docker.io", slug="hub")
    ExternalRegistryFactory(team=team, endpoint="localhost:5001", slug="sample")
    RegistryShareFactory(registry__team=team, registry__endpoint="secret.example.com")
    RegistryShareFactory(
        registry__team=team,
        registry__endpoint="shared.example.com",
        application=license.application,
    )


DIGEST = "sha256:" + "0" * 64
PROXIED = {
    "quay.io/my-org/api:v1.0.1": "quay.io/my-org/api:v1.0.1",
    f"quay.io/my-org/api@{DIGEST}": f"quay.io/my-org/api@{DIGEST}",
    f"quay.io/my-org/api:v1@{DIGEST}": f"quay.io/my-org/api:v1@{DIGEST}",
    "quay.io/my-org/api": "quay.io/my-org/api",
    "redis": "docker.io/library/redis",
    "redis:7": "docker.io/library/redis:7",
    "docker.io/redis:7": "docker.io/library/redis:7",
    "index.docker.io/library/redis": "docker.io/library/redis",
    "my-org/api": "docker.io/my-org/api",
    "localhost:5001/my-org/api:v1": "sample/my-org/api:v1",
    "shared.example.com/a": "shared.example.com/a",
}
OTHERS = {
    f"{REGISTRY}/my-app/api:v1": "private_registry",
    f"{REGISTRY}/other-app/api:v1": "not_allowed",
    f"{PROXY}/proxy/my-app/quay.io/my-org/api": "already_proxied",
    f"{PROXY}/proxy/other-app/quay.io/my-org/api": "not_allowed",
    "quay.io/other-org/api": "not_allowed",
    "ghcr.io/my-org/api": "not_connected",
    "secret.example.com/my-org/api": "not_connected",
    "quay.io/My-Org/api": "invalid",
    "quay.io/my-org/api:": "invalid",
    "{{ .Values.image }}": "invalid",
    "": "invalid",
    " redis": "invalid",
}


@pytest.mark.usefixtures("registries")
def test_images_are_resolved_in_order(license: License, holder: LicenseClient) -> None:
    response = holder.resolve(*PROXIED, *OTHERS, "redis")

    assert response.status_code == 200
    resolved = response.json()["images"]
    assert [item["image"] for item in resolved] == [*PROXIED, *OTHERS, "redis"]
    proxied = {item["image"]: item["new_image"] for item in resolved[: len(PROXIED)]}
    prefix = f"{PROXY}/proxy/my-app/"
    assert proxied == {image: prefix + name for image, name in PROXIED.items()}
    assert {item["result"] for item in resolved[: len(PROXIED)]} == {"proxied"}
    others = resolved[len(PROXIED) : -1]
    assert {item["image"]: item["result"] for item in others} == OTHERS
    assert {item["new_image"] for item in others} == {None}
    good = {"proxied", "private_registry", "already_proxied"}
    assert all((item["detail"] == "") == (item["result"] in good) for item in resolved)


def pulled(license: License, name: str) -> Allowed | Denied:
    """Decide about a pull by the name that an image has at the proxy."""
    wanted = parse_proxied_name(parse_reference(name).repository)
    return authorize_pull(
        Subject(SubjectKind.LICENSE, license.pk),
        wanted.application,
        wanted.upstream,
        wanted.repository,
    )


@pytest.mark.usefixtures("registries")
def test_images_are_renamed_to_what_can_be_pulled(
    license: License, holder: LicenseClient
) -> None:
    for answer in holder.resolve(*PROXIED).json()["images"]:
        assert isinstance(pulled(license, answer["new_image"]), Allowed)


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("quay.io/other-org/api", f"{PROXY}/proxy/my-app/quay.io/other-org/api"),
        ("ghcr.io/my-org/api", f"{PROXY}/proxy/my-app/ghcr.io/my-org/api"),
        ("secret.example.com/a/b", f"{PROXY}/proxy/my-app/secret.example.com/a/b"),
        (f"{REGISTRY}/other/api", f"{PROXY}/proxy/other/quay.io/my-org/api"),
        (f"{PROXY}/proxy/other/quay.io/a", f"{PROXY}/proxy/other/quay.io/a"),
    ],
)
def test_what_is_told_is_what_a_pull_would_be_told(
    image: str, name: str, license: License, holder: LicenseClient
) -> None:
    (answer,) = holder.resolve(image).json()["images"]

    denied = pulled(license, name)
    assert isinstance(denied, Denied)
    assert answer["detail"] == denied.message


@pytest.mark.usefixtures("registries")
def test_a_registry_that_is_not_shared_looks_like_none(holder: LicenseClient) -> None:
    images = ["secret.example.com/a/b", "nothere.example.com/a/b"]

    hidden, absent = holder.resolve(*images).json()["images"]

    def anonymous(answer: dict[str, Any]) -> str:
        host = answer["image"].partition("/")[0]
        return json.dumps(answer).replace(host, "HOST")

    assert anonymous(hidden) == anonymous(absent)


def test_registries_of_other_teams_look_like_none(
    holder: LicenseClient, other_team: Team
) -> None:
    ExternalRegistryFactory(team=other_team, endpoint="quay.io")

    (answer,) = holder.resolve("quay.io/my-org/api").json()["images"]

    assert answer["result"] == "not_connected"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"images": []},
        {"images": "redis"},
        {"images": [None]},
        {"images": [{}]},
        {"images": ["redis"] * 1001},
        {"images": ["a" * 4097]},
        {"images": ["redis"], "namespace": "x"},
    ],
)
def test_what_are_no_images_is_told(
    body: dict[str, object], holder: LicenseClient
) -> None:
    response = holder.request("post", "/license/resolve-images", body)

    assert response.status_code == 400
    assert len(response.json()["errors"]) == 1


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("number", [1, 1000])
def test_queries_of_images(
    number: int, holder: LicenseClient, django_assert_num_queries: Any
) -> None:
    images = [f"quay.io/my-org/api:{tag}" for tag in range(number)]

    # The holder, the license, the registries, their applications and credentials.
    with django_assert_num_queries(5):
        response = holder.resolve(*images)

    assert len(response.json()["images"]) == number
