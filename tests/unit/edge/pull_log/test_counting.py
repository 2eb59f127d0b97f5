from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from edge.pull_counter import MAX_KINDS_OF_HOLDER
from edge.pull_log import counting
from edge.pull_log.counting import LogCounter
from edge.pull_log.line import parse_line
from registries.pulls.usage import CacheCounts, Usage
from tests.support.rows.pull_log import AT, CHILD, INDEX, LogLines

TEAM, LICENSE, REGISTRY = (uuid.UUID(int=number) for number in (1, 2, 3))
PLACE = f"{REGISTRY}/{'0' * 32}"


@pytest.fixture
def lines() -> LogLines:
    return LogLines(f"{TEAM} license:{LICENSE} {REGISTRY} {LICENSE}", place=PLACE)


def put_index(cache: Path) -> None:
    directory = cache / "objects" / PLACE / "manifests"
    directory.mkdir(parents=True)
    content = {"manifests": [{"digest": CHILD}]}
    (directory / f"{INDEX}.oci-index").write_text(json.dumps(content))


def counted(text: str, counter: LogCounter | None = None) -> Usage:
    answers = [parse_line(line.encode()) for line in text.splitlines()]
    return (counter or LogCounter()).count(filter(None, answers))


def pulls(usage: Usage) -> dict[str, tuple[int, int]]:
    return {
        pull.reference: (number.count, number.stale)
        for pull, number in usage.pulls.items()
    }


@pytest.mark.parametrize("has_cache", [True, False])
def test_pulls_bytes_and_hits_are_counted(
    lines: LogLines, tmp_path: Path, has_cache: bool
) -> None:
    put_index(tmp_path)
    text = "".join([*(lines.docker() for _ in range(3)), lines.podman()])

    usage = counted(text, LogCounter(tmp_path if has_cache else None))

    assert pulls(usage) == {"v1": (4, 0)}
    (pull,) = usage.pulls
    assert (pull.team_id, pull.license_id, pull.registry_id) == (
        TEAM,
        LICENSE,
        REGISTRY,
    )
    assert (pull.application_slug, pull.repository) == ("my-app", "sample/my-org/api")
    assert pull.hour.minute == 0
    assert list(usage.traffic.values()) == [4 * 11_000]
    assert list(usage.cache.values()) == [CacheCounts(hits=1, misses=11, bytes=10_000)]


def test_a_child_alone_counts_where_the_index_can_be_read(
    lines: LogLines, tmp_path: Path
) -> None:
    put_index(tmp_path)
    other = f"sha256:{'9' * 64}"
    text = lines.index("v1") + lines.line(other) + lines.line(CHILD) + lines.line(CHILD)

    usage = counted(text, LogCounter(tmp_path))

    assert pulls(usage) == {"v1": (1, 0), other: (1, 0), CHILD: (1, 0)}


def test_a_pull_may_go_on_in_the_next_batch(lines: LogLines) -> None:
    counter = LogCounter()
    first, *rest = lines.docker().splitlines(keepends=True)

    assert not counted(first, counter).pulls
    assert pulls(counted("".join(rest), counter)) == {"v1": (1, 0)}


def test_stale_pulls_are_counted_as_such(lines: LogLines) -> None:
    text = lines.line("v1", stale=True) + lines.line("v1")

    usage = counted(text)

    assert pulls(usage) == {"v1": (2, 1)}
    assert [counts.stale_pulls for counts in usage.cache.values()] == [1]


def test_a_stale_head_makes_the_pull_that_follows_stale(
    lines: LogLines, tmp_path: Path
) -> None:
    """docker asks for the tag with HEAD alone, and nginx has the digest."""
    put_index(tmp_path)
    stale = lines.index("v1", method="HEAD", bytes=0, stale=True)
    rest = lines.index(INDEX) + lines.line(CHILD)

    usage = counted(stale + rest + lines.docker(), LogCounter(tmp_path))

    assert pulls(usage) == {"v1": (2, 1)}
    assert [counts.stale_pulls for counts in usage.cache.values()] == [1]


@pytest.mark.parametrize("status", [400, 401, 404, 416, 429, 499, 500, 502, 503])
def test_what_fails_is_not_counted(lines: LogLines, status: int) -> None:
    assert not counted(lines.line("v1", status=status))


@pytest.mark.parametrize("status", [200, 206, 304])
def test_what_succeeds_is_counted(lines: LogLines, status: int) -> None:
    assert pulls(counted(lines.line("v1", status=status))) == {"v1": (1, 0)}


def test_no_path_is_made_of_what_the_log_says(lines: LogLines, tmp_path: Path) -> None:
    put_index(tmp_path)
    lines.place = f"../objects/{PLACE}"
    counter = LogCounter(tmp_path)

    counted(lines.index("v1"), counter)

    assert not counter._children


def test_a_vendors_own_pull_has_no_license(lines: LogLines) -> None:
    lines.pull = f"{TEAM} api-token:{LICENSE} {REGISTRY} -"

    usage = counted(lines.podman())

    assert not usage.traffic
    assert [pull.license_id for pull in usage.pulls] == [None]


def test_days_are_those_of_utc(lines: LogLines) -> None:
    lines.at = 1_798_761_599.0  # 2026-12-31T23:59:59Z
    usage = counted(lines.line("v1") + lines.line("v1", time=lines.at + 2))

    assert [str(day.day) for day in usage.traffic] == ["2026-12-31", "2027-01-01"]
    assert [str(pull.hour)[:13] for pull in usage.pulls] == [
        "2026-12-31 23",
        "2027-01-01 00",
    ]


def test_few_indexes_of_many_children_are_kept_in_memory(
    lines: LogLines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MAX_CHILDREN", 3000)
    counter = LogCounter(tmp_path)
    directory = tmp_path / "objects" / PLACE / "manifests"
    directory.mkdir(parents=True)
    content = {"manifests": [{"digest": f"sha256:{n:064x}"} for n in range(1000)]}
    digests = [f"sha256:{number:064x}" for number in range(10)]
    for digest in digests:
        (directory / f"{digest}.oci-index").write_text(json.dumps(content))

    counted("".join(lines.index("v1", digest=digest) for digest in digests), counter)

    assert sum(map(len, counter._children.values())) <= 3000


def test_a_holder_has_few_different_pulls_in_a_few_seconds(lines: LogLines) -> None:
    """Whoever has an upstream that answers every name may not fill the table."""
    counter, other = LogCounter(), LogLines(f"{TEAM} license:{TEAM} {REGISTRY} {TEAM}")
    many = "".join(lines.line(f"v{n}", time=AT) for n in range(1000))
    again = "".join(lines.line(f"w{n}", time=AT) for n in range(1000))

    usage, later = counted(many + other.line("v1"), counter), counted(again, counter)

    assert sum(number.count for number in usage.pulls.values()) == 1001
    assert len(usage.pulls) == MAX_KINDS_OF_HOLDER + 2
    assert pulls(usage)["*"] == (1000 - MAX_KINDS_OF_HOLDER, 0)
    assert pulls(later) == {"*": (1000, 0)}
    assert pulls(counted(lines.line("x1", time=AT + 60), counter)) == {"x1": (1, 0)}
