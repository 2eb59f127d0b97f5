from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from images.models import ImageTag
from licenses.models import Application
from oci.media_types import OCI_INDEX, OCI_MANIFEST
from registries.models import PRIVATE_REGISTRY_ID, PRIVATE_REGISTRY_SLUG
from teams.models import Team
from tests.support.clients.api import ApiClient
from tests.support.rows.factories import (
    ApplicationFactory,
    ExternalRegistryFactory,
    ImageBlobFactory,
    ImageManifestFactory,
    ImageRepositoryFactory,
    ImageTagFactory,
    PullEventFactory,
)
from tests.support.rows.world import rows_of

HOST = "registry.acme.example"
MONDAY = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TUESDAY = MONDAY + timedelta(days=1)
PUSHER = "api-token:5e0d6f0c-8d43-4f0e-9f0b-0a6c1d2e3f40"


@pytest.fixture
def away(settings: Any) -> None:
    settings.BERTH_REGISTRY_URL = "http://127.0.0.1:1"


@pytest.fixture
def application(team: Team) -> Application:
    """Every test has one of its own, so also images of its own."""
    return ApplicationFactory(team=team)


@pytest.fixture
def path(application: Application, settings: Any) -> str:
    settings.BERTH_REGISTRY_HOST = HOST
    return f"/applications/{application.slug}/images"


@pytest.fixture
def tag(application: Application) -> ImageTag:
    return ImageTagFactory(
        manifest__repository__application=application,
        manifest__repository__name="api",
        manifest__pushed_by=PUSHER,
        manifest__pushed_at=MONDAY,
        name="v1",
        pushed_by=PUSHER,
        pushed_at=MONDAY,
    )


def results(client: ApiClient, path: str) -> list[dict[str, Any]]:
    response = client.get(path)
    assert response.status_code == 200
    rows: list[dict[str, Any]] = response.json()["results"]
    return rows


def names(client: ApiClient, path: str) -> list[str]:
    return [row["name"] for row in results(client, path)]


def kept(team: Team) -> dict[str, Any]:
    """Return all that a refused request must leave as it was."""
    rows = rows_of(team)
    del rows["teams.ApiToken"]  # notes its use
    return rows


def test_an_image_tells_what_is_in_it(
    viewer_api: ApiClient, path: str, tag: ImageTag, application: Application
) -> None:
    manifest = ImageManifestFactory(
        repository=tag.repository, pushed_at=TUESDAY, last_pulled_at=TUESDAY
    )
    for owner in (tag.manifest, manifest):
        ImageBlobFactory(manifest=owner, digest="sha256:shared", size=1000)
    ImageBlobFactory(manifest=manifest, size=24)

    [listed] = results(viewer_api, path)

    assert listed == {
        "id": str(tag.repository_id),
        "name": "api",
        "repository": f"{application.slug}/api",
        "image": f"{HOST}/{application.slug}/api",
        "tags": 1,
        "storage_bytes": 1024,
        "last_pushed_at": "2026-03-03T09:30:00Z",
        "last_pulled_at": "2026-03-03T09:30:00Z",
        "created_at": listed["created_at"],
    }
    assert viewer_api.get(f"{path}/{tag.repository_id}").json() == listed
    by_id = f"/applications/{application.pk}/images/{tag.repository_id}"
    assert viewer_api.get(by_id).json() == listed


def test_a_tag_tells_what_to_pull(
    viewer_api: ApiClient, path: str, tag: ImageTag, application: Application
) -> None:
    tags = f"{path}/{tag.repository_id}/tags"

    [listed] = results(viewer_api, tags)

    assert listed == {
        "id": str(tag.pk),
        "name": "v1",
        "reference": f"{HOST}/{application.slug}/api:v1",
        "digest": tag.manifest.digest,
        "media_type": OCI_MANIFEST,
        "platforms": ["linux/amd64"],
        "size_bytes": 5 * 2**20,
        "pushed_at": "2026-03-02T09:30:00Z",
        "pushed_by": PUSHER,
        "last_pulled_at": None,
    }
    assert viewer_api.get(f"{tags}/{tag.pk}").json() == listed


