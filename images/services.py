"""Deleting images of the private registry, for people and API clients.

What else needs an image, the registry itself is asked. It has no transactions: what is
pushed between the question and the deletion, within milliseconds, is not seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from asgiref.sync import async_to_sync
from django.db import transaction
from django.db.models import Q

from audit.services import record
from audit.tags import EventTag
from images.client import RegistryClient, registry_client
from images.events import forget_if_empty
from images.manifest import INDEXES
from images.models import ImageManifest, ImageRepository, ImageTag
from images.survey import Survey, survey
from portal.errors import Conflict
from teams.actors import Actor
from teams.permissions import Permission

# Somebody waits for the answer.
SECONDS = 25


@dataclass
class _Gone:
    """What the registry has deleted so far."""

    tags: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)


def delete_tag(*, actor: Actor, tag: ImageTag) -> None:
    """Delete a tag from the registry; other tags of the same image stay.

    Without another tag the image itself goes, unless an index needs it, and with an
    index those of its images that nothing else needs. Their space is free after the
    registry's next garbage collection.

    Raises:
        Conflict: the tag names another image than when it was read.
        PrivateRegistryProblem: the registry did not do all of it. What it did is
            written down.
    """
    actor.require(Permission.IMAGE_DELETE, team_id=tag.team_id)
    repository, digest = tag.repository, tag.manifest.digest
    data = {"tag": tag.name, "digest": digest}
    with _written_down(actor, EventTag.IMAGE_TAG_DELETED, repository, data) as gone:
        _delete_tag(repository.full_name, tag.name, digest, _known(repository), gone)


def delete_manifest(*, actor: Actor, manifest: ImageManifest) -> None:
    """Delete an image that no tag and no index needs; an index with its own.

    Raises:
        Conflict: something needs it; another push may have named it again.
        PrivateRegistryProblem: the registry did not do all of it. What it did is
            written down.
    """
    actor.require(Permission.IMAGE_DELETE, team_id=manifest.team_id)
    repository, digest = manifest.repository, manifest.digest
    data = {"digest": digest}
    with _written_down(actor, EventTag.IMAGE_DELETED, repository, data) as gone:
        known = [digest, *_known(repository)]
        _delete_image(repository.full_name, digest, known, gone)


def delete_repository(*, actor: Actor, repository: ImageRepository) -> None:
    """Delete all images of a repository that the registry or Berth knows of.

    Raises:
        PrivateRegistryProblem: the registry did not do all of it. What it did is
            written down.
    """
    actor.require(Permission.IMAGE_DELETE, team_id=repository.team_id)
    known = list(repository.manifests.values_list("digest", flat=True))
    what = EventTag.IMAGE_REPOSITORY_DELETED
    with _written_down(actor, what, repository, {}) as gone:
        _delete_all(repository.full_name, known, gone)


def _known(repository: ImageRepository) -> list[str]:
    """Return the digests of what is an index, or may be one."""
    may_be = Q(media_type__in=INDEXES) | Q(size=None)
    return list(repository.manifests.filter(may_be).values_list("digest", flat=True))


@contextmanager
def _written_down(
    actor: Actor, what: EventTag, repository: ImageRepository, data: dict[str, str]
) -> Iterator[_Gone]:
    """Write down what went, when all is done or something failed half-way."""
    gone = _Gone()
    try:
        yield gone
    finally:
        if gone.tags or gone.digests:
            _write_down(actor, what, repository, data, gone)


@transaction.atomic
def _write_down(
    actor: Actor,
    what: EventTag,
    repository: ImageRepository,
    data: dict[str, str],
    gone: _Gone,
) -> None:
    repository.tags.filter(name__in=gone.tags).delete()
    repository.manifests.filter(digest__in=gone.digests).delete()
    record(
        actor=actor,
        tag=what,
        team_id=repository.team_id,
        subject=repository,
        data={**data, "images": len(gone.digests)},
    )
    forget_if_empty(repository)


@async_to_sync
async def _delete_tag(
    name: str, tag: str, digest: str, known: list[str], gone: _Gone
) -> None:
    async with registry_client() as client, asyncio.timeout(SECONDS):
        found = await survey(client, name, known)
        now = await client.digest_of(name, tag)
        if now is None:  # somebody else was faster
            gone.tags.append(tag)
        elif now != digest:
            raise Conflict(
                "tag_moved",
                f"Somebody pushed another image as {tag} meanwhile, so it stays. "
                "Look at it again before you delete it.",
            )
        elif found.is_needed(digest, but_for=tag):
            await _delete_tag_alone(client, name, tag, gone)
        else:
            await _delete_with_its_own(client, name, digest, found, gone)


async def _delete_tag_alone(
    client: RegistryClient, name: str, tag: str, gone: _Gone
) -> None:
    """Delete a tag whose image stays, which Distribution 2.8 cannot.

    There the tag is first moved to an empty index, which is then deleted.
    """
    if await client.delete_tag(name, tag):
        gone.tags.append(tag)
        return
    empty = await client.move_to_nothing(name, tag)
    gone.tags.append(tag)
    await client.delete_manifest(name, empty)


@async_to_sync
async def _delete_image(name: str, digest: str, known: list[str], gone: _Gone) -> None:
    async with registry_client() as client, asyncio.timeout(SECONDS):
        found = await survey(client, name, known)
        if found.is_needed(digest, but_for=""):
            raise Conflict(
                "image_in_use",
                "A tag or an index names this image, so it stays. Delete that first.",
            )
        await _delete_with_its_own(client, name, digest, found, gone)


async def _delete_with_its_own(
    client: RegistryClient, name: str, digest: str, found: Survey, gone: _Gone
) -> None:
    """Delete an image, and of an index what nothing else needs.

    The index goes first: half of one would be worse than images that nobody names.
    """
    await client.delete_manifest(name, digest)
    gone.digests.append(digest)
    for child in sorted(found.indexes.get(digest, ())):
        if not found.is_needed(child, but_for=digest):
            await client.delete_manifest(name, child)
            gone.digests.append(child)


@async_to_sync
async def _delete_all(name: str, known: list[str], gone: _Gone) -> None:
    async with registry_client() as client, asyncio.timeout(SECONDS):
        found = await survey(client, name, known)
        # Indexes first: half of one would be worse than images that nobody names.
        for digest in dict.fromkeys([*found.indexes, *found.tags.values(), *known]):
            await client.delete_manifest(name, digest)
            gone.digests.append(digest)
