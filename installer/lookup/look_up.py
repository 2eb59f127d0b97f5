"""Which images are private: each one's manifest is asked for without a login.

Nothing is called private that was not refused. Every image is asked for once, under
whichever of its names; a host gets few requests at a time, none while it asks for
patience, and no more once it has used that up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from installer.lookup.host_limits import Gates, Stopped
from installer.net.client import Answer, NoAnswer, Trouble, retry_after
from installer.net.registry import Busy, Refused, Registry
from oci.digest import MalformedDigest
from oci.kustomize import DOCKER_HUB, home_of
from oci.reference import MalformedName, Reference, parse_reference

AT_ONCE: Final = 16
MAX_WAIT_SECONDS: Final = 30.0
_TRIES: Final = 3
_MANIFEST_BYTES: Final = 4 * 1024 * 1024
# A HEAD that says no more than that HEAD is not welcome here.
_NEEDS_GET: Final = frozenset({400, 405, 406, 501})
_TOO_MANY_REQUESTS: Final = 429
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
# Who refuses a name that is not there as one that is private, and how each is called.
_TELLS_NOTHING: Final = {
    DOCKER_HUB: "Docker Hub",
    "quay.io": "Quay",
    "ghcr.io": "GitHub",
    "gcr.io": "Google",
    "pkg.dev": "Google",
    "registry.gitlab.com": "GitLab",
    "azurecr.io": "Azure",
    "amazonaws.com": "Amazon",
}


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
    asked = _in_turns(dict.fromkeys(targets.values()))
    verdicts = _look_up_all(asked, registry, Gates(max_wait), progress)
    return {
        image: found if isinstance(found, Verdict) else verdicts[targets[image]]
        for image, found in read.items()
    }


def _look_up_all(
    asked: list[Target],
    registry: Registry,
    gates: Gates,
    progress: Callable[[int, int], None],
) -> dict[Target, Verdict]:
    asking = registry.visiting(gates.visit)
    verdicts: dict[Target, Verdict] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {pool.submit(_look_up, each, asking, gates): each for each in asked}
        try:
            for job in as_completed(jobs):
                verdicts[jobs[job]] = job.result()
                progress(len(verdicts), len(jobs))
        except BaseException:
            # Who waits, or reads, would hold up the end.
            gates.stop()
            asking.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return verdicts


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


def _look_up(target: Target, registry: Registry, gates: Gates) -> Verdict:
    with gates.slot(target.host):
        try:
            return _patiently(target, registry, gates)
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001 -- one odd answer ends no other look-up
            return Verdict(
                Status.BAD_ANSWER,
                f"What {target.host} answers cannot be read ({type(error).__name__}).",
            )


def _patiently(target: Target, registry: Registry, gates: Gates) -> Verdict:
    for left in reversed(range(_TRIES)):
        found = _ask(target, registry)
        if isinstance(found, Verdict):
            return found
        if not _may_ask_again(found, gates, is_last=not left):
            return _of_status(target, found.status)
    raise AssertionError("the last turn always returns")


def _may_ask_again(busy: Busy, gates: Gates, *, is_last: bool) -> bool:
    """Wait, or have all wait who ask that host; tell whether that is worth it."""
    seconds = retry_after(busy.headers)
    if busy.status == _TOO_MANY_REQUESTS:
        return gates.pause(busy, seconds) and not is_last
    # One repository may be broken where the others are not.
    return not is_last and gates.rest(busy, seconds)


def _ask(target: Target, registry: Registry) -> Verdict | Busy:
    """Return the verdict, or that asking again may help."""
    try:
        found = _answer(target, registry)
    except Refused:
        return _refused(target)
    except Busy as busy:
        found = busy
    except NoAnswer as trouble:
        return Verdict(_OF_TROUBLE[trouble.trouble], str(trouble))
    is_busy = found.status == _TOO_MANY_REQUESTS or found.status in _MAY_PASS
    return found if is_busy else _of_status(target, found.status)


def _answer(target: Target, registry: Registry) -> Busy:
    """Return the status, with who said it, whether that is busy or not."""
    where = (target.host, target.repository, target.reference)
    with registry.manifest("HEAD", *where) as answer:
        unclear = answer.status == 200 and not _names_a_manifest(answer)
        if not unclear and answer.status not in _NEEDS_GET:
            return Busy(answer.status, answer.headers, answer.host)
    with registry.manifest("GET", *where) as answer:
        if answer.status == 200 and not _names_a_manifest(answer):
            answer.read(_MANIFEST_BYTES)
            raise NoAnswer(
                Trouble.BAD_ANSWER,
                f"{target.host} answers with something that is no manifest. "
                "Is it a registry?",
            )
        return Busy(answer.status, answer.headers, answer.host)


def _names_a_manifest(answer: Answer) -> bool:
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    is_manifest = "manifest" in kind or "image.index" in kind
    return is_manifest or "Docker-Content-Digest" in answer.headers


def _refused(target: Target) -> Verdict:
    for domain, name in _TELLS_NOTHING.items():
        if target.host == domain or target.host.endswith(f".{domain}"):
            refusing = name if domain == DOCKER_HUB else target.host
            return Verdict(
                Status.PRIVATE_OR_MISSING,
                f"{refusing} refuses it without a login. It is private, or it is not "
                f"there: {name} does not tell.",
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
        _TOO_MANY_REQUESTS: Verdict(
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