def test_a_manifest_tells_its_tags(
    viewer_api: ApiClient, path: str, tag: ImageTag, application: Application
) -> None:
    ImageTagFactory(manifest=tag.manifest, name="latest")
    manifests = f"{path}/{tag.repository_id}/manifests"

    [listed] = results(viewer_api, manifests)

    assert listed == {
        "id": str(tag.manifest_id),
        "digest": tag.manifest.digest,
        "reference": f"{HOST}/{application.slug}/api@{tag.manifest.digest}",
        "media_type": OCI_MANIFEST,
        "platforms": ["linux/amd64"],
        "size_bytes": 5 * 2**20,
        "tags": ["latest", "v1"],
        "pushed_at": "2026-03-02T09:30:00Z",
        "pushed_by": PUSHER,
        "last_pulled_at": None,
    }
    assert viewer_api.get(f"{manifests}/{tag.manifest_id}").json() == listed


def test_what_nobody_knows_yet_is_null(
    viewer_api: ApiClient, path: str, application: Application, settings: Any
) -> None:
    settings.BERTH_REGISTRY_HOST = ""
    empty = ImageRepositoryFactory(application=application)
    unread = ImageTagFactory(
        manifest__repository__application=application, manifest__size=None
    )

    image = viewer_api.get(f"{path}/{empty.pk}").json()
    tag = viewer_api.get(f"{path}/{unread.repository_id}/tags/{unread.pk}").json()

    assert (image["image"], image["tags"], image["storage_bytes"]) == (None, 0, 0)
    assert (image["last_pushed_at"], image["last_pulled_at"]) == (None, None)
    assert (tag["reference"], tag["size_bytes"], tag["pushed_by"]) == (None, None, "")


def test_images_are_found_by_the_beginning_of_their_name(
    viewer_api: ApiClient, path: str, application: Application
) -> None:
    for name in ("api", "apix/worker", "web/api", "a%i"):
        ImageRepositoryFactory(application=application, name=name)

    assert names(viewer_api, path) == ["a%i", "web/api", "apix/worker", "api"]
    assert names(viewer_api, f"{path}?search=api") == ["apix/worker", "api"]
    assert names(viewer_api, f"{path}?search=a%25") == ["a%i"]


def test_tags_are_found_by_name_and_digest(
    viewer_api: ApiClient, path: str, tag: ImageTag
) -> None:
    ImageTagFactory(manifest=tag.manifest, name="latest", pushed_at=TUESDAY)
    other = ImageManifestFactory(repository=tag.repository)
    ImageTagFactory(manifest=other, name="v10")
    tags = f"{path}/{tag.repository_id}/tags"

    assert names(viewer_api, tags) == ["v10", "latest", "v1"]
    assert names(viewer_api, f"{tags}?name=v1") == ["v1"]
    assert names(viewer_api, f"{tags}?digest={tag.manifest.digest}") == ["latest", "v1"]
    assert names(viewer_api, f"{tags}?name=v1&digest={other.digest}") == []


def test_untagged_manifests_are_those_that_nothing_needs(
    viewer_api: ApiClient, path: str, tag: ImageTag
) -> None:
    repository = tag.repository
    child, left = ImageManifestFactory.create_batch(2, repository=repository)
    index = ImageManifestFactory(
        repository=repository, media_type=OCI_INDEX, children=[child.digest]
    )
    ImageTagFactory(manifest=index)
    manifests = f"{path}/{repository.pk}/manifests"

    def digests(query: str) -> set[str]:
        rows = results(viewer_api, f"{manifests}{query}")
        return {row["digest"] for row in rows}

    others = {tag.manifest.digest, child.digest, index.digest}
    assert digests("?untagged=true") == {left.digest}
    assert digests("?untagged=false") == others
    assert digests("") == others | {left.digest}


