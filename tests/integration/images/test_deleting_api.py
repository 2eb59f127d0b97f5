"""Deleting images through the REST API, from a real registry."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.local.images import push_index
from images.models import ImageManifest, ImageRepository, ImageTag
from images.reconciliation import reconcile_fully
from licenses.models import Application
from teams.models import IdempotencyRecord, Membership, Team
from tests.support.clients.api import ApiClient, code_of, member_client
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    ImageManifestFactory,
    ImageTagFactory,
)
from tests.support.rows.world import rows_of
from tests.support.stacks.private_registry import PrivateRegistry


@pytest.fixture
def away(settings: Any) -> None:
    settings.BERTH_REGISTRY_URL = "http://127.0.0.1:1"


@pytest.fixture
def application(team: Team) -> Application:
    """Every test has one of its own, so also images of its own."""
    return ApplicationFactory(team=team)


@pytest.fixture
def path(application: Application) -> str:
    return f"/applications/{application.slug}/images"


@pytest.fixture
def tag(application: Application) -> ImageTag:
    """One that only Berth knows of."""
    return ImageTagFactory(manifest__repository__application=application)


def results(client: ApiClient, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.get(path).json()["results"]
    return rows


def names(client: ApiClient, path: str) -> list[str]:
    return [row["name"] for row in results(client, path)]


def kept(team: Team) -> dict[str, Any]:
    """Return all that a refused request must leave as it was."""
    rows = rows_of(team)
    del rows["teams.ApiToken"]  # notes its use
    return rows


def addresses(path: str, tag: ImageTag) -> list[str]:
    image = f"{path}/{tag.repository_id}"
    return [
        f"{image}/tags/{tag.pk}",
        f"{image}/manifests/{tag.manifest_id}",
        image,
    ]


def test_deleting_needs_its_own_right(
    support_api: ApiClient,
    viewer_api: ApiClient,
    owner: Membership,
    path: str,
    tag: ImageTag,
    away: None,  # the right is asked for first, so nobody notices
) -> None:
    before = kept(owner.team)

    for client in (support_api, viewer_api, member_client(owner, read_only=True)):
        for address in addresses(path, tag):
            assert client.get(address).status_code == 200
            response = client.delete(address)

            assert response.status_code == 403
            assert code_of(response) == "permission_denied"
    assert kept(owner.team) == before


def test_another_team_deletes_nothing(
    outsider_api: ApiClient, team: Team, path: str, tag: ImageTag, away: None
) -> None:
    before = kept(team)

    for address in addresses(path, tag):
        response = outsider_api.delete(address)

        assert response.status_code == 404
        assert code_of(response) == "not_found"
    assert kept(team) == before


def test_delete_a_tag(
    member_api: ApiClient,
    registry: PrivateRegistry,
    application: Application,
    path: str,
) -> None:
    name = f"{application.slug}/api"
    pushed = registry.push(name, "v1", b"one")
    registry.push(name, "v2", b"two")
    reconcile_fully()
    tag = ImageTag.objects.get(name="v1")
    address = f"{path}/{tag.repository_id}/tags"

    response = member_api.delete(f"{address}/{tag.pk}")

    assert response.status_code == 204
    assert response.content == b""
    assert not registry.has(name, "v1")
    assert not registry.has(name, pushed.digest)
    assert registry.has(name, "v2")
    assert names(member_api, address) == ["v2"]
    assert audited(member_api.team) == [("image:tag-deleted", name)]


def test_delete_what_a_moved_tag_left(
    member_api: ApiClient,
    registry: PrivateRegistry,
    application: Application,
    path: str,
) -> None:
    name = f"{application.slug}/api"
    old = registry.push(name, "v1", b"one")
    reconcile_fully()
    registry.push(name, "v1", b"two")
    reconcile_fully()
    manifests = f"{path}/{ImageRepository.objects.get().pk}/manifests"
    [left] = results(member_api, f"{manifests}?untagged=true")
    assert left["digest"] == old.digest

    response = member_api.delete(f"{manifests}/{left['id']}")

    assert response.status_code == 204
    assert not registry.has(name, old.digest)
    assert registry.has(name, "v1")
    assert [row["tags"] for row in results(member_api, manifests)] == [["v1"]]
    assert audited(member_api.team) == [("image:deleted", name)]


def test_delete_an_image_with_all_its_tags(
    member_api: ApiClient,
    registry: PrivateRegistry,
    application: Application,
    path: str,
) -> None:
    for name in ("api", "web"):
        registry.push(f"{application.slug}/{name}", "v1", name.encode())
    reconcile_fully()
    registry.push(f"{application.slug}/api", "unheard-of", b"two")
    image = ImageRepository.objects.get(name="api")

    response = member_api.delete(f"{path}/{image.pk}")

    assert response.status_code == 204
    assert not registry.has(f"{application.slug}/api", "v1")
    assert not registry.has(f"{application.slug}/api", "unheard-of")
    assert registry.has(f"{application.slug}/web", "v1")
    assert names(member_api, path) == ["web"]
    assert audited(member_api.team) == [
        ("image:repository-deleted", f"{application.slug}/api")
    ]


def test_a_key_neither_repeats_nor_hides_a_deletion(
    member_api: ApiClient, registry: PrivateRegistry, path: str, tag: ImageTag
) -> None:
    """Deleting twice has one effect anyway, so no answer is kept for it."""
    address = f"{path}/{tag.repository_id}/tags/{tag.pk}"
    key = {"Idempotency-Key": "k"}

    answers = [member_api.delete(address, headers=key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 404]
    assert not IdempotencyRecord.objects.exists()
    assert len(audited(member_api.team)) == 1


def test_a_tag_that_has_moved_stays(
    member_api: ApiClient,
    registry: PrivateRegistry,
    application: Application,
    path: str,
) -> None:
    name = f"{application.slug}/api"
    registry.push(name, "v1", b"one")
    reconcile_fully()
    newer = registry.push(name, "v1", b"newer")
    tag = ImageTag.objects.get()
    before = kept(member_api.team)

    response = member_api.delete(f"{path}/{tag.repository_id}/tags/{tag.pk}")

    assert response.status_code == 409
    assert code_of(response) == "tag_moved"
    assert registry.has(name, "v1")
    assert registry.has(name, newer.digest)
    assert kept(member_api.team) == before


def test_an_image_that_a_tag_names_stays(
    member_api: ApiClient,
    registry: PrivateRegistry,
    application: Application,
    path: str,
) -> None:
    pushed = registry.push(f"{application.slug}/api", "v1", b"one")
    reconcile_fully()
    manifest = ImageManifest.objects.get()
    before = kept(member_api.team)

    response = member_api.delete(
        f"{path}/{manifest.repository_id}/manifests/{manifest.pk}"
    )

    assert response.status_code == 409
    assert code_of(response) == "image_in_use"
    assert registry.has(f"{application.slug}/api", pushed.digest)
    assert kept(member_api.team) == before


def test_an_image_that_an_index_needs_stays(
    member_api: ApiClient,
    registry: PrivateRegistry,
    application: Application,
    path: str,
) -> None:
    """The index would be there, and its platform answer "manifest unknown"."""
    name = f"{application.slug}/api"
    amd64 = registry.push(name, "v1-amd64", b"amd64")
    arm64 = registry.push(name, None, b"arm64", platform="linux/arm64")
    push_index(registry.open_url, name, "v1", images=[amd64, arm64])
    reconcile_fully()
    image = f"{path}/{ImageRepository.objects.get().pk}"
    [tag] = results(member_api, f"{image}/tags?name=v1-amd64")

    untagged = member_api.delete(f"{image}/tags/{tag['id']}")
    child = ImageManifest.objects.get(digest=amd64.digest)
    refused = member_api.delete(f"{image}/manifests/{child.pk}")

    assert untagged.status_code == 204
    assert not registry.has(name, "v1-amd64")
    assert refused.status_code == 409
    assert code_of(refused) == "image_in_use"
    for reference in ("v1", amd64.digest, arm64.digest):
        assert registry.has(name, reference)
    assert names(member_api, f"{image}/tags") == ["v1"]
    assert results(member_api, f"{image}/manifests?untagged=true") == []


@pytest.mark.parametrize(
    ("url", "code"),
    [("http://127.0.0.1:1", "registry_unreachable"), ("", "no_private_registry")],
)
def test_while_the_registry_is_away_nothing_is_deleted(
    url: str,
    code: str,
    member_api: ApiClient,
    path: str,
    tag: ImageTag,
    settings: Any,
) -> None:
    settings.BERTH_REGISTRY_URL = url
    untagged = ImageManifestFactory(repository=tag.repository)
    before = kept(member_api.team)

    for address in (
        f"{path}/{tag.repository_id}/tags/{tag.pk}",
        f"{path}/{tag.repository_id}/manifests/{untagged.pk}",
        f"{path}/{tag.repository_id}",
    ):
        response = member_api.delete(address)

        assert response.status_code == 502
        assert code_of(response) == code
    assert kept(member_api.team) == before
