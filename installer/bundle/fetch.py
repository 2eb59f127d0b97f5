"""Fetch manifests and blobs from registries, with retries.

Source: OCI distribution spec 1.1, "Pulling manifests" and "Pulling blobs" (ranges).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from installer.bundle.descriptors import Descriptor, InvalidContent
from installer.bundle.image_manifests import read_manifest
from installer.bundle.oci_layout import OciLayout
from installer.bundle.partial_blob import PartialBlob
from installer.errors import InstallerError
from installer.lookup.look_up import MAX_WAIT_SECONDS
from installer.net.client import Response
from installer.net.failures import RequestError
from installer.net.registry import (
    Busy,
    Refused,
    Registry,
    Target,
    error_sentence,
    raise_if_busy,
)

_MAX_MANIFEST_BYTES: Final = 4 * 1024 * 1024
_TRIES: Final = 4
_RANGE_START: Final = re.compile(r"bytes (\d+)-")
Result = TypeVar("Result")


class FetchError(InstallerError):
    """An image, or a part of it, cannot be fetched."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "cannot_fetch")


class Fetcher:
    """Fetches into a layout. All threads share one."""

    def __init__(self, registry: Registry, layout: OciLayout) -> None:
        self._registry = registry
        self._layout = layout
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End all downloads; what has arrived so far is kept."""
        self._stopped.set()

    def manifest(self, target: Target) -> tuple[Descriptor, dict[str, Any], bytes]:
        """Return a manifest's descriptor, document and content.

        Raises:
            FetchError, InvalidContent: it cannot be fetched, or is malformed.
        """
        digest = target.reference if ":" in target.reference else ""
        if digest and self._layout.path(digest).is_file():
            content = self._layout.path(digest).read_bytes()
            # A file that was damaged since is fetched again.
            with suppress(InvalidContent):
                return *read_manifest(content, digest), content
        content, media_type, header = self._with_retries(
            target, lambda: self._get_manifest(target)
        )
        return *read_manifest(content, digest or header, media_type), content

    def _get_manifest(self, target: Target) -> tuple[bytes, str, str]:
        """Return a manifest, its media type, and the digest in the header."""
        with self._registry.manifest("GET", target) as response:
            _check_status(response, target, {200})
            media_type = response.headers.get("Content-Type", "").partition(";")[0]
            digest = response.headers.get("Docker-Content-Digest", "")
            return response.read(_MAX_MANIFEST_BYTES), media_type, digest

    def blob(self, blob: Descriptor, targets: tuple[Target, ...]) -> None:
        """Fetch a blob from the first target that has it.

        Raises:
            FetchError, InvalidContent: none has it; this is the last one's error.
        """
        for target in targets[:-1]:
            with suppress(FetchError, InvalidContent):
                self._blob_from(blob, target)
                return
        self._blob_from(blob, targets[-1])

    def _blob_from(self, blob: Descriptor, target: Target) -> None:
        self._with_retries(target, lambda: self._get_blob(blob, target))

    def _with_retries(self, target: Target, get: Callable[[], Result]) -> Result:
        tries = 0
        while True:
            tries += 1
            try:
                return get()
            except Refused as refused:
                raise _denied(target, refused.sentence) from refused
            except Busy as busy:
                pause = busy.retry_after
                message = (
                    f"{busy.host} is unavailable ({busy.status}). Try again later."
                )
            except RequestError as error:
                pause, message = 0.0, f"{error} Run this again to resume."
            is_last = tries == _TRIES or pause > MAX_WAIT_SECONDS
            if is_last or self._stopped.wait(pause):
                raise FetchError(message)

    def _get_blob(self, blob: Descriptor, target: Target) -> None:
        with self._layout.partial(blob) as partial:
            if partial.size < blob.size:
                get = self._registry.blob(target, blob.digest, partial.size)
                with get as response:
                    _check_status(response, target, {200, 206})
                    if not _resumes(response, partial.size):
                        partial.restart()
                    self._receive(response, partial)
            if partial.size < blob.size:
                raise FetchError(f"{target.host} sent only a part of {blob.digest}.")
            partial.finish()

    def _receive(self, response: Response, partial: PartialBlob) -> None:
        for block in response.blocks():
            partial.add(block)
            if self._stopped.is_set():
                raise FetchError("Stopped.")


def _check_status(response: Response, target: Target, expected: set[int]) -> None:
    if response.status in expected:
        return
    raise_if_busy(response)
    sentence = error_sentence(response)
    if response.status in {401, 403}:
        raise _denied(target, sentence)
    reason = f": {sentence}" if sentence else "."
    raise FetchError(f"{target.host} returned {response.status} for {target}{reason}")


def _denied(target: Target, sentence: str) -> FetchError:
    reason = sentence or "it gives no reason."
    return FetchError(f"{target.host} denies access to {target}: {reason}")


def _resumes(response: Response, size: int) -> bool:
    """Return whether a response begins where our bytes end."""
    if response.status != 206:
        return size == 0
    start = _RANGE_START.match(response.headers.get("Content-Range", ""))
    return start is not None and int(start[1]) == size
