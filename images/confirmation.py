"""Confirms Berth's list of images by asking the private registry.

Notifications are hints: the tag or manifest that one is about must be confirmed.
Everything else is confirmed once an hour, because notifications can be lost. An answer
is stored only if the row has not changed since the request; if another notification
arrived in between, the next round asks again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from asgiref.sync import async_to_sync, sync_to_async
from django.db.models import Q
from django.utils import timezone

from images.client import (
    UNREACHABLE,
    Contents,
    PrivateRegistryProblem,
    RegistryClient,
    is_configured,
    registry_client,
)
from images.events import delete_if_empty, get_or_create_manifest, lock_repository
from images.models import ImageBlob, ImageManifest, ImageTag
from portal.database.exclusive import exclusively
from portal.database.retry import atomic_with_retry

RECONFIRM_AFTER = timedelta(hours=1)
BATCH = 200
ROUNDS = 5
AT_ONCE = 8
ROW_SECONDS = 60
LOCK = 0x696D61676573  # any number that nothing else uses
MAX_BYTES = 2**63 - 1
EMPTY = (
    "The registry is empty, although Berth knows of images. Is its storage available? "
    "Nothing was changed."
)
logger = logging.getLogger(__name__)
Row = TypeVar("Row", ImageTag, ImageManifest)


def confirm_images(before: datetime | None = None, *, wait: bool = False) -> int:
    """Confirm unconfirmed rows, and those last confirmed ``before`` an instant.

    The default instant is an hour ago. Confirms a limited number of rows and returns
    how many; none while another process does this, unless ``wait`` is set.

    Raises:
        PrivateRegistryProblem: the registry is unreachable.
    """
    if not is_configured():
        return 0
    with exclusively(
        LOCK, before_waiting=_say_that_it_waits if wait else None
    ) as has_lock:
        if not has_lock:
            return 0
        stale = _stale(before or timezone.now() - RECONFIRM_AFTER)
        done = _confirm([*_unconfirmed(), *stale])
        for _ in range(ROUNDS):
            # Rows that became unconfirmed since then do not wait for the next call.
            if not (rows := _unconfirmed()) or not (more := _confirm(rows)):
                break
            done += more
        return done


def _say_that_it_waits() -> None:
    logger.info("Another process confirms images. Waiting for it.")


def _unconfirmed() -> list[ImageTag | ImageManifest]:
    # In random order, so that rows for which the registry fails never block others.
    return _batch(Q(confirmed_at=None), order="?")


def _stale(before: datetime) -> list[ImageTag | ImageManifest]:
    return _batch(Q(confirmed_at__lt=before), order="confirmed_at")


def _batch(condition: Q, *, order: str) -> list[ImageTag | ImageManifest]:
    tags = ImageTag.objects.select_related("manifest", "repository__application")
    manifests = ImageManifest.objects.select_related("repository__application")
    return [
        *tags.filter(condition).order_by(order)[:BATCH],
        *manifests.filter(condition).order_by(order)[:BATCH],
    ]


@async_to_sync
async def _confirm(rows: list[ImageTag | ImageManifest]) -> int:
    if not rows:
        return 0
    gate = asyncio.Semaphore(AT_ONCE)
    async with registry_client() as client:

        async def confirm(row: ImageTag | ImageManifest) -> bool:
            async with gate:
                return await _confirm_safely(client, row)

        return sum(await asyncio.gather(*(confirm(row) for row in rows)))


async def _confirm_safely(
    client: RegistryClient, row: ImageTag | ImageManifest
) -> bool:
    """Confirm one row; its errors must not affect other rows."""
    name = row.repository.full_name
    try:
        async with asyncio.timeout(ROW_SECONDS):
            return await _confirm_row(client, row, name)
    except (PrivateRegistryProblem, TimeoutError) as problem:
        if getattr(problem, "code", "") == UNREACHABLE:
            raise  # this affects all rows
        logger.warning("%s of %s is not confirmed: %s", row, name, problem)
        return False
    except Exception:
        logger.exception("%s of %s cannot be confirmed.", row, name)
        # Retry only after the usual hour: right now it would fail again.
        await sync_to_async(_postpone)(row)
        return False


async def _confirm_row(
    client: RegistryClient, row: ImageTag | ImageManifest, name: str
) -> bool:
    if isinstance(row, ImageManifest) and row.size is None:
        contents = await client.contents(name, row.digest)
        return await _write(_store_contents, row, contents)
    reference = row.name if isinstance(row, ImageTag) else row.digest
    digest = await client.digest_of(name, reference)
    if digest is None and row.confirmed_at is not None and await client.is_empty():
        # No notification of a deletion: more likely its storage is missing.
        raise PrivateRegistryProblem("registry_empty", EMPTY)
    if isinstance(row, ImageTag):
        return await _write(_update_tag, row, digest)
    return await _write(_update_manifest, row, digest)


async def _write(
    function: Callable[[Row, Any], bool], row: Row, answer: object
) -> bool:
    return await sync_to_async(function)(row, answer)


def _locked(row: Row) -> Any:
    """Return the row if it has not changed, locked in the order of images.events."""
    lock_repository(row.repository_id)
    unchanged = (
        type(row)
        .objects.for_team(row.team_id)
        .filter(pk=row.pk, pushed_at=row.pushed_at, confirmed_at=row.confirmed_at)
    )
    if isinstance(row, ImageTag):
        return unchanged.filter(manifest=row.manifest_id)
    return unchanged.select_for_update()


def _postpone(row: ImageTag | ImageManifest) -> None:
    type(row).objects.for_team(row.team_id).filter(pk=row.pk).update(
        confirmed_at=timezone.now()
    )


@atomic_with_retry
def _update_tag(tag: ImageTag, digest: str | None) -> bool:
    unchanged = _locked(tag)
    if not unchanged.exists():
        return False
    now = timezone.now()
    if digest is None:
        unchanged.delete()
        return True
    if digest == tag.manifest.digest:
        return bool(unchanged.update(confirmed_at=now))
    # Moved by a push without a notification. The manifest is locked before the tag.
    manifest = get_or_create_manifest(tag.repository, digest)
    return bool(
        unchanged.update(
            manifest=manifest,
            pushed_at=manifest.pushed_at,
            pushed_by=manifest.pushed_by,
            confirmed_at=now,
        )
    )


@atomic_with_retry
def _update_manifest(manifest: ImageManifest, digest: str | None) -> bool:
    unchanged = _locked(manifest)
    if not unchanged.exists():
        return False
    if digest is None:
        unchanged.delete()
        delete_if_empty(manifest.repository)
    else:
        unchanged.update(confirmed_at=timezone.now())
    return True


@atomic_with_retry
def _store_contents(manifest: ImageManifest, contents: Contents | None) -> bool:
    if contents is None:
        return _update_manifest(manifest, None)
    unchanged = _locked(manifest)
    if not unchanged.exists():
        return False
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
    unchanged.update(
        media_type=contents.media_type[:255],
        # Sizes come from the pusher, unverified.
        size=min(contents.size, MAX_BYTES),
        platforms=list(contents.platforms),
        children=list(contents.children),
        confirmed_at=timezone.now(),
    )
    return True
