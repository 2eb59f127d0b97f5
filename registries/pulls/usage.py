"""Adds up what pulls have used, and stores it all in one transaction."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from licenses.models import License
from portal.database.retry import atomic_with_retry
from registries.models import CacheUse, ExternalRegistry, LicenseTraffic
from registries.models.usage import FOLDED_DAY
from registries.pulls.events import PULLS_KEPT, Counted, Pull, add_pulls
from registries.pulls.refusals import tell_refusals

CACHE_DAYS_KEPT = timedelta(days=92)


class LicenseDay(NamedTuple):
    team_id: uuid.UUID
    license_id: uuid.UUID
    day: date


class RegistryDay(NamedTuple):
    team_id: uuid.UUID
    registry_id: uuid.UUID
    day: date


@dataclass(slots=True)
class CacheCounts:
    """The columns of CacheUse that are added to."""

    hits: int = 0
    misses: int = 0
    bytes: int = 0
    evictions: int = 0
    stale_pulls: int = 0

    def add(self, other: CacheCounts) -> None:
        for column in COLUMNS:
            setattr(self, column, getattr(self, column) + getattr(other, column))


COLUMNS = tuple(column.name for column in fields(CacheCounts))


@dataclass(slots=True)
class Usage:
    """What is not stored yet."""

    pulls: dict[Pull, Counted] = field(default_factory=dict)
    traffic: Counter[LicenseDay] = field(default_factory=Counter)
    cache: dict[RegistryDay, CacheCounts] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.pulls or self.traffic or self.cache)

    def add_pull(self, pull: Pull, counted: Counted) -> None:
        before = self.pulls.get(pull)
        self.pulls[pull] = before.plus(counted) if before else counted

    def add_cache(self, day: RegistryDay, counts: CacheCounts) -> None:
        self.cache.setdefault(day, CacheCounts()).add(counts)

    def add(self, other: Usage) -> None:
        for pull, counted in other.pulls.items():
            self.add_pull(pull, counted)
        self.traffic.update(other.traffic)
        for day, counts in other.cache.items():
            self.add_cache(day, counts)


_ADD_TRAFFIC = """
INSERT INTO registries_licensetraffic AS stored (
    id, created_at, team_id, license_id, day, bytes
) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (license_id, day) DO UPDATE SET bytes = stored.bytes + EXCLUDED.bytes
"""
_ADD_CACHE = """
INSERT INTO registries_cacheuse AS stored (
    id, created_at, team_id, registry_id, day,
    hits, misses, bytes, evictions, stale_pulls
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (registry_id, day) DO UPDATE SET
    hits = stored.hits + EXCLUDED.hits,
    misses = stored.misses + EXCLUDED.misses,
    bytes = stored.bytes + EXCLUDED.bytes,
    evictions = stored.evictions + EXCLUDED.evictions,
    stale_pulls = stored.stale_pulls + EXCLUDED.stale_pulls
"""


@atomic_with_retry
def record_usage(usage: Usage) -> None:
    """Add usage to what is stored, and tell programs of what was refused.

    Skips what belongs to a deleted team, license or registry, except pulls through a
    deleted registry.
    """
    added = add_pulls(usage.pulls)
    _add_traffic(usage.traffic)
    _add_cache(usage.cache)
    tell_refusals(added)


def _add_traffic(traffic: Counter[LicenseDay]) -> None:
    existing = _existing(License, (day.license_id for day in traffic))
    now = timezone.now()
    # In one order, so that no two processes wait for each other's rows.
    rows = [
        (uuid.uuid4(), now, *day, number)
        for day, number in sorted(traffic.items(), key=lambda item: _order(item[0]))
        if (day.team_id, day.license_id) in existing
    ]
    _execute(_ADD_TRAFFIC, rows)


def _add_cache(cache: dict[RegistryDay, CacheCounts]) -> None:
    existing = _existing(ExternalRegistry, (day.registry_id for day in cache))
    now = timezone.now()
    rows = [
        (uuid.uuid4(), now, *day, *(getattr(counts, column) for column in COLUMNS))
        for day, counts in sorted(cache.items(), key=lambda item: _order(item[0]))
        if (day.team_id, day.registry_id) in existing
    ]
    _execute(_ADD_CACHE, rows)


def _order(day: LicenseDay | RegistryDay) -> list[str]:
    return [*map(str, day)]


def _existing(
    model: type[License | ExternalRegistry], ids: Iterable[uuid.UUID]
) -> set[tuple[uuid.UUID, uuid.UUID]]:
    """Return the team and ID of the rows that exist."""
    rows = model._base_manager.filter(pk__in=set(ids))
    return set(rows.values_list("team_id", "pk"))


def _execute(statement: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)


def evictions_today(evictions: Counter[uuid.UUID]) -> Usage:
    """Return the evictions of registries as usage; deleted registries are left out."""
    usage = Usage()
    today = timezone.now().date()
    rows = ExternalRegistry._base_manager.filter(pk__in=list(evictions))
    for team_id, registry_id in rows.values_list("team_id", "pk"):
        day = RegistryDay(team_id, registry_id, today)
        usage.add_cache(day, CacheCounts(evictions=evictions[registry_id]))
    return usage


@atomic_with_retry
def forget_old_usage() -> None:
    """Delete old traffic, and fold old days of cache use into one row a registry.

    The totals of cache use therefore never fall, as metrics require.
    """
    today = timezone.now().date()
    LicenseTraffic.objects.filter(day__lt=today - PULLS_KEPT).delete()
    folded = Usage()
    old = CacheUse.objects.filter(day__lt=today - CACHE_DAYS_KEPT, day__gt=FOLDED_DAY)
    for row in old.select_for_update().order_by("registry_id", "day"):
        day = RegistryDay(row.team_id, row.registry_id, FOLDED_DAY)
        counts = CacheCounts(**{column: getattr(row, column) for column in COLUMNS})
        folded.add_cache(day, counts)
    old.delete()
    _add_cache(folded.cache)
