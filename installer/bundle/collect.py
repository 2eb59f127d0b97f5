"""Collect all images in one bundle: first the manifests, then each blob once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, TypeVar

from installer.bundle.descriptors import Descriptor, InvalidContent, digest_of
from installer.bundle.docker_to_oci import INDEXES, is_docker, oci_index, oci_manifest
from installer.bundle.fetch import Fetcher, FetchError
from installer.bundle.image_manifests import blobs_of, descriptors, digest_for
from installer.bundle.oci_layout import OciLayout
from installer.net.failures import MALFORMED
from installer.net.registry import Registry, Target, target_of
from oci.media_types import OCI_INDEX, OCI_MANIFEST
from oci.reference import parse_reference

_MAX_DEPTH: Final = 3
_THREADS: Final = 4
# By digest, each with all the targets that have it.
Blobs = dict[str, tuple[Descriptor, tuple[Target, ...]]]
Progress = Callable[[int, int], None]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Source:
    """An image by its name in the bundle, and the name to pull it by."""

    name: str
    pulled_as: str


@dataclass(slots=True)
class Collected:
    """The images in the bundle, and a sentence for each one that is missing."""

    images: dict[str, Descriptor] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def collect(
    sources: Iterable[Source],
    registry: Registry,
    layout: OciLayout,
    *,
    platform: str = "",
    progress: Progress = lambda _done, _total: None,
) -> Collected:
    """Fetch all images that are available, and write the bundle's index."""
    collector = _Collector(registry, layout, platform)
    manifests = collector.manifests(sources)
    wanted: Blobs = {}
    for _, blobs in manifests.done.values():
        for blob, targets in blobs.values():
            _add(wanted, blob, *targets)
    fetched = collector.blobs(wanted, progress)
    result = Collected(failed=manifests.failed)
    for name, (root, blobs) in manifests.done.items():
        missing = [digest for digest in blobs if digest in fetched.failed]
        if missing:
            result.failed[name] = fetched.failed[missing[0]]
        else:
            result.images[name] = root
    layout.finish(result.images.items())
    return result


@dataclass(slots=True)
class _Outcome(Generic[Result]):
    """The results of jobs by name, and a sentence for each that failed."""

    done: dict[str, Result] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def record(self, name: str, job: Future[Result]) -> None:
        try:
            self.done[name] = job.result()
        except (FetchError, InvalidContent) as error:
            self.failed[name] = str(error)
        except MALFORMED:
            self.failed[name] = f"The content received for {name} is malformed."


class _Collector:
    def __init__(self, registry: Registry, layout: OciLayout, platform: str) -> None:
        self._fetcher = Fetcher(registry, layout)
        self._layout = layout
        self._platform = platform

    def manifests(
        self, sources: Iterable[Source]
    ) -> _Outcome[tuple[Descriptor, Blobs]]:
        """Fetch all manifests; return each image's descriptor and its blobs."""
        jobs = {source.name: partial(self._image, source) for source in sources}
        return self._run(jobs)

    def blobs(self, wanted: Blobs, progress: Progress) -> _Outcome[None]:
        """Fetch each blob that is missing."""
        jobs = {
            digest: partial(self._fetcher.blob, blob, targets)
            for digest, (blob, targets) in wanted.items()
            if not self._layout.has(blob)
        }
        return self._run(jobs, progress)

    def _run(
        self,
        jobs: Mapping[str, Callable[[], Result]],
        progress: Progress = lambda _done, _total: None,
    ) -> _Outcome[Result]:
        outcome: _Outcome[Result] = _Outcome()
        with ThreadPoolExecutor(_THREADS) as pool:
            running = {pool.submit(job): name for name, job in jobs.items()}
            try:
                for done, job in enumerate(as_completed(running), 1):
                    outcome.record(running[job], job)
                    progress(done, len(running))
            except BaseException:
                # Ctrl-C, or a full disk: the bytes received so far are kept.
                self._fetcher.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return outcome

    def _image(self, source: Source) -> tuple[Descriptor, Blobs]:
        target = target_of(parse_reference(source.pulled_as))
        descriptor, document, content = self._fetcher.manifest(target)
        if self._platform and descriptor.media_type in INDEXES:
            digest = digest_for(document, self._platform)
            if digest is None:
                raise FetchError(f"{target} has no image for {self._platform}.")
            target = Target(target.host, target.repository, digest)
            descriptor, document, content = self._fetcher.manifest(target)
        blobs: Blobs = {}
        root = self._stored(descriptor, document, content, target, blobs)
        return root, blobs

    def _stored(
        self,
        descriptor: Descriptor,
        document: dict[str, Any],
        content: bytes,
        target: Target,
        blobs: Blobs,
        depth: int = 0,
    ) -> Descriptor:
        """Store a manifest and those below it in OCI's format; return its descriptor.

        Adds their blobs to ``blobs``.
        """
        if depth > _MAX_DEPTH:
            raise FetchError(f"{target} has too many levels of indexes.")
        if descriptor.media_type in INDEXES:
            listed = descriptors(document, "manifests")
            children = [self._child(item, target, blobs, depth + 1) for item in listed]
            if is_docker(descriptor.media_type) or children != listed:
                entries = [child.to_json() for child in children]
                return self._put(oci_index(document, entries), OCI_INDEX)
        else:
            for blob in blobs_of(document):
                _add(blobs, blob, target)
            if is_docker(descriptor.media_type):
                return self._put(oci_manifest(document), OCI_MANIFEST)
        self._layout.put(content, descriptor.digest)
        return descriptor

    def _child(
        self, listed: Descriptor, target: Target, blobs: Blobs, depth: int
    ) -> Descriptor:
        child = Target(target.host, target.repository, listed.digest)
        return self._stored(*self._fetcher.manifest(child), child, blobs, depth)

    def _put(self, document: dict[str, Any], media_type: str) -> Descriptor:
        content = json.dumps(document, separators=(",", ":")).encode()
        digest = digest_of(content)
        self._layout.put(content, digest)
        return Descriptor(media_type, digest, len(content))


def _add(blobs: Blobs, blob: Descriptor, *targets: Target) -> None:
    known = blobs[blob.digest][1] if blob.digest in blobs else ()
    blobs[blob.digest] = blob, tuple(dict.fromkeys([*known, *targets]))
