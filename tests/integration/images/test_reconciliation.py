"""Berth's list of images is mended by what really lies in the registry."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
import urllib3
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from deploy.local import images
from images import confirmation
from images.client import PrivateRegistryProblem
from images.confirmation import confirm_images
from images.models import ImageManifest, ImageRepository, ImageTag
from images.reconciliation import reconcile_fully, reconcile_images
from images.selectors import (
    image_repositories_for_team,
    storage_by_application,
    untagged_images,
)
from images.tasks import confirm_images_task, reconcile_images_task
from oci.media_types import OCI_MANIFEST
from tests.support.rows.factories import ImageManifestFactory, ImageTagFactory
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers.canned_server import canned_server
from tests.support.servers.failing_registry import FailingRegistry
from tests.support.stacks.private_registry import (
    PrivateRegistry,
    running_private_registry,
)

GONE = f"sha256:{'0' * 64}"


def tags(vendor: Vendor) -> dict[str, str]:
    """Return the digests of the team's tags, by repository and tag."""
    return {
        f"{tag.repository.full_name}:{tag.name}": tag.manifest.digest
        for tag in ImageTag.objects.for_team(vendor.team.pk)
    }


def test_images_without_a_notification_are_added(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    one = registry.push(f"{slug}/api", "v1", b"one")
    two = registry.push(f"{slug}/deep/er/web", "v2", b"two")

    result = reconcile_fully()

    assert result.repositories >= 2
    assert tags(vendor) == {
        f"{slug}/api:v1": one.digest,
        f"{slug}/deep/er/web:v2": two.digest,
    }
    assert not ImageTag.objects.filter(confirmed_at=None).exists()
    assert not ImageManifest.objects.filter(confirmed_at=None).exists()


def test_a_lost_push_and_a_lost_deletion_are_made_up_for(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    registry.push(f"{slug}/api", "v1", b"one")
    reconcile_fully()
    moved = registry.push(f"{slug}/api", "v1", b"one, again")
    ImageTagFactory(
        manifest__digest=GONE,
        manifest__repository=ImageRepository.objects.for_team(vendor.team.pk).get(),
        name="gone",
    )

    reconcile_fully()

    assert tags(vendor) == {f"{slug}/api:v1": moved.digest}
    repository = ImageRepository.objects.for_team(vendor.team.pk).get()
    assert [image.digest for image in untagged_images(repository)] != [GONE]
    assert not ImageManifest.objects.filter(digest=GONE).exists()


def test_a_missing_repository_is_removed(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    registry.push(f"{slug}/other", "v1", b"one")  # an empty one has lost its storage
    ImageTagFactory(
        manifest__digest=GONE, manifest__repository__application=vendor.application
    )

    reconcile_fully()

    left = ImageRepository.objects.for_team(vendor.team.pk)
    assert [row.name for row in left] == ["other"]


def test_what_an_image_consists_of_is_read(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    layers = (b"shared" * 1000, b"own")
    amd = registry.push(f"{slug}/api", None, *layers, platform="linux/amd64")
    arm = registry.push(f"{slug}/api", None, layers[0], platform="linux/arm64")
    index = images.push_index(registry.open_url, f"{slug}/api", "v1", images=[amd, arm])
    registry.push(f"{slug}/api", "small", layers[0], platform="linux/arm64")

    reconcile_fully()

    tag = ImageTag.objects.for_team(vendor.team.pk).get(name="v1")
    manifest = tag.manifest
    assert manifest.digest == index.digest
    assert manifest.platforms == ["linux/amd64", "linux/arm64"]
    assert manifest.children == [amd.digest, arm.digest]
    sizes = dict(manifest.blobs.values_list("digest", "size"))
    assert {index.digest, amd.digest, arm.digest} <= set(sizes)
    assert manifest.size == sum(sizes.values())
    # The small image is all in the index: nothing more is stored.
    repository: Any = image_repositories_for_team(vendor.team.pk).get()
    assert (repository.tag_count, repository.storage) == (2, manifest.size)
    assert storage_by_application(vendor.team.pk) == {
        vendor.application.pk: manifest.size
    }


def test_what_is_no_image_is_listed_too(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    chart = images.push_artifact(
        registry.open_url,
        f"{slug}/chart",
        "v1",
        artifact_type="application/vnd.cncf.helm.config.v1+json",
        blobs=[],
    )

    reconcile_fully()

    manifest = ImageTag.objects.for_team(vendor.team.pk).get().manifest
    assert (manifest.digest, manifest.platforms) == (chart.digest, [])
    assert manifest.size


def test_a_push_during_confirmation_is_not_overwritten(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    registry.push(f"{slug}/api", "v1", b"one")
    reconcile_fully()
    seen = ImageTag.objects.select_related("manifest", "repository__application").get()
    newer = ImageManifestFactory(repository=seen.repository)
    # A notification arrived while the registry was asked.
    ImageTag.objects.update(manifest=newer, confirmed_at=None)

    assert confirmation._update_tag(seen, seen.manifest.digest) is False

    tag = ImageTag.objects.get()
    assert (tag.manifest_id, tag.confirmed_at) == (newer.pk, None)
    confirm_images()
    tag.refresh_from_db()
    assert tag.manifest.digest == seen.manifest.digest


def test_a_push_without_a_notification_has_no_pusher(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    registry.push(f"{slug}/api", "v1", b"one")
    reconcile_fully()
    ImageTag.objects.update(pushed_by="user:somebody")
    registry.push(f"{slug}/api", "v1", b"two")

    reconcile_fully()

    assert ImageTag.objects.for_team(vendor.team.pk).get().pushed_by == ""


def test_a_poisoned_image_does_not_keep_others_from_being_read(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    blob = images.push_blob(registry.open_url, f"{slug}/evil", b"layer")
    lies = [
        {"mediaType": blob.media_type, "digest": blob.digest, "size": 2**63 - 1},
        {"mediaType": blob.media_type, "digest": blob.digest, "size": 2**48},
    ]
    for number, lie in enumerate(lies):
        push_manifest(registry, f"{slug}/evil", f"v{number}", lie)
    registry.push(f"{slug}/good", "v1", b"one")

    reconcile_fully()

    good = ImageTag.objects.get(repository__name="good").manifest
    assert good.size
    assert good.platforms == ["linux/amd64"]
    assert ImageTag.objects.filter(repository__name="evil").count() == 2


def push_manifest(
    registry: PrivateRegistry, repository: str, tag: str, layer: dict[str, Any]
) -> None:
    config = images.push_blob(registry.open_url, repository, b"{}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config.digest,
            "size": config.size,
        },
        "layers": [layer],
    }
    answer = urllib3.request(
        "PUT",
        f"{registry.open_url}/v2/{repository}/manifests/{tag}",
        headers={"Content-Type": OCI_MANIFEST},
        body=json.dumps(manifest).encode(),
    )
    assert answer.status == 201, answer.data


def test_an_index_of_indexes_is_read_once_each(
    failing: FailingRegistry, registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    image = registry.push(f"{slug}/api", None, b"one")
    inner = images.push_index(
        registry.open_url, f"{slug}/api", "inner", images=[image] * 30
    )
    images.push_index(registry.open_url, f"{slug}/api", "outer", images=[inner] * 30)

    reconcile_fully()

    outer = ImageTag.objects.get(name="outer").manifest
    assert outer.children == [inner.digest]
    assert image.digest in set(outer.blobs.values_list("digest", flat=True))
    asked = [path for _, path in failing.asked if f"/{slug}/" in path]
    assert len(asked) < 40


def test_another_server_s_404_makes_nothing_disappear(
    vendor: Vendor, settings: Any
) -> None:
    tag = ImageTagFactory(
        manifest__repository__application=vendor.application, confirmed_at=None
    )
    with canned_server({}) as endpoint:  # 404 to everything, and no registry
        settings.BERTH_REGISTRY_URL = f"http://{endpoint}"
        assert confirm_images() == 0
        with pytest.raises(PrivateRegistryProblem, match="did not expect"):
            reconcile_fully()

    assert ImageTag.objects.filter(pk=tag.pk).exists()


def test_an_empty_registry_makes_nothing_disappear(
    vendor: Vendor, settings: Any, tmp_path: Path
) -> None:
    long_ago = timezone.now() - timedelta(hours=2)
    tag = ImageTagFactory(
        manifest__repository__application=vendor.application, confirmed_at=long_ago
    )
    with running_private_registry(tmp_path) as empty:
        settings.BERTH_REGISTRY_URL = empty.url
        assert confirm_images() >= 0
        assert ImageTag.objects.filter(pk=tag.pk).exists()
        with pytest.raises(CommandError, match="Is its storage available"):
            call_command("reconcile_registry")
        assert ImageTag.objects.filter(pk=tag.pk).exists()

        call_command("reconcile_registry", "--accept-empty", stdout=StringIO())

    assert not ImageRepository.objects.for_team(vendor.team.pk).exists()


def test_only_one_process_asks_at_a_time(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    registry.push(f"{slug}/api", "v1", b"one")
    reconcile_images()
    with psycopg.connect(connection.connection.info.dsn, **password()) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [confirmation.LOCK])
        assert confirm_images() == 0
        other.execute("SELECT pg_advisory_unlock(%s)", [confirmation.LOCK])

    assert confirm_images() == 2


def password() -> dict[str, Any]:
    return {"password": connection.settings_dict["PASSWORD"]}


def test_images_without_an_application_are_reported(
    registry: PrivateRegistry, db: None
) -> None:
    slug = create_vendor().application.slug + "-never"
    registry.push(f"{slug}/api", "v1", b"one")

    stdout = StringIO()
    call_command("reconcile_registry", stdout=stdout)

    assert f"{slug}/api does not belong to an application." in stdout.getvalue()
    assert not ImageRepository.objects.exists()


def test_a_registry_that_is_away_changes_nothing(vendor: Vendor, settings: Any) -> None:
    tag = ImageTagFactory(manifest__repository__application=vendor.application)
    settings.BERTH_REGISTRY_URL = "http://127.0.0.1:1"

    with pytest.raises(PrivateRegistryProblem, match="does not answer"):
        reconcile_images()
    with pytest.raises(CommandError, match="does not answer"):
        call_command("reconcile_registry")

    before = tag.confirmed_at
    tag.refresh_from_db()
    assert tag.confirmed_at == before


def test_what_waits_goes_on_waiting_while_the_registry_is_away(
    vendor: Vendor, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        ImageTagFactory(
            manifest__repository__application=vendor.application, confirmed_at=None
        )
    settings.BERTH_REGISTRY_URL = "http://127.0.0.1:1"

    with pytest.raises(PrivateRegistryProblem, match="does not answer"):
        confirm_images()
    confirm_images_task()
    reconcile_images_task()

    assert ImageTag.objects.filter(confirmed_at=None).count() == 3
    warnings = [
        record.getMessage()
        for record in caplog.records
        if record.levelname == "WARNING"
    ]
    assert [text.partition(":")[0] for text in warnings] == [
        "Images could not be confirmed",
        "Images could not be reconciled",
    ]


def test_without_a_registry_nothing_is_asked(vendor: Vendor, settings: Any) -> None:
    settings.BERTH_REGISTRY_URL = ""
    tag = ImageTagFactory(
        manifest__repository__application=vendor.application, confirmed_at=None
    )

    assert confirm_images() == 0
    assert reconcile_images().repositories == 0
    with pytest.raises(CommandError, match="No private registry is configured"):
        call_command("reconcile_registry")
    tag.refresh_from_db()
    assert tag.confirmed_at is None
