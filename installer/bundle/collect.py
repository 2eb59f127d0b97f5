"""All images into one bundle: manifests first, then each blob once.

Sources: OCI image spec 1.1, "Image Index" and "Image Manifest"; OCI distribution spec
1.1, "Pulling blobs" (ranges).
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, TypeVar

from installer.bundle.docker_to_oci import (
    INDEXES,
    index_as_oci,
    is_dockers,
    manifest_as_oci,
)
from installer.bundle.oci_layout import (
    Descriptor,
    OciLayout,
    PartialBlob,
    WrongBytes,
    check_digest,
    read_descriptor,
)
from installer.errors import InstallerError
from installer.lookup.look_up import MAX_WAIT_SECONDS
from installer.lookup.targets import Target, target_of
from installer.net.client import Response
from installer.net.failures import RequestError
from installer.net.registry import (
    Busy,
    Refused,
    Registry,
    error_sentence,
    raise_if_busy,
)
from oci.digest import Digest, MalformedDigest, parse_digest
from oci.media_types import OCI_INDEX, OCI_MANIFEST
from oci.reference import parse_reference

_MAX_MANIFEST_BYTES: Final = 4 * 1024 * 1024
_MAX_DEPTH: Final = 3
_AT_ONCE: Final = 4
_TRIES: Final = 4
_STAYS_WHERE_IT_IS: Final = re.compile(r"nondistributable|foreign")
_RANGE_START: Final = re.compile(r"bytes (\d+)-")
# By their digest, each with all places where it is to be had.
Blobs = dict[str, tuple[Descriptor, tuple[Target, ...]]]
# What the documents of strangers can make of code that reads them.
_STRANGE: Final = (
    TypeError,
    LookupError,
    ValueError,
    AttributeError,
    RecursionError,
)
Found = TypeVar("Found")


class CannotFetch(InstallerError):  # noqa: N818 -- states the fact
    """One image, or a part of it, is not to be had."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "cannot_fetch")


@dataclass(frozen=True, slots=True)
class Source:
    """An image as it is named, and as it is pulled."""

    name: str
    pulled_as: str