@pytest.mark.parametrize("below", ["", "/{image}/tags", "/{image}/manifests"])
def test_lists_have_pages_and_refuse_unknown_parameters(
    below: str, viewer_api: ApiClient, path: str, application: Application
) -> None:
    repository = ImageRepositoryFactory(application=application)
    for _ in range(2):
        ImageRepositoryFactory(application=application)
        ImageTagFactory(manifest=ImageManifestFactory(repository=repository))
    address = path + below.format(image=repository.pk)
    all_rows = results(viewer_api, address)

    first = viewer_api.get(f"{address}?page_size=1").json()
    cursor = first["next"].partition("?")[2]
    second = viewer_api.get(f"{address}?{cursor}").json()

    assert first["results"] + second["results"] == all_rows[:2]
    assert second["previous"] is not None
    misspelt = viewer_api.get(f"{address}?serach=x")
    assert misspelt.status_code == 400
    assert list(misspelt.json()["errors"]) == ["serach"]


@pytest.mark.parametrize(
    ("below", "queries"), [("", 4), ("/{image}/tags", 5), ("/{image}/manifests", 6)]
)
def test_lists_take_as_many_queries_for_more_rows(
    below: str, queries: int, viewer_api: ApiClient, path: str, tag: ImageTag
) -> None:
    address = path + below.format(image=tag.repository_id)
    viewer_api.get(address)  # notes the token's use
    counts = []
    for rows in (1, 3):
        with CaptureQueriesContext(connection) as captured:
            assert len(results(viewer_api, address)) == rows
        counts.append(len(captured))
        for _ in range(2):
            ImageTagFactory(
                manifest__repository__application=tag.repository.application
            )
            manifest = ImageManifestFactory(repository=tag.repository)
            ImageTagFactory(manifest=manifest)

    assert counts == [queries, queries]


def test_images_are_unknown_under_another_application(
    owner_api: ApiClient, path: str, tag: ImageTag, away: None
) -> None:
    other = ApplicationFactory(team=owner_api.team)
    elsewhere = ImageRepositoryFactory(application=tag.repository.application)
    before = kept(owner_api.team)

    for address in (
        f"/applications/{other.slug}/images/{tag.repository_id}",
        f"/applications/{other.slug}/images/{tag.repository_id}/tags/{tag.pk}",
        f"{path}/{elsewhere.pk}/tags/{tag.pk}",
        f"{path}/{elsewhere.pk}/manifests/{tag.manifest_id}",
    ):
        for method in ("get", "delete"):
            assert owner_api.request(method, address).status_code == 404
    assert results(owner_api, f"/applications/{other.slug}/images") == []
    assert results(owner_api, f"{path}/{elsewhere.pk}/tags") == []
    assert kept(owner_api.team) == before


def test_pulls_of_the_private_registry_are_distinguished_from_others(
    viewer_api: ApiClient,
) -> None:
    team = viewer_api.team
    # A registry that took this slug for itself is asked for by its ID.
    external = ExternalRegistryFactory(team=team, slug=PRIVATE_REGISTRY_SLUG)
    private = PullEventFactory(
        team=team,
        registry_id=PRIVATE_REGISTRY_ID,
        registry_slug=PRIVATE_REGISTRY_SLUG,
        repository="worker",
    )
    through = PullEventFactory(team=team, registry=external)
    refused = PullEventFactory(team=team, outcome="license_expired")

    def listed(query: str = "") -> list[tuple[str, str | None]]:
        rows = results(viewer_api, f"/pulls{query}")
        return [(row["id"], row["registry"]) for row in rows]

    assert listed() == [
        (str(refused.pk), None),
        (str(through.pk), PRIVATE_REGISTRY_SLUG),
        (str(private.pk), PRIVATE_REGISTRY_SLUG),
    ]
    assert listed(f"?registry={PRIVATE_REGISTRY_SLUG}") == [
        (str(private.pk), PRIVATE_REGISTRY_SLUG)
    ]
    assert listed(f"?registry={external.pk}") == [
        (str(through.pk), PRIVATE_REGISTRY_SLUG)
    ]
