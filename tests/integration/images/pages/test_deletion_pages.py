"""Deleting images on the portal's pages, as a browser without JavaScript does."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from audit.models import AuditEvent
from deploy.local import images
from images.models import ImageManifest, ImageTag
from images.reconciliation import reconcile_fully
from oci.media_types import DOCKER_LIST, OCI_INDEX
from registries.models import PRIVATE_REGISTRY_ID
from tests.support.pages.reading import text_of
from tests.support.rows.factories import (
    ImageManifestFactory,
    ImageTagFactory,
    PullEventFactory,
)
from tests.support.rows.vendor import Vendor
from tests.support.stacks.private_registry import PrivateRegistry


@pytest.fixture
def client(vendor: Vendor) -> Client:
    client = Client()
    client.force_login(vendor.owner)
    return client


def tag_named(vendor: Vendor, name: str) -> ImageTag:
    return ImageTag.objects.for_team(vendor.team.pk).get(name=name)


def address(tag: ImageTag, *rest: object) -> str:
    slug = tag.team.slug
    parts = (f"/t/{slug}/images", tag.repository_id, *rest)
    return "/".join(map(str, parts))


def form_of(response: Any) -> dict[str, str]:
    """Return what the dialog's form sends; a dialog is a page without scripts."""
    content = response.content.decode()
    assert "<html" in content
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', content)
    return {name: value for name, value in fields if name != "csrfmiddlewaretoken"}


