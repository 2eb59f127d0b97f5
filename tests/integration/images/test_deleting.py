"""Deleting tags and images from the portal's side."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from deploy.local import images
from images.client import PrivateRegistryProblem
from images.models import ImageManifest, ImageRepository, ImageTag
from images.reconciliation import reconcile_fully
from images.services import delete_manifest, delete_repository, delete_tag
from licenses.services import delete_application
from portal.errors import Conflict, NotAllowed
from teams.actors import member_actor
from tests.support.rows.factories import ImageTagFactory, MembershipFactory
from tests.support.rows.vendor import Vendor
from tests.support.servers.failing_registry import FailingRegistry, nothing
from tests.support.stacks.private_registry import PrivateRegistry


def tag_named(vendor: Vendor, name: str) -> ImageTag:
    return ImageTag.objects.for_team(vendor.team.pk).get(name=name)


def names(vendor: Vendor) -> set[str]:
    tags = ImageTag.objects.for_team(vendor.team.pk)
    return set(tags.values_list("name", flat=True))


def test_the_last_tag_takes_its_image_along(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    pushed = registry.push(f"{slug}/api", "v1", b"one")
    registry.push(f"{slug}/api", "v2", b"two")
    reconcile_fully()

    delete_tag(actor=vendor.actor, tag=tag_named(vendor, "v1"))

    assert not registry.has(f"{slug}/api", "v1")
    assert not registry.has(f"{slug}/api", pushed.digest)
    assert registry.has(f"{slug}/api", "v2")
    assert names(vendor) == {"v2"}
    assert not ImageManifest.objects.filter(digest=pushed.digest).exists()
    audited = AuditEvent.objects.get(tag="image:tag-deleted")
    assert audited.data == {"tag": "v1", "digest": pushed.digest, "images": 1}
    assert audited.subject_label == f"{slug}/api"


def test_other_tags_of_the_image_stay(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    pushed = registry.push(f"{slug}/api", "v1", b"one")
    registry.push(f"{slug}/api", "latest", b"one")
    reconcile_fully()

    delete_tag(actor=vendor.actor, tag=tag_named(vendor, "latest"))

    assert not registry.has(f"{slug}/api", "latest")
    assert registry.has(f"{slug}/api", "v1")
    assert registry.has(f"{slug}/api", pushed.digest)
    reconcile_fully()
    assert names(vendor) == {"v1"}


def test_a_tag_that_berth_does_not_know_of_stays_too(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    registry.push(f"{slug}/api", "v1", b"one")
    reconcile_fully()
    registry.push(f"{slug}/api", "unheard-of", b"one")

    delete_tag(actor=vendor.actor, tag=tag_named(vendor, "v1"))

    assert registry.has(f"{slug}/api", "unheard-of")


def test_an_index_takes_along_what_nothing_else_names(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    alone = registry.push(f"{slug}/api", None, b"amd")
    tagged = registry.push(f"{slug}/api", "arm", b"arm", platform="linux/arm64")
    unheard_of = registry.push(f"{slug}/api", None, b"s390", platform="linux/s390x")
    parts = [alone, tagged, unheard_of]
    images.push_index(registry.open_url, f"{slug}/api", "v1", images=parts)
    reconcile_fully()
    repository = ImageRepository.objects.get(application=vendor.application)
    for part in parts:
        ImageManifest.objects.get_or_create(
            repository=repository,
            digest=part.digest,
            defaults={"team": vendor.team, "pushed_at": timezone.now()},
        )
    registry.push(f"{slug}/api", "late", b"s390", platform="linux/s390x")

    delete_tag(actor=vendor.actor, tag=tag_named(vendor, "v1"))

    assert not registry.has(f"{slug}/api", "v1")
    assert not registry.has(f"{slug}/api", alone.digest)
    assert registry.has(f"{slug}/api", "arm")
    # Berth does not know that it was given a tag; the registry does.
    assert registry.has(f"{slug}/api", unheard_of.digest)
    assert set(repository.manifests.values_list("digest", flat=True)) == {
        tagged.digest,
        unheard_of.digest,
    }


def test_a_tag_that_is_gone_already_leaves_its_image(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    first = registry.push(f"{slug}/api", "v1", b"one")
    reconcile_fully()
    repository = ImageRepository.objects.get(application=vendor.application)
    gone = ImageTagFactory(
        name="gone",
        manifest=ImageManifest.objects.get(repository=repository, digest=first.digest),
    )

    delete_tag(actor=vendor.actor, tag=gone)

    assert names(vendor) == {"v1"}
    assert registry.has(f"{slug}/api", "v1")
    assert ImageManifest.objects.filter(digest=first.digest).exists()


def test_a_tag_that_has_moved_stays(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    registry.push(f"{slug}/api", "v1", b"one")
    reconcile_fully()
    registry.push(f"{slug}/api", "v1", b"newer")

    with pytest.raises(Conflict, match="Another image has been pushed as v1"):
        delete_tag(actor=vendor.actor, tag=tag_named(vendor, "v1"))

    assert registry.has(f"{slug}/api", "v1")
    assert names(vendor) == {"v1"}
    assert not AuditEvent.objects.filter(tag="image:tag-deleted").exists()


def test_an_untagged_image_and_a_whole_repository(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    first = registry.push(f"{slug}/api", "v1", b"one")
    reconcile_fully()
    registry.push(f"{slug}/api", "v1", b"two")
    reconcile_fully()
    delete_manifest(
        actor=vendor.actor,
        manifest=ImageManifest.objects.get(digest=first.digest),
    )
    assert not registry.has(f"{slug}/api", first.digest)
    registry.push(f"{slug}/api", "unheard-of", b"three")

    delete_repository(
        actor=vendor.actor, repository=ImageRepository.objects.get(name="api")
    )

    assert not registry.has(f"{slug}/api", "v1")
    assert not registry.has(f"{slug}/api", "unheard-of")
    assert not ImageRepository.objects.for_team(vendor.team.pk).exists()
    assert list(
        AuditEvent.objects.filter(tag__startswith="image:")
        .order_by("created_at")
        .values_list("tag", flat=True)
    ) == ["image:deleted", "image:repository-deleted"]


@pytest.mark.parametrize("role", ["support", "sales", "read-only"])
def test_a_role_without_the_right_deletes_nothing(
    role: str, registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    registry.push(f"{slug}/api", "v1", b"one")
    reconcile_fully()
    actor = member_actor(MembershipFactory(team=vendor.team, role=role))
    tag = tag_named(vendor, "v1")

    with pytest.raises(NotAllowed):
        delete_tag(actor=actor, tag=tag)
    with pytest.raises(NotAllowed):
        delete_manifest(actor=actor, manifest=tag.manifest)
    with pytest.raises(NotAllowed):
        delete_repository(actor=actor, repository=tag.repository)

    assert registry.has(f"{slug}/api", "v1")
    assert names(vendor) == {"v1"}


def test_while_the_registry_is_away_nothing_is_deleted(
    vendor: Vendor, settings: Any
) -> None:
    settings.BERTH_REGISTRY_URL = "http://127.0.0.1:1"
    tag = ImageTagFactory(manifest__repository__application=vendor.application)

    with pytest.raises(PrivateRegistryProblem, match="does not answer"):
        delete_tag(actor=vendor.actor, tag=tag)

    assert names(vendor) == {tag.name}
    assert not AuditEvent.objects.filter(tag="image:tag-deleted").exists()


def test_an_application_with_images_stays(vendor: Vendor) -> None:
    ImageTagFactory(manifest__repository__application=vendor.application)

    with pytest.raises(Conflict, match="Delete the images first"):
        delete_application(actor=vendor.actor, application=vendor.application)

    vendor.application.refresh_from_db()


def test_an_index_that_berth_has_not_read_keeps_its_images(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    amd = registry.push(f"{slug}/api", "amd64", b"amd")
    arm = registry.push(f"{slug}/api", "arm64", b"arm", platform="linux/arm64")
    reconcile_fully()
    # The usual end of a build: an index over the tags of each platform.
    images.push_index(registry.open_url, f"{slug}/api", "v2", images=[amd, arm])

    delete_tag(actor=vendor.actor, tag=tag_named(vendor, "amd64"))

    assert not registry.has(f"{slug}/api", "amd64")
    assert registry.has(f"{slug}/api", "v2")
    assert registry.has(f"{slug}/api", amd.digest)


def test_an_index_leaves_what_a_new_one_needs(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    shared = registry.push(f"{slug}/api", None, b"shared")
    own = registry.push(f"{slug}/api", None, b"own", platform="linux/arm64")
    images.push_index(registry.open_url, f"{slug}/api", "v1", images=[shared, own])
    reconcile_fully()
    images.push_index(registry.open_url, f"{slug}/api", "v2", images=[shared])

    delete_tag(actor=vendor.actor, tag=tag_named(vendor, "v1"))

    assert registry.has(f"{slug}/api", "v2")
    assert registry.has(f"{slug}/api", shared.digest)
    assert not registry.has(f"{slug}/api", own.digest)


def test_an_image_that_got_a_tag_stays(
    registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    first = registry.push(f"{slug}/api", "v1", b"one")
    reconcile_fully()
    registry.push(f"{slug}/api", "v1", b"two")
    reconcile_fully()
    untagged = ImageManifest.objects.get(digest=first.digest)
    registry.push(f"{slug}/api", "rollback", b"one")

    with pytest.raises(Conflict, match="A tag or an index uses this image"):
        delete_manifest(actor=vendor.actor, manifest=untagged)

    assert registry.has(f"{slug}/api", "rollback")
    assert ImageManifest.objects.filter(digest=first.digest).exists()
    assert not AuditEvent.objects.filter(tag="image:deleted").exists()


def test_deletions_before_a_failure_are_recorded(
    failing: FailingRegistry, registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    parts = [registry.push(f"{slug}/api", None, body) for body in (b"one", b"two")]
    index = images.push_index(registry.open_url, f"{slug}/api", "v1", images=parts)
    reconcile_fully()
    # The index goes, and the first of its images fails.
    failing.fails = lambda method, path: method == "DELETE" and index.digest not in path

    with pytest.raises(PrivateRegistryProblem, match="status 500"):
        delete_tag(actor=vendor.actor, tag=tag_named(vendor, "v1"))

    assert not registry.has(f"{slug}/api", "v1")
    assert all(registry.has(f"{slug}/api", part.digest) for part in parts)
    assert names(vendor) == set()
    audited = AuditEvent.objects.get(tag="image:tag-deleted")
    assert audited.data == {"tag": "v1", "digest": index.digest, "images": 1}


def test_a_tag_moved_to_nothing_is_gone_although_the_rest_failed(
    failing: FailingRegistry, registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    registry.push(f"{slug}/api", "v1", b"one")
    registry.push(f"{slug}/api", "latest", b"one")
    reconcile_fully()
    failing.fails = lambda method, path: method == "DELETE" and "sha256:" in path

    with pytest.raises(PrivateRegistryProblem, match="status 500"):
        delete_tag(actor=vendor.actor, tag=tag_named(vendor, "latest"))

    assert names(vendor) == {"v1"}
    assert AuditEvent.objects.filter(tag="image:tag-deleted").count() == 1
    failing.fails = nothing
    reconcile_fully()
    # It is there again, with nothing in it, and can be deleted.
    delete_tag(actor=vendor.actor, tag=tag_named(vendor, "latest"))
    assert not registry.has(f"{slug}/api", "latest")
    assert registry.has(f"{slug}/api", "v1")


def test_a_failure_at_the_first_step_changes_nothing(
    failing: FailingRegistry, registry: PrivateRegistry, vendor: Vendor, slug: str
) -> None:
    registry.push(f"{slug}/api", "v1", b"one")
    reconcile_fully()
    failing.fails = lambda method, _path: method == "DELETE"

    with pytest.raises(PrivateRegistryProblem, match="status 500"):
        delete_tag(actor=vendor.actor, tag=tag_named(vendor, "v1"))
    with pytest.raises(PrivateRegistryProblem, match="status 500"):
        delete_repository(
            actor=vendor.actor, repository=tag_named(vendor, "v1").repository
        )

    assert registry.has(f"{slug}/api", "v1")
    assert names(vendor) == {"v1"}
    assert not AuditEvent.objects.filter(tag__startswith="image:").exists()
