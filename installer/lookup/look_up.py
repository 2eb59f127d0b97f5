"""Look up which images are private, by asking for each manifest without a login.

Every image is asked for once, whatever its spellings. A host gets few requests at a
time, none while it asks for a pause, and no more after its waiting time is used up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final

from installer.lookup.host_limits import HostLimits, Stopped
from installer.lookup.verdicts import (
    Status,
    Verdict,
    failed,
    of_status,
    read_image,
    refused,
)
from installer.net.client import Response
from installer.net.failures import Failure, RequestError
from installer.net.registry import (
    TOO_MANY_REQUESTS,
    Busy,
    Refused,
    Registry,
    Target,
    raise_if_busy,
    target_of,
)
from oci.reference import Reference

MAX_WAIT_SECONDS: Final = 30.0
_THREADS: Final = 16
_TRIES: Final = 3
_MANIFEST_BYTES: Final = 4 * 1024 * 1024
# A HEAD with one of these may only mean that the registry supports no HEAD.
_NEEDS_GET: Final = frozenset({400, 405, 406, 501})


def look_up(
    images: Iterable[str],
    registry: Registry,
    *,
    max_wait: float = MAX_WAIT_SECONDS,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Verdict]:
    """Return a verdict for every image, in the same order."""
    references = {image: read_image(image) for image in images}
    targets = {
        image: target_of(reference)
        for image, reference in references.items()
        if isinstance(reference, Reference)
    }
    queue = _interleaved(dict.fromkeys(targets.values()))
    verdicts = _look_up_all(queue, registry, HostLimits(max_wait), progress)
    return {
        image: item if isinstance(item, Verdict) else verdicts[targets[image]]
        for image, item in references.items()
    }


def _look_up_all(
    queue: list[Target],
    registry: Registry,
    limits: HostLimits,
    progress: Callable[[int, int], None],
) -> dict[Target, Verdict]:
    limited = registry.visiting(limits.visit)
    verdicts: dict[Target, Verdict] = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        jobs = {
            pool.submit(_look_up, target, limited, limits): target for target in queue
        }
        try:
            for job in as_completed(jobs):
                verdicts[jobs[job]] = job.result()
                progress(len(verdicts), len(jobs))
        except BaseException:
            # Threads that wait or read would delay the exit.
            limits.stop()
            limited.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return verdicts


def _interleaved(targets: Iterable[Target]) -> list[Target]:
    """Return the targets in turn from each host, so that a slow one delays no other."""
    by_host: defaultdict[str, list[Target]] = defaultdict(list)
    for target in targets:
        by_host[target.host].append(target)
    ranked = [
        (rank, number, target)
        for number, of_host in enumerate(by_host.values())
        for rank, target in enumerate(of_host)
    ]
    return [target for *_, target in sorted(ranked, key=lambda entry: entry[:2])]


def _look_up(target: Target, registry: Registry, limits: HostLimits) -> Verdict:
    with limits.slot(target.host):
        try:
            return _with_retries(target, registry, limits)
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001 -- one odd response ends no other look-up
            return Verdict(
                Status.BAD_RESPONSE,
                f"The response from {target.host} cannot be read "
                f"({type(error).__name__}).",
            )


def _with_retries(target: Target, registry: Registry, limits: HostLimits) -> Verdict:
    tries = 0
    while True:
        tries += 1
        try:
            return of_status(target, _status(target, registry))
        except Refused:
            return refused(target)
        except RequestError as error:
            return failed(error)
        except Busy as busy:
            if not _may_retry(busy, limits, is_last=tries == _TRIES):
                return of_status(target, busy.status)


def _may_retry(busy: Busy, limits: HostLimits, *, is_last: bool) -> bool:
    """Return whether to retry, after the wait that this takes."""
    if busy.status == TOO_MANY_REQUESTS:
        return limits.pause(busy) and not is_last
    # One repository may be broken while others on its host work.
    return not is_last and limits.wait(busy)


def _status(target: Target, registry: Registry) -> int:
    """Return the HTTP status for a manifest.

    Raises:
        Busy, Refused, RequestError: as ``Registry.manifest``.
    """
    with registry.manifest("HEAD", target) as response:
        is_unclear = response.status == 200 and not _has_manifest(response)
        if not is_unclear and response.status not in _NEEDS_GET:
            raise_if_busy(response)
            return response.status
    with registry.manifest("GET", target) as response:
        raise_if_busy(response)
        if response.status == 200 and not _has_manifest(response):
            response.read(_MANIFEST_BYTES)
            raise RequestError(
                Failure.BAD_RESPONSE,
                f"{target.host} returned something other than a manifest. Is it a "
                "registry?",
            )
        return response.status


def _has_manifest(response: Response) -> bool:
    content_type = response.headers.get("Content-Type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    is_manifest = "manifest" in media_type or "image.index" in media_type
    return is_manifest or "Docker-Content-Digest" in response.headers