def test_tag_untagged_image_and_repository(
    client: Client, registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    old = registry.push(f"{slug}/api", "v1", b"one")
    reconcile_fully()
    for name in ("v1", "latest", "v2"):
        registry.push(f"{slug}/api", name, b"three" if name == "v2" else b"two")
    reconcile_fully()
    tag = tag_named(vendor, "latest")
    image = address(tag)

    dialog = client.get(address(tag, "tags", tag.pk, "delete"))
    assert "Only this tag is deleted." in text_of(dialog)
    assert "Remaining tags v1" in text_of(dialog)
    answer = client.post(address(tag, "tags", tag.pk, "delete"), form_of(dialog))
    assert answer.headers["Location"] == image
    assert f"{slug}/api:latest was deleted." in text_of(client.get(image))
    assert not registry.has(f"{slug}/api", "latest")
    assert registry.has(f"{slug}/api", "v1")

    untagged = ImageManifest.objects.get(digest=old.digest)
    target = address(tag, "untagged", untagged.pk, "delete")
    answer = client.post(target, form_of(client.get(target)))
    assert answer.headers["Location"] == image
    assert not registry.has(f"{slug}/api", old.digest)

    dialog = client.get(address(tag, "delete"))
    assert "2 tags" in text_of(dialog)
    answer = client.post(address(tag, "delete"), form_of(dialog))
    assert answer.headers["Location"] == f"/t/{vendor.team.slug}/private-registry"
    assert not registry.has(f"{slug}/api", "v2")
    assert client.get(image).status_code == 404
    assert "No images yet" in text_of(client.get(answer.headers["Location"]))


def test_the_last_tag_takes_the_image_and_leads_to_the_list(
    client: Client, registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    registry.push(f"{slug}/api", "v1", b"one")
    reconcile_fully()
    tag = tag_named(vendor, "v1")
    target = address(tag, "tags", tag.pk, "delete")

    dialog = client.get(target)
    assert "so the image is deleted too" in text_of(dialog)
    answer = client.post(target, form_of(dialog))

    assert answer.headers["Location"] == f"/t/{vendor.team.slug}/private-registry"
    assert not registry.has(f"{slug}/api", "v1")


DELETED = "No other tag and no index needs its image, so the image is deleted too"
STAYS = "Its image stays, because an index of several images needs it"
INDEX = "It is an index. This also deletes the images it lists"
UNREAD = "If it is an index, this also deletes the images it lists"


def test_the_dialogs_show_what_is_deleted_too(client: Client, vendor: Vendor) -> None:
    child = ImageTagFactory(manifest__repository__application=vendor.application)
    repository = child.repository
    index = ImageTagFactory(
        manifest__repository=repository,
        manifest__media_type=OCI_INDEX,
        manifest__children=[child.manifest.digest],
    )
    alone = ImageTagFactory(manifest__repository=repository)
    untagged = ImageManifestFactory(repository=repository)
    list_of_none = ImageManifestFactory(repository=repository, media_type=DOCKER_LIST)
    unread = ImageManifestFactory(repository=repository, media_type="", size=None)

    def sentences_of(kind: str, row: ImageTag | ImageManifest) -> set[str]:
        text = text_of(client.get(address(child, kind, row.pk, "delete")))
        sentences = (
            DELETED,
            STAYS,
            INDEX,
            UNREAD,
            "This frees no disk space",
            "frees the disk space",
        )
        return {sentence for sentence in sentences if sentence in text}

    assert sentences_of("tags", child) == {STAYS, "This frees no disk space"}
    assert sentences_of("tags", alone) == {DELETED, "frees the disk space"}
    assert sentences_of("tags", index) == {DELETED, INDEX, "frees the disk space"}
    assert sentences_of("untagged", untagged) == {"frees the disk space"}
    assert sentences_of("untagged", list_of_none) == {INDEX, "frees the disk space"}
    assert sentences_of("untagged", unread) == {UNREAD, "frees the disk space"}


def test_an_index_is_deleted_with_its_images(
    client: Client, registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    """An image of an index stays, as the dialogs say."""
    first = registry.push(f"{slug}/api", "v1-amd64", b"one")
    second = registry.push(f"{slug}/api", "v1-arm64", b"two")
    both = [first, second]
    images.push_index(registry.open_url, f"{slug}/api", "v1", images=both)
    reconcile_fully()
    tags = [tag_named(vendor, name) for name in ("v1-amd64", "v1")]

    for tag, sentence in zip(tags, (STAYS, INDEX), strict=True):
        target = address(tag, "tags", tag.pk, "delete")
        dialog = client.get(target)
        assert sentence in text_of(dialog)
        client.post(target, form_of(dialog))
        stays = {
            image.digest: registry.has(f"{slug}/api", image.digest)
            for image in (first, second)
        }
        assert stays == {first.digest: tag is tags[0], second.digest: True}


def test_the_dialog_shows_what_breaks(client: Client, vendor: Vendor) -> None:
    tag = ImageTagFactory(
        manifest__repository__application=vendor.application, name="v1"
    )
    license = vendor.license()
    PullEventFactory(
        team=vendor.team,
        license=license,
        application_slug=vendor.application.slug,
        registry_id=PRIVATE_REGISTRY_ID,
        repository=tag.repository.name,
        reference="v1",
        count=1_234,
    )

    for target in (
        address(tag, "delete"),
        address(tag, "tags", tag.pk, "delete"),
    ):
        text = text_of(client.get(target))
        assert "Pulls in 30 days 1,234" in text
        assert "Pulled by Example Corp (1,234)" in text
        assert "Active licenses 1 for App can pull it now" in text
        assert "New pulls fail with manifest unknown" in text
        assert "next garbage collection" in text


def test_a_tag_that_moved_since_the_dialog_stays(
    client: Client, registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    registry.push(f"{slug}/api", "v1", b"one")
    reconcile_fully()
    tag = tag_named(vendor, "v1")
    target = address(tag, "tags", tag.pk, "delete")
    form = form_of(client.get(target))

    # The registry refuses, because Berth does not know of the push yet.
    moved = registry.push(f"{slug}/api", "v1", b"two")
    answer = client.post(target, form)
    assert answer.status_code == 200
    assert "Another image has been pushed as v1" in text_of(answer)

    # Berth refuses, because the dialog showed another image.
    reconcile_fully()
    answer = client.post(target, form)
    assert "Nothing was deleted, because another image was pushed." in text_of(answer)
    assert moved.digest in text_of(answer)
    assert client.post(target).status_code == 200
    assert registry.has(f"{slug}/api", moved.digest)
    assert not AuditEvent.objects.filter(tag="image:tag-deleted").exists()

    # Submitted again, the form deletes the image that it shows now.
    assert client.post(target, form_of(answer)).status_code == 302
    assert not registry.has(f"{slug}/api", moved.digest)


def test_the_dialog_shows_that_the_registry_is_unavailable(
    client: Client, vendor: Vendor, settings: Any
) -> None:
    settings.BERTH_REGISTRY_URL = "http://127.0.0.1:1"
    tag = ImageTagFactory(manifest__repository__application=vendor.application)
    untagged = ImageManifestFactory(repository=tag.repository)

    for rest, more in (
        (("delete",), "Some of the images may already be deleted."),
        (("tags", tag.pk, "delete"), "Try again in a minute."),
        (("untagged", untagged.pk, "delete"), "Try again in a minute."),
    ):
        target = address(tag, *rest)
        answer = client.post(target, form_of(client.get(target)))
        assert answer.status_code == 200
        assert "The private registry does not answer." in text_of(answer)
        assert more in text_of(answer)

    assert ImageTag.objects.filter(pk=tag.pk).exists()
    assert ImageManifest.objects.filter(pk=untagged.pk).exists()
    assert not AuditEvent.objects.filter(tag__startswith="image:").exists()


def test_a_tagged_image_is_not_deleted_as_an_untagged_one(
    client: Client, vendor: Vendor
) -> None:
    tag = ImageTagFactory(manifest__repository__application=vendor.application)
    target = address(tag, "untagged", tag.manifest_id, "delete")

    assert client.post(target, {"digest": tag.manifest.digest}).status_code == 404
    assert ImageTag.objects.filter(pk=tag.pk).exists()
