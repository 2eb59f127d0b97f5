"""Adds images from the registry's own catalog to Berth's list.

Notifications can be lost, because the registry keeps them only in memory. Images that
Berth already knows are confirmed regularly by :mod:`images.confirmation`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from asgiref.sync import async_to_sync, sync_to_async
from django.utils import timezone

from images.client import (
    PrivateRegistryProblem,
    RegistryClient,
    is_configured,
    registry_client,
)
from images.confirmation import EMPTY, confirm_images
from images.events import get_or_create_manifest, get_or_create_repository
from images.models import ImageManifest, ImageRepository, ImageTag
from licenses.models import Application
from oci.reference import MalformedName, parse_repository, parse_tag
from portal.database.retry import atomic_with_retry

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The result of a walk through the catalog.

    ``unknown`` are repositories whose application does not exist any more.
    """

    repositories: int
    added: int
    unknown: tuple[str, ...]


def reconcile_images() -> Reconciliation:
    """Add the tags that Berth does not know.

    Does nothing if no private registry is configured.

    Raises:
        PrivateRegistryProblem: the registry is unreachable.
    """
    return _walk() if is_configured() else Reconciliation(0, 0, ())


def reconcile_fully(*, accept_empty: bool = False) -> Reconciliation:
    """Reconcile as :func:`reconcile_images`, then confirm everything that Berth knows.

    Raises:
        PrivateRegistryProblem: the registry is unreachable, or empty although Berth
            knows of images: its storage is probably missing. ``accept_empty`` deletes
            them from Berth's list.
    """
    started = timezone.now()
    result = reconcile_images()
    if (
        not result.repositories
        and not accept_empty
        and ImageRepository.objects.exists()
    ):
        raise PrivateRegistryProblem("registry_empty", EMPTY)
    if accept_empty:
        ImageManifest.objects.update(confirmed_at=None)
    while confirm_images(started, wait=True):
        pass
    return result


@async_to_sync
async def _walk() -> Reconciliation:
    repositories, added, unknown = 0, 0, []
    async with registry_client() as client:
        async for name in client.repositories():
            repositories += 1
            tags = await client.tags(name)
            application = await sync_to_async(_application_of)(name)
            if application is not None:
                added += await _add_tags(client, application, name, tags)
            elif tags:
                unknown.append(name)
    if unknown:
        logger.warning(
            "Repositories without an application: %s", ", ".join(unknown[:20])
        )
    return Reconciliation(repositories, added, tuple(unknown))


def _application_of(name: str) -> Application | None:
    return Application.objects.filter(slug=name.partition("/")[0]).first()


async def _add_tags(
    client: RegistryClient, application: Application, name: str, tags: list[str]
) -> int:
    image = name.partition("/")[2]
    added = 0
    for tag in await sync_to_async(_missing)(application, image, tags):
        digest = await client.digest_of(name, tag)
        if digest is not None:
            await sync_to_async(_add_tag)(application, image, tag, digest)
            added += 1
    return added


def _missing(application: Application, image: str, tags: Iterable[str]) -> list[str]:
    known = ImageTag.objects.for_team(application.team_id).filter(
        repository__application=application, repository__name=image
    )
    names = set(known.values_list("name", flat=True))
    return [tag for tag in tags if tag not in names and _is_name(image, tag)]


def _is_name(image: str, tag: str) -> bool:
    try:
        return bool(parse_repository(image) and parse_tag(tag))
    except MalformedName:
        return False


@atomic_with_retry
def _add_tag(application: Application, image: str, tag: str, digest: str) -> None:
    """Add a tag without a notification: the pusher is unknown."""
    repository = get_or_create_repository(application, image)
    manifest = get_or_create_manifest(repository, digest)
    ImageTag.objects.get_or_create(
        repository=repository,
        name=tag,
        defaults={
            "team_id": application.team_id,
            "manifest": manifest,
            "pushed_at": manifest.pushed_at,
            "pushed_by": manifest.pushed_by,
        },
    )
