"""Which images are private: each one's manifest is asked for without a login.

Nothing is called private that was not refused. Every image is asked for once, under
whichever of its names; a host gets few requests at a time, and none while it asks for
patience.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from installer.http import Answer, NoAnswer, Trouble, retry_after
from installer.registry import Busy, Refused, Registry
from oci.digest import MalformedDigest
from oci.kustomize import DOCKER_HUB, home_of
from oci.reference import MalformedName, Reference, parse_reference

AT_ONCE: Final = 16
AT_ONCE_PER_HOST: Final = 4
MAX_WAIT_SECONDS: Final = 30.0
_TRIES: Final = 3
_MANIFEST_BYTES: Final = 4 * 1024 * 1024
# A HEAD that says no more than that HEAD is not welcome here.
_NEEDS_GET: Final = frozenset({400, 405, 406, 501})
_MAY_PASS: Final = frozenset({500, 502, 503, 504})


class Status(StrEnum):
    """What a look-up found; the values are what scripts see."""

    PUBLIC = "public"
    PRIVATE = "private"
    PRIVATE_OR_MISSING = "private_or_missing"
    MISSING = "missing"
    RATE_LIMITED = "rate_limited"
    REGISTRY_ERROR = "registry_error"
    DNS = "dns_failure"
    TLS = "tls_failure"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    BAD_ANSWER = "bad_answer"
    TEMPLATE = "template"
    UNREADABLE = "unreadable"


PRIVATE: Final = frozenset({Status.PRIVATE, Status.PRIVATE_OR_MISSING})
KNOWN: Final = PRIVATE | {Status.PUBLIC}
_OF_TROUBLE: Final = {
    Trouble.DNS: Status.DNS,
    Trouble.TLS: Status.TLS,
    Trouble.TIMED_OUT: Status.TIMED_OUT,
    Trouble.UNREACHABLE: Status.UNREACHABLE,
    Trouble.BAD_ANSWER: Status.BAD_ANSWER,
}
# What is true of a host, and not of one image on it.
_OF_A_HOST: Final = frozenset({Trouble.DNS, Trouble.TLS, Trouble.UNREACHABLE})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of an image, and a sentence that says it."""

    status: Status
    sentence: str


@dataclass(frozen=True, slots=True)
class Target:
    """One image, whatever its spelling: the host, the repository and the version."""

    host: str
    repository: str
    reference: str

    def __str__(self) -> str:
        mark = "@" if ":" in self.reference else ":"
        return f"{self.repository}{mark}{self.reference}"


def target_of(reference: Reference) -> Target:
    """Return what a registry would be asked for; no version at all is ``latest``."""
    host, repository = home_of(reference)
    return Target(host, repository, reference.digest or reference.tag or "latest")


def read_image(image: str) -> Reference | Verdict:
    """Return an image's reference, or why there is none."""
    if any(mark in image for mark in ("{{", "}}", "$(", "${")):
        return Verdict(
            Status.TEMPLATE,
            "The name is a template. Render the manifests first, then ask again.",
        )
    try:
        return parse_reference(image)
    except (MalformedName, MalformedDigest) as error:
        return Verdict(Status.UNREADABLE, str(error))


def look_up(
    images: Iterable[str],
    registry: Registry,
    *,
    max_wait: float = MAX_WAIT_SECONDS,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> dict[str, Verdict]:
    """Return a verdict for every image, in their order."""
    read = {image: read_image(image) for image in images}
    targets = {
        image: target_of(found)
        for image, found in read.items()
        if isinstance(found, Reference)
    }
    gates = _Gates(max_wait)
    asked = _in_turns(dict.fromkeys(targets.values()))
    verdicts: dict[Target, Verdict] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {pool.submit(_look_up, each, registry, gates): each for each in asked}
        try:
            for job in as_completed(jobs):
                verdicts[jobs[job]] = job.result()
                progress(len(verdicts), len(jobs))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return {
        image: found if isinstance(found, Verdict) else verdicts[targets[image]]
        for image, found in read.items()
    }


def _in_turns(targets: Iterable[Target]) -> list[Target]:
    """Return them host by host in turns, so that a slow one holds up no other."""
    by_host: defaultdict[str, list[Target]] = defaultdict(list)
    for each in targets:
        by_host[each.host].append(each)
    ranked = [
        (rank, number, each)
        for number, found in enumerate(by_host.values())
        for rank, each in enumerate(found)
    ]
    return [each for *_, each in sorted(ranked, key=lambda entry: entry[:2])]


class _Gates:
    """How each host is asked: few at a time, and not before it wants to be."""

    def __init__(self, max_wait: float) -> None:
        self.max_wait = max_wait
        self._lock = threading.Lock()
        self._slots: defaultdict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(AT_ONCE_PER_HOST)
        )
        self._not_before: dict[str, float] = {}
        self._down: dict[str, Verdict] = {}

    def slot(self, host: str) -> threading.Semaphore:
        with self._lock:
            return self._slots[host]

    def down(self, host: str) -> Verdict | None:
        with self._lock:
            return self._down.get(host)

    def mark_down(self, host: str, verdict: Verdict) -> None:
        with self._lock:
            self._down[host] = verdict

    def pause(self, host: str, seconds: float) -> None:
        with self._lock:
            until = time.monotonic() + seconds
            self._not_before[host] = max(until, self._not_before.get(host, 0.0))

    def wait(self, host: str) -> None:
        with self._lock:
            left = self._not_before.get(host, 0.0) - time.monotonic()
        if left > 0:
            time.sleep(left)