@dataclass(slots=True)
class Collected:
    """What the bundle has, and a sentence for each image that it has not."""

    images: dict[str, Descriptor] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def collect(
    sources: Iterable[Source],
    registry: Registry,
    layout: OciLayout,
    *,
    platform: str = "",
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Collected:
    """Fetch all images that can be had, and write the bundle's index."""
    collector = _Collector(registry, layout, platform)
    found = collector.images(sources)
    blobs: Blobs = {}
    for _, parts in found.done.values():
        for part, targets in parts.values():
            _add(blobs, part, *targets)
    fetched = collector.blobs(blobs, progress)
    result = Collected(failed=dict(found.failed))
    for name, (root, parts) in found.done.items():
        lost = next(
            (fetched.failed[each] for each in parts if each in fetched.failed), ""
        )
        if lost:
            result.failed[name] = lost
        else:
            result.images[name] = root
    layout.finish(result.images.items())
    return result


@dataclass(slots=True)
class _Outcome(Generic[Found]):
    """What jobs gave by their names, and a sentence for each that gave nothing."""

    done: dict[str, Found] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


class _Collector:
    def __init__(self, registry: Registry, layout: OciLayout, platform: str) -> None:
        self._registry = registry
        self._layout = layout
        self._platform = platform
        self._stopped = threading.Event()

    def images(self, sources: Iterable[Source]) -> _Outcome[tuple[Descriptor, Blobs]]:
        """Fetch all manifests; return each image's descriptor and its blobs."""
        return self._at_once(
            {each.name: partial(self._image, each) for each in sources}
        )

    def blobs(
        self, wanted: Blobs, progress: Callable[[int, int], None]
    ) -> _Outcome[None]:
        """Fetch each blob that is not there yet."""
        jobs = {
            digest: partial(self._blob, part, targets)
            for digest, (part, targets) in wanted.items()
            if not self._layout.has(part)
        }
        return self._at_once(jobs, progress)

    def _at_once(
        self,
        jobs: Mapping[str, Callable[[], Found]],
        progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> _Outcome[Found]:
        outcome: _Outcome[Found] = _Outcome()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            running = {pool.submit(job): name for name, job in jobs.items()}
            try:
                for done, each in enumerate(as_completed(running), 1):
                    _take(outcome, running[each], each)
                    progress(done, len(running))
            except BaseException:
                # Ctrl-C, or a full disk: what has come so far is kept.
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return outcome

    def _image(self, source: Source) -> tuple[Descriptor, Blobs]:
        target = target_of(parse_reference(source.pulled_as))
        found, document, content = self._manifest(target)
        if self._platform and found.media_type in INDEXES:
            target = self._chosen(document, target)
            found, document, content = self._manifest(target)
        blobs: Blobs = {}
        root = self._stored(found, document, content, target, blobs)
        return root, blobs

    def _stored(
        self,
        found: Descriptor,
        document: Any,
        content: bytes,
        target: Target,
        blobs: Blobs,
        depth: int = 0,
    ) -> Descriptor:
        """Store a manifest and those below it, as OCI's; return its descriptor there.

        ``blobs`` is added to.
        """
        if depth > _MAX_DEPTH:
            raise CannotFetch(f"{target} is an index of indexes without end.")
        if found.media_type in INDEXES:
            listed = _listed(document, "manifests")
            below = [self._below(each, target, blobs, depth + 1) for each in listed]
            if is_dockers(found.media_type) or below != listed:
                children = [each.to_json() for each in below]
                return self._put(index_as_oci(document, children), OCI_INDEX)
        else:
            for each in _parts(document):
                _add(blobs, each, target)
            if is_dockers(found.media_type):
                return self._put(manifest_as_oci(document), OCI_MANIFEST)
        self._layout.put(content, found.digest)
        return found

    def _below(
        self, listed: Descriptor, target: Target, blobs: Blobs, depth: int
    ) -> Descriptor:
        below = Target(target.host, target.repository, listed.digest)
        found, document, content = self._manifest(below)
        return self._stored(found, document, content, below, blobs, depth)

    def _put(self, document: dict[str, Any], media_type: str) -> Descriptor:
        content = json.dumps(document, separators=(",", ":")).encode()
        digest = Digest(f"sha256:{hashlib.sha256(content).hexdigest()}")
        self._layout.put(content, digest)
        return Descriptor(media_type, digest, len(content))

    def _chosen(self, index: Any, target: Target) -> Target:
        """Return the manifest of the wanted platform."""
        descriptors = _listed(index, "manifests")
        for each, found in zip(index["manifests"], descriptors, strict=True):
            if _platform(each) in {self._platform, f"{self._platform}/v8"}:
                return Target(target.host, target.repository, found.digest)
        raise CannotFetch(f"{target} is not made for {self._platform}.")

    def _manifest(self, target: Target) -> tuple[Descriptor, Any, bytes]:
        """Return a manifest, its bytes being what its digest says."""
        digest = parse_digest(target.reference) if ":" in target.reference else None
        if digest and self._layout.path(digest).is_file():
            content = self._layout.read(digest)
            # One that has rotten since is fetched again.
            with suppress(WrongBytes):
                check_digest(content, digest)
                return *_manifest_descriptor(content, digest, ""), content
        content, kind, promised = self._patiently(target, lambda: self._ask(target))
        found, document = _manifest_descriptor(content, digest or promised, kind)
        check_digest(content, found.digest)
        return found, document, content

    def _ask(self, target: Target) -> tuple[bytes, str, str]:
        """Return a manifest, its media type, and the digest that is promised for it."""
        where = (target.host, target.repository, target.reference)
        with self._registry.manifest("GET", *where) as answer:
            _check(answer, target, {200})
            kind = answer.headers.get("Content-Type", "").partition(";")[0]
            promised = answer.headers.get("Docker-Content-Digest", "")
            return answer.read(_MAX_MANIFEST_BYTES), kind, promised

    def _blob(self, blob: Descriptor, targets: tuple[Target, ...]) -> None:
        """Fetch a blob from the first place that gives it.

        Raises:
            CannotFetch, WrongBytes: none does; this is what the last one said.
        """
        for target in targets[:-1]:
            with suppress(CannotFetch, WrongBytes):
                self._blob_from(blob, target)
                return
        self._blob_from(blob, targets[-1])

    def _blob_from(self, blob: Descriptor, target: Target) -> None:
        # What came before a connection broke is kept.
        self._patiently(target, partial(self._fetch, blob, target))

    def _patiently(self, target: Target, ask: Callable[[], Found]) -> Found:
        """Ask again, after as long as the registry wishes, where that may help.

        Raises:
            CannotFetch: it did not help.
        """
        for left in reversed(range(_TRIES)):
            try:
                return ask()
            except Refused as refused:
                raise CannotFetch(_refusal(target, refused.sentence)) from refused
            except Busy as busy:
                pause, trouble = busy.retry_after, _too_busy(target, busy)
            except RequestError as no_answer:
                pause, trouble = 0.0, f"{no_answer} Run this again to go on."
            if not left or pause > MAX_WAIT_SECONDS or self._stopped.wait(pause):
                raise CannotFetch(trouble)
        raise AssertionError("the last turn returns or raises")

    def _fetch(self, blob: Descriptor, target: Target) -> None:
        with self._layout.continued(blob) as begun:
            if begun.size < blob.size:
                where = (target.host, target.repository, blob.digest, begun.size)
                with self._registry.blob(*where) as answer:
                    _check(answer, target, {200, 206})
                    if not _goes_on(answer, begun.size):
                        begun.restart()
                    self._receive(answer, begun)
            if begun.size < blob.size:
                raise CannotFetch(f"{target.host} sends {blob.digest} cut short.")
            begun.finish()

    def _receive(self, answer: Response, begun: PartialBlob) -> None:
        for block in answer.blocks():
            begun.add(block)
            if self._stopped.is_set():
                raise CannotFetch("Stopped.")


def _take(outcome: _Outcome[Found], name: str, job: Future[Found]) -> None:
    try:
        outcome.done[name] = job.result()
    except (CannotFetch, WrongBytes) as error:
        outcome.failed[name] = str(error)
    except _STRANGE:
        outcome.failed[name] = f"What came for {name} cannot be made sense of."


def _add(blobs: Blobs, blob: Descriptor, *targets: Target) -> None:
    known = blobs[blob.digest][1] if blob.digest in blobs else ()
    blobs[blob.digest] = blob, tuple(dict.fromkeys([*known, *targets]))


def _too_busy(target: Target, busy: Busy) -> str:
    return f"{target.host} is busy or broken ({busy.status}). Try again later."


def _check(answer: Response, target: Target, wanted: set[int]) -> None:
    if answer.status in wanted:
        return
    raise_if_busy(answer)
    sentence = error_sentence(answer)
    if answer.status in {401, 403}:
        raise CannotFetch(_refusal(target, sentence))
    said = f": {sentence}" if sentence else "."
    raise CannotFetch(f"{target.host} answers {answer.status} for {target}{said}")


def _refusal(target: Target, sentence: str) -> str:
    return f"{target.host} refuses {target}: {sentence or 'it gives no reason.'}"


def _goes_on(answer: Response, size: int) -> bool:
    """Tell whether an answer begins where the bytes that we have end."""
    if answer.status != 206:
        return size == 0
    start = _RANGE_START.match(answer.headers.get("Content-Range", ""))
    return start is not None and int(start[1]) == size


def _manifest_descriptor(
    content: bytes, promised: str, kind: str
) -> tuple[Descriptor, dict[str, Any]]:
    document = _document(content)
    inferred = OCI_INDEX if "manifests" in document else OCI_MANIFEST
    media_type = document.get("mediaType") or kind or inferred
    if not isinstance(media_type, str):
        raise _no_manifest()
    try:
        digest = parse_digest(promised) if promised else None
    except MalformedDigest as error:
        raise _no_manifest() from error
    found = digest or Digest(f"sha256:{hashlib.sha256(content).hexdigest()}")
    return Descriptor(media_type, found, len(content)), document


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _no_manifest() from error
    if not isinstance(document, dict):
        raise _no_manifest()
    return document


def _no_manifest() -> WrongBytes:
    return WrongBytes("What came is no manifest.", "manifest")


def _parts(document: Any) -> list[Descriptor]:
    """Return the blobs of a manifest but those that may not be given away."""
    config = read_descriptor(document.get("config"))
    return [
        each
        for each in (config, *_listed(document, "layers"))
        if not _STAYS_WHERE_IT_IS.search(each.media_type)
    ]


def _listed(document: Any, key: str) -> list[Descriptor]:
    found = document.get(key)
    if not isinstance(found, list):
        raise WrongBytes(f"A manifest has no {key}.", "manifest")
    return [read_descriptor(each) for each in found]


def _platform(entry: Any) -> str:
    found = entry.get("platform")
    if not isinstance(found, dict):
        return ""
    parts = (found.get("os"), found.get("architecture"), found.get("variant"))
    return "/".join(str(each) for each in parts if each)
