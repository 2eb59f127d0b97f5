"""What the lines of nginx's log add up to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

from cachetools import LRUCache

from edge.http import SUCCESS
from edge.pull_counter import MANY, MAX_KINDS_OF_HOLDER, WRITE_SECONDS
from edge.pull_log.line import LoggedAnswer
from oci.index import MAX_INDEX_BYTES, children_of, is_index
from registries.models.outcomes import ALLOWED
from registries.pulls.events import Counted, Pull
from registries.pulls.sessions import ManifestRequest, Pulled, Sessions
from registries.pulls.usage import CacheCounts, LicenseDay, RegistryDay, Usage

# Some 20 MB of digests. One index may have thousands.
MAX_CHILDREN = 100_000
_EXTENSIONS = ("oci-index", "docker-list")
_PLACE = re.compile(r"[0-9a-f-]{36}/[0-9a-f]{32}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class LogCounter:
    """Counts answers as the edge does. Remembers pulls from one batch to the next."""

    def __init__(self, cache_dir: Path | None = None) -> None:
        """Read indexes in ``cache_dir``, where the edge has put them."""
        self._cache_dir = cache_dir
        self._sessions = Sessions()
        # By digest: what an index contains is the same everywhere.
        self._children: LRUCache[str, tuple[str, ...]] = LRUCache(
            MAX_CHILDREN, getsizeof=lambda children: 1 + len(children)
        )
        # By holder, in the seconds that an edge counts before it writes.
        self._kinds: dict[str, set[Pull]] = {}
        self._kinds_at = 0

    def count(self, answers: Iterable[LoggedAnswer]) -> Usage:
        """Return what the answers add, and remember them as parts of pulls."""
        usage = Usage()
        for answer in answers:
            if answer.status in SUCCESS:
                self._count(answer, usage)
        return usage

    def _count(self, answer: LoggedAnswer, usage: Usage) -> None:
        puller = answer.puller
        hour, day = _hour_and_day(int(answer.at // 3600))
        if puller.license_id and answer.size:
            traffic = LicenseDay(puller.team_id, puller.license_id, day)
            usage.traffic[traffic] += answer.size
        counts = CacheCounts()
        if answer.method == "GET":
            counts.hits, counts.misses = int(answer.is_hit), int(not answer.is_hit)
            counts.bytes = answer.size if answer.is_hit else 0
        pulled = self._pulled_as(answer) if answer.kind == "manifests" else None
        if pulled is not None:
            counts.stale_pulls = int(pulled.is_stale)
            usage.add_pull(
                self._kept(_pull(answer, hour, pulled.reference), answer.at),
                Counted(datetime.fromtimestamp(answer.at, UTC), 1, counts.stale_pulls),
            )
        if answer.method == "GET":
            registry = RegistryDay(puller.team_id, puller.registry_id, day)
            usage.add_cache(registry, counts)

    def _kept(self, pull: Pull, at: float) -> Pull:
        """Return the pull to count: one of many others if its holder has many.

        As the edge does, so that no client fills the table.
        """
        if self._kinds_at != at // WRITE_SECONDS:
            self._kinds_at, self._kinds = int(at // WRITE_SECONDS), {}
        kinds = self._kinds.setdefault(pull.holder, set())
        if pull not in kinds and len(kinds) >= MAX_KINDS_OF_HOLDER:
            return pull._replace(repository=MANY, reference=MANY)
        kinds.add(pull)
        return pull

    def _pulled_as(self, answer: LoggedAnswer) -> Pulled | None:
        return self._sessions.pulled_as(
            ManifestRequest(
                at=answer.at,
                holder=answer.puller.holder,
                repository=f"{answer.name.application}/{answer.name.path}",
                method=answer.method,
                reference=answer.reference,
                digest=answer.digest,
                children=self._children_of(answer),
                is_stale=answer.is_stale,
            )
        )

    def _children_of(self, answer: LoggedAnswer) -> tuple[str, ...] | None:
        if answer.method != "GET" or not is_index(answer.media_type):
            return ()
        digest = answer.reference if ":" in answer.reference else answer.digest
        children = self._children.get(digest)
        if children is None:
            children = children_of(answer.media_type, self._read(answer, digest))
            if children is not None:
                self._children[digest] = children
        return children

    def _read(self, answer: LoggedAnswer, digest: str) -> bytes | None:
        if self._cache_dir is None:
            return None
        if not _PLACE.fullmatch(answer.place) or not _DIGEST.fullmatch(digest):
            return None
        directory = self._cache_dir / "objects" / answer.place / "manifests"
        for extension in _EXTENSIONS:
            with (
                suppress(OSError),
                (directory / f"{digest}.{extension}").open("rb") as file,
            ):
                return file.read(MAX_INDEX_BYTES + 1)
        return None


@lru_cache(maxsize=100)
def _hour_and_day(number: int) -> tuple[datetime, date]:
    hour = datetime.fromtimestamp(number * 3600, UTC)
    return hour, hour.date()


def _pull(answer: LoggedAnswer, hour: datetime, reference: str) -> Pull:
    return Pull(
        team_id=answer.puller.team_id,
        hour=hour,
        application_slug=answer.name.application[:64],
        holder=answer.puller.holder,
        license_id=answer.puller.license_id,
        registry_id=answer.puller.registry_id,
        repository=answer.name.path,
        reference=reference,
        outcome=ALLOWED,
        credential_id=answer.puller.credential_id,
    )