def _look_up(target: Target, registry: Registry, gates: _Gates) -> Verdict:
    with gates.slot(target.host):
        given = 0.0
        for turn in range(_TRIES):
            known = gates.down(target.host)
            if known is not None:
                return known
            gates.wait(target.host)
            found, pause = _ask(target, registry, gates)
            given += pause or 0.0
            if pause is None or turn == _TRIES - 1 or given > gates.max_wait:
                return found
            gates.pause(target.host, pause)
    raise AssertionError("the last turn always returns")


def _ask(
    target: Target, registry: Registry, gates: _Gates
) -> tuple[Verdict, float | None]:
    """Return the verdict, and how long to wait if asking again may help."""
    try:
        status, headers = _status(target, registry)
    except Refused:
        return _refused(target), None
    except Busy as busy:
        status, headers = busy.status, busy.headers
    except NoAnswer as trouble:
        verdict = Verdict(_OF_TROUBLE[trouble.trouble], str(trouble))
        if trouble.trouble in _OF_A_HOST:
            gates.mark_down(target.host, verdict)
        return verdict, None
    verdict = _of_status(target, status)
    if status != 429 and status not in _MAY_PASS:
        return verdict, None
    pause = retry_after(headers)
    if pause > gates.max_wait:
        gates.mark_down(target.host, verdict)
    return verdict, pause


def _status(target: Target, registry: Registry) -> tuple[int, Mapping[str, str]]:
    where = (target.host, target.repository, target.reference)
    with registry.manifest("HEAD", *where) as answer:
        unclear = answer.status == 200 and not _names_a_manifest(answer)
        if not unclear and answer.status not in _NEEDS_GET:
            return answer.status, answer.headers
    with registry.manifest("GET", *where) as answer:
        if answer.status == 200 and not _names_a_manifest(answer):
            answer.read(_MANIFEST_BYTES)
            raise NoAnswer(
                Trouble.BAD_ANSWER,
                f"{target.host} answers with something that is no manifest. "
                "Is it a registry?",
            )
        return answer.status, answer.headers


def _names_a_manifest(answer: Answer) -> bool:
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    is_manifest = "manifest" in kind or "image.index" in kind
    return is_manifest or "Docker-Content-Digest" in answer.headers


def _refused(target: Target) -> Verdict:
    if target.host == DOCKER_HUB:
        return Verdict(
            Status.PRIVATE_OR_MISSING,
            "Docker Hub refuses it without a login. It is private, or it is not there: "
            "Docker Hub does not tell.",
        )
    return Verdict(
        Status.PRIVATE, f"{target.host} refuses it without a login: it is private."
    )


def _of_status(target: Target, status: int) -> Verdict:
    host, where = target.host, str(target)
    if status in {401, 403}:
        return _refused(target)
    known = {
        200: Verdict(Status.PUBLIC, f"{host} gives it to everybody."),
        404: Verdict(
            Status.MISSING, f"{host} says that there is no {where}. Is it misspelled?"
        ),
        429: Verdict(
            Status.RATE_LIMITED,
            f"{host} has had too many requests from here (429). Try again later.",
        ),
    }
    if status in known:
        return known[status]
    if status >= 500:
        return Verdict(
            Status.REGISTRY_ERROR,
            f"{host} has a problem of its own ({status}). Try again later.",
        )
    return Verdict(
        Status.BAD_ANSWER, f"{host} answers {status}, which says nothing about it."
    )
