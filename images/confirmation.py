"""Asking the private registry whether what Berth has written down is so.

Notifications are hints: a tag or a manifest that one was about waits to be confirmed.
Everything else is asked about once an hour, for notifications get lost. What the
registry answers is written only if the row is still as it was when asked; if another
notification came meanwhile, the next round asks again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection, transaction
from django.utils import timezone

from images.client import (
    UNREACHABLE,
    Contents,
    PrivateRegistryProblem,
    RegistryClient,
    is_configured,
    registry_client,
)
from images.events import forget_if_empty, remember_manifest
from images.models import ImageBlob, ImageManifest, ImageTag

GOOD_FOR = timedelta(hours=1)
BATCH = 200
ROUNDS = 5
AT_ONCE = 8
ROW_SECONDS = 60
LOCK = 0x696D61676573  # any number that nothing else takes
MAX_BYTES = 2**63 - 1
EMPTY = (
    "The registry holds nothing at all, and Berth knows of images. Is its storage "
    "there? Nothing was changed."
)
logger = logging.getLogger(__name__)
Row = TypeVar("Row", ImageTag, ImageManifest)


def confirm_images(before: datetime | None = None, *, wait: bool = False) -> int:
    """Confirm what waits for it, and what was confirmed last before an instant.

    That is an hour ago unless said otherwise. Does a bounded number of rows and
    returns how many; none while another process does it, unless told to ``wait``.

    Raises:
        PrivateRegistryProblem: the registry cannot be reached at all.
    """
    if not is_configured():
        return 0
    with _alone(wait=wait) as alone:
        if not alone:
            return 0
        stale = _stale(before or timezone.now() - GOOD_FOR)
        done = _confirm([*_unsure(), *stale])
        for _ in range(ROUNDS):
            # What came meanwhile does not wait for the next call.
            if not (rows := _unsure()) or not (more := _confirm(rows)):
                break
            done += more
        return done


@contextmanager
def _alone(*, wait: bool) -> Iterator[bool]:
    function = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [LOCK])
        alone = cursor.fetchone()[0] is not False
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _unsure() -> list[ImageTag | ImageManifest]:
    # In any order, so that those the registry fails for never keep others waiting.
    tags = _tags().filter(confirmed_at=None).order_by("?")
    manifests = _manifests().filter(confirmed_at=None).order_by("?")
    return [*tags[:BATCH], *manifests[:BATCH]]


def _stale(before: datetime) -> list[ImageTag | ImageManifest]:
    tags = _tags().filter(confirmed_at__lt=before).order_by("confirmed_at")
    manifests = _manifests().filter(confirmed_at__lt=before).order_by("confirmed_at")
    return [*tags[:BATCH], *manifests[:BATCH]]


def _tags() -> Any:
    return ImageTag.objects.select_related("manifest", "repository__application")


def _manifests() -> Any:
    return ImageManifest.objects.select_related("repository__application")


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
    """Confirm one row; its trouble must not be that of the others."""
    name = row.repository.full_name
    try:
        async with asyncio.timeout(ROW_SECONDS):
            return await _confirm_row(client, row, name)
    except (PrivateRegistryProblem, TimeoutError) as problem:
        if getattr(problem, "code", "") == UNREACHABLE:
            raise  # it is the others' trouble too
        logger.warning("%s of %s is not confirmed: %s", row, name, problem)
        return False
    except Exception:
        logger.exception("%s of %s cannot be confirmed.", row, name)
        # Not before its hour again: it would fail again at once.
        await sync_to_async(_put_off)(row)
        return False


async def _confirm_row(
    client: RegistryClient, row: ImageTag | ImageManifest, name: str
) -> bool:
    if isinstance(row, ImageManifest) and row.size is None:
        contents = await client.contents(name, row.digest)
        return await _write(_contents_found, row, contents)
    reference = row.name if isinstance(row, ImageTag) else row.digest
    digest = await client.digest_of(name, reference)
    if digest is None and row.confirmed_at is not None and await client.is_empty():
        # Nobody said that it was deleted. Its storage is not there, more likely.
        raise PrivateRegistryProblem("registry_empty", EMPTY)
    if isinstance(row, ImageTag):
        return await _write(_tag_found, row, digest)
    return await _write(_manifest_found, row, digest)


async def _write(function: Callable[[Row, Any], bool], row: Row, found: object) -> bool:
    return await sync_to_async(function)(row, found)


def _same(row: ImageTag | ImageManifest) -> Any:
    """Return the row, if it is still as it was, locked."""
    return (
        type(row)
        .objects.for_team(row.team_id)
        .filter(pk=row.pk, pushed_at=row.pushed_at, confirmed_at=row.confirmed_at)
        .select_for_update()
    )


def _put_off(row: ImageTag | ImageManifest) -> None:
    type(row).objects.for_team(row.team_id).filter(pk=row.pk).update(
        confirmed_at=timezone.now()
    )


@transaction.atomic
def _tag_found(tag: ImageTag, digest: str | None) -> bool:
    same = _same(tag).filter(manifest=tag.manifest_id)
    if not same.exists():
        return False
    now = timezone.now()
    if digest is None:
        same.delete()
    elif digest == tag.manifest.digest:
        same.update(confirmed_at=now)
    else:
        # Moved by a push that nobody told of.
        manifest = remember_manifest(tag.repository, digest)
        same.update(
            manifest=manifest,
            pushed_at=manifest.pushed_at,
            pushed_by=manifest.pushed_by,
            confirmed_at=now,
        )
    return True


@transaction.atomic
def _manifest_found(manifest: ImageManifest, digest: str | None) -> bool:
    same = _same(manifest)
    if not same.exists():
        return False
    if digest is None:
        same.delete()
        forget_if_empty(manifest.repository)
    else:
        same.update(confirmed_at=timezone.now())
    return True


@transaction.atomic
def _contents_found(manifest: ImageManifest, contents: Contents | None) -> bool:
    if contents is None:
        return _manifest_found(manifest, None)
    same = _same(manifest)
    if not same.exists():
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
    same.update(
        media_type=contents.media_type[:255],
        # Sizes are what the pusher says. Nobody checks them.
        size=min(contents.size, MAX_BYTES),
        platforms=list(contents.platforms),
        children=list(contents.children),
        confirmed_at=timezone.now(),
    )
    return True
