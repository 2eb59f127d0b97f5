"""Deleting images of the private registry, for people and API clients."""

from __future__ import annotations

import asyncio

from asgiref.sync import async_to_sync
from django.db import transaction

from audit.services import record
from audit.tags import EventTag
from portal.errors import Conflict
from registries.models import ImageManifest, ImageRepository, ImageTag
from registries.private_registry.client import RegistryClient, registry_client
from registries.private_registry.events import forget_if_empty
from registries.private_registry.selectors import (
    is_needed_by_index,
    only_needed_by,
)
from teams.actors import Actor
from teams.permissions import Permission

AT_ONCE = 8


def delete_tag(*, actor: Actor, tag: ImageTag) -> None:
    """Delete a tag from the registry; other tags of the same image stay.

    Without another tag the image itself goes, unless an index needs it, and with an
    index those of its images that nothing else names. Their space is free after the
    registry's next garbage collection.

    Raises:
        Conflict: the tag names another image than when it was read.
        PrivateRegistryProblem: the registry did not do it; nothing changed.
    """
    actor.require(Permission.IMAGE_DELETE, team_id=tag.team_id)
    manifest, repository = tag.manifest, tag.repository
    images = [manifest.digest, *only_needed_by(manifest)]
    gone = _delete_tag(
        repository.full_name,
        tag.name,
        images,
        keep_image=is_needed_by_index(manifest),
    )
    with transaction.atomic():
        ImageTag.objects.for_team(tag.team_id).filter(
            pk=tag.pk, manifest=manifest
        ).delete()
        repository.manifests.filter(digest__in=gone).delete()
        record(
            actor=actor,
            tag=EventTag.IMAGE_TAG_DELETED,
            team_id=tag.team_id,
            subject=repository,
            data={"tag": tag.name, "digest": manifest.digest},
        )
        forget_if_empty(repository)


def delete_manifest(*, actor: Actor, manifest: ImageManifest) -> None:
    """Delete an image that no tag names and no index needs; an index with its own.

    Raises:
        Conflict: one does; another push may have named it again.
        PrivateRegistryProblem: the registry did not do it; nothing changed.
    """
    actor.require(Permission.IMAGE_DELETE, team_id=manifest.team_id)
    repository = manifest.repository
    if manifest.tags.exists() or is_needed_by_index(manifest):
        raise Conflict(
            "image_in_use",
            "A tag or an index names this image, so it stays. Delete that first.",
        )
    images = [manifest.digest, *only_needed_by(manifest)]
    _delete_manifests(repository.full_name, images)
    with transaction.atomic():
        repository.manifests.filter(digest__in=images).delete()
        record(
            actor=actor,
            tag=EventTag.IMAGE_DELETED,
            team_id=manifest.team_id,
            subject=repository,
            data={"digest": manifest.digest},
        )
        forget_if_empty(repository)


def delete_repository(*, actor: Actor, repository: ImageRepository) -> None:
    """Delete all images of a repository that the registry or Berth knows of.

    Raises:
        PrivateRegistryProblem: the registry did not do it; some may be gone.
    """
    actor.require(Permission.IMAGE_DELETE, team_id=repository.team_id)
    known = repository.manifests.values_list("digest", flat=True)
    deleted = _delete_manifests(repository.full_name, list(known), with_tagged=True)
    with transaction.atomic():
        record(
            actor=actor,
            tag=EventTag.IMAGE_REPOSITORY_DELETED,
            team_id=repository.team_id,
            subject=repository,
            data={"images": deleted},
        )
        repository.delete()


@async_to_sync
async def _delete_tag(
    name: str, tag: str, images: list[str], *, keep_image: bool
) -> set[str]:
    """Delete a tag, and its image if that was the last; return the digests that went.

    ``images`` are its image and, of an index, those that are to go with it.
    """
    async with registry_client() as client:
        now = await client.digest_of(name, tag)
        if now is None:  # somebody else was faster
            return set()
        if now != images[0]:
            raise Conflict(
                "tag_moved",
                f"Somebody pushed another image as {tag} meanwhile, so it stays. "
                "Look at it again before you delete it.",
            )
        # Asked of the registry itself: to delete an image takes all its tags along.
        others = [each for each in await client.tags(name) if each != tag]
        tagged = await _digests(client, name, others)
        if keep_image or now in tagged:
            await client.delete_tag(name, tag)
            return set()
        gone = set(images) - tagged
        for digest in gone:
            await client.delete_manifest(name, digest)
        return gone


@async_to_sync
async def _delete_manifests(
    name: str, digests: list[str], *, with_tagged: bool = False
) -> int:
    async with registry_client() as client:
        found = set(digests)
        if with_tagged:
            found |= await _digests(client, name, await client.tags(name))
        for digest in sorted(found):
            await client.delete_manifest(name, digest)
    return len(found)


async def _digests(client: RegistryClient, name: str, tags: list[str]) -> set[str]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def digest_of(tag: str) -> str | None:
        async with gate:
            return await client.digest_of(name, tag)

    found = await asyncio.gather(*(digest_of(tag) for tag in tags))
    return {digest for digest in found if digest is not None}
