"""Deletes images of the private registry, for people and API clients.

The registry itself is asked what else needs an image. It has no transactions: a push
within the milliseconds between that request and the deletion goes unnoticed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from asgiref.sync import async_to_sync
from django.db.models import Q

from audit.services import record
from audit.tags import EventTag
from images.client import RegistryClient, registry_client
from images.events import delete_if_empty, lock_repository
from images.manifest import INDEXES
from images.models import ImageManifest, ImageRepository, ImageTag
from images.survey import Survey, survey
from portal.database.retry import atomic_with_retry
from portal.errors import Conflict
from portal.limits.waiting import waiting
from teams.actors import Actor
from teams.permissions import Permission

# Somebody is waiting for the response.
SECONDS = 25


@dataclass
class _Deleted:
    """What the registry has deleted so far."""

    tags: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)


def delete_tag(*, actor: Actor, tag: ImageTag) -> None:
    """Delete a tag from the registry; other tags of the same image stay.

    Without another tag the image itself is deleted too, unless an index needs it. If
    it is an index, so are those of its images that nothing else needs. The registry's
    next garbage collection frees their space.

    Raises:
        Conflict: the tag has moved to another image since it was read.
        PrivateRegistryProblem: the registry did not delete everything. What it did
            delete is recorded.
    """
    actor.require(Permission.IMAGE_DELETE, team_id=tag.team_id)
    repository, digest = tag.repository, tag.manifest.digest
    data = {"tag": tag.name, "digest": digest}
    with _recorded(actor, EventTag.IMAGE_TAG_DELETED, repository, data) as deleted:
        _delete_tag(repository.full_name, tag.name, digest, _known(repository), deleted)


def delete_manifest(*, actor: Actor, manifest: ImageManifest) -> None:
    """Delete an image that no tag and no index needs; an index with its images.

    Raises:
        Conflict: something needs it; a push may have tagged it again.
        PrivateRegistryProblem: the registry did not delete everything. What it did
            delete is recorded.
    """
    actor.require(Permission.IMAGE_DELETE, team_id=manifest.team_id)
    repository, digest = manifest.repository, manifest.digest
    data = {"digest": digest}
    with _recorded(actor, EventTag.IMAGE_DELETED, repository, data) as deleted:
        known = [digest, *_known(repository)]
        _delete_image(repository.full_name, digest, known, deleted)


def delete_repository(*, actor: Actor, repository: ImageRepository) -> None:
    """Delete all images of a repository that the registry or Berth knows.

    Raises:
        PrivateRegistryProblem: the registry did not delete everything. What it did
            delete is recorded.
    """
    actor.require(Permission.IMAGE_DELETE, team_id=repository.team_id)
    known = list(repository.manifests.values_list("digest", flat=True))
    event = EventTag.IMAGE_REPOSITORY_DELETED
    with _recorded(actor, event, repository, {}) as deleted:
        _delete_all(repository.full_name, known, deleted)


def _known(repository: ImageRepository) -> list[str]:
    """Return the digests of indexes and of manifests that may be indexes."""
    may_be = Q(media_type__in=INDEXES) | Q(size=None)
    return list(repository.manifests.filter(may_be).values_list("digest", flat=True))


@contextmanager
def _recorded(
    actor: Actor, event: EventTag, repository: ImageRepository, data: dict[str, str]
) -> Iterator[_Deleted]:
    """Record what was deleted, whether everything was or something failed.

    Raises:
        TooMany: too many requests are waiting for other servers.
    """
    deleted = _Deleted()
    try:
        with waiting(repository.team_id):
            yield deleted
    finally:
        if deleted.tags or deleted.digests:
            _record_deletion(actor, event, repository, data, deleted)


@atomic_with_retry
def _record_deletion(
    actor: Actor,
    event: EventTag,
    repository: ImageRepository,
    data: dict[str, str],
    deleted: _Deleted,
) -> None:
    lock_repository(repository.pk)
    manifests = repository.manifests.filter(digest__in=deleted.digests)
    # Locked before their tags, which are deleted first.
    list(manifests.select_for_update().order_by("pk").values_list("pk"))
    manifests.delete()
    repository.tags.filter(name__in=deleted.tags).delete()
    record(actor, event, repository, **data, images=len(deleted.digests))
    delete_if_empty(repository)


@async_to_sync
async def _delete_tag(
    name: str, tag: str, digest: str, known: list[str], deleted: _Deleted
) -> None:
    async with registry_client() as client, asyncio.timeout(SECONDS):
        contents = await survey(client, name, known)
        current = await client.digest_of(name, tag)
        if current is None:  # somebody else deleted it first
            deleted.tags.append(tag)
        elif current != digest:
            raise Conflict(
                "tag_moved",
                f"Another image has been pushed as {tag}, so it was not deleted. "
                "Review it before you delete it.",
            )
        elif contents.is_needed(digest, except_for=tag):
            await _delete_tag_alone(client, name, tag, deleted)
        else:
            await _delete_with_children(client, name, digest, contents, deleted)


async def _delete_tag_alone(
    client: RegistryClient, name: str, tag: str, deleted: _Deleted
) -> None:
    """Delete a tag whose image stays.

    Distribution 2.8 cannot do so: there the tag is moved to an empty index, which is
    then deleted.
    """
    if await client.delete_tag(name, tag):
        deleted.tags.append(tag)
        return
    empty = await client.move_to_nothing(name, tag)
    deleted.tags.append(tag)
    await client.delete_manifest(name, empty)


@async_to_sync
async def _delete_image(
    name: str, digest: str, known: list[str], deleted: _Deleted
) -> None:
    async with registry_client() as client, asyncio.timeout(SECONDS):
        contents = await survey(client, name, known)
        if contents.is_needed(digest, except_for=""):
            raise Conflict(
                "image_in_use",
                "A tag or an index uses this image. Delete that first.",
            )
        await _delete_with_children(client, name, digest, contents, deleted)


async def _delete_with_children(
    client: RegistryClient, name: str, digest: str, contents: Survey, deleted: _Deleted
) -> None:
    """Delete an image; of an index also the images that nothing else needs.

    The index goes first: a partial index would be worse than unused images.
    """
    await client.delete_manifest(name, digest)
    deleted.digests.append(digest)
    for child in sorted(contents.indexes.get(digest, ())):
        if not contents.is_needed(child, except_for=digest):
            await client.delete_manifest(name, child)
            deleted.digests.append(child)


@async_to_sync
async def _delete_all(name: str, known: list[str], deleted: _Deleted) -> None:
    async with registry_client() as client, asyncio.timeout(SECONDS):
        contents = await survey(client, name, known)
        # Indexes first: a partial index would be worse than unused images.
        for digest in dict.fromkeys(
            [*contents.indexes, *contents.tags.values(), *known]
        ):
            await client.delete_manifest(name, digest)
            deleted.digests.append(digest)
