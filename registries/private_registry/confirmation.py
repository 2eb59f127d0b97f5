"""Asking the private registry whether what Berth has written down is so.

Notifications are hints: a tag or a manifest that one was about waits to be confirmed.
What the registry answers is written only if the row is still as it was when asked; if
another notification came meanwhile, the next round asks again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from asgiref.sync import async_to_sync, sync_to_async
from django.db import transaction
from django.utils import timezone

from registries.models import ImageBlob, ImageManifest, ImageTag
from registries.private_registry.client import (
    Contents,
    PrivateRegistryProblem,
    RegistryClient,
    is_configured,
    registry_client,
)
from registries.private_registry.events import forget_if_empty, remember_manifest

BATCH = 200
AT_ONCE = 8
logger = logging.getLogger(__name__)
Row = TypeVar("Row", ImageTag, ImageManifest)


def confirm_images() -> int:
    """Confirm what waits for it, up to 200 rows; return how many were.

    Raises:
        PrivateRegistryProblem: the registry cannot be reached at all.
    """
    if not is_configured():
        return 0
    # In any order, so that those the registry fails for never keep others waiting.
    tags = ImageTag.objects.filter(confirmed_at=None).select_related(
        "manifest", "repository__application"
    )
    manifests = ImageManifest.objects.filter(confirmed_at=None).select_related(
        "repository__application"
    )
    found: list[ImageTag | ImageManifest] = [
        *tags.order_by("?")[:BATCH],
        *manifests.order_by("?")[:BATCH],
    ]
    return _confirm(found) if found else 0


@async_to_sync
async def _confirm(rows: list[ImageTag | ImageManifest]) -> int:
    gate = asyncio.Semaphore(AT_ONCE)
    async with registry_client() as client:

        async def confirm(row: ImageTag | ImageManifest) -> bool:
            async with gate:
                return await _confirm_row(client, row)

        return sum(await asyncio.gather(*(confirm(row) for row in rows)))


async def _confirm_row(client: RegistryClient, row: ImageTag | ImageManifest) -> bool:
    name = row.repository.full_name
    try:
        if isinstance(row, ImageTag):
            digest = await client.digest_of(name, row.name)
            return await _write(_tag_found, row, digest)
        if row.size is None:
            contents = await client.contents(name, row.digest)
            return await _write(_contents_found, row, contents)
        return await _write(
            _manifest_found, row, await client.digest_of(name, row.digest)
        )
    except PrivateRegistryProblem as problem:
        logger.warning("%s of %s is not confirmed: %s", row, name, problem.message)
        return False


async def _write(function: Callable[[Row, Any], bool], row: Row, found: object) -> bool:
    return await sync_to_async(function)(row, found)


@transaction.atomic
def _tag_found(tag: ImageTag, digest: str | None) -> bool:
    same = ImageTag.objects.for_team(tag.team_id).filter(
        pk=tag.pk,
        manifest=tag.manifest_id,
        pushed_at=tag.pushed_at,
        confirmed_at=None,
    )
    if digest is None:
        return bool(same.delete()[0])
    manifest = tag.manifest
    if manifest.digest != digest:
        manifest = remember_manifest(tag.repository, digest)
    return bool(same.update(manifest=manifest, confirmed_at=timezone.now()))


@transaction.atomic
def _manifest_found(manifest: ImageManifest, digest: str | None) -> bool:
    same = ImageManifest.objects.for_team(manifest.team_id).filter(
        pk=manifest.pk, pushed_at=manifest.pushed_at, confirmed_at=None
    )
    if digest is not None:
        return bool(same.update(confirmed_at=timezone.now()))
    deleted = bool(same.delete()[0])
    forget_if_empty(manifest.repository)
    return deleted


@transaction.atomic
def _contents_found(manifest: ImageManifest, contents: Contents | None) -> bool:
    if contents is None:
        return _manifest_found(manifest, None)
    ImageManifest.objects.for_team(manifest.team_id).filter(pk=manifest.pk).update(
        media_type=contents.media_type[:255],
        size=contents.size,
        platforms=list(contents.platforms),
        children=list(contents.children),
    )
    blobs = [
        ImageBlob(
            team_id=manifest.team_id,
            repository_id=manifest.repository_id,
            manifest=manifest,
            digest=digest,
            size=size,
        )
        for digest, size in contents.blobs.items()
    ]
    ImageBlob.objects.bulk_create(blobs, ignore_conflicts=True)
    return _manifest_found(manifest, manifest.digest)
