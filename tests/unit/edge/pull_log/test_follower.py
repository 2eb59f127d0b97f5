"""Every line is read once, over restarts and rotations."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from edge.pull_log import follower as following
from edge.pull_log.follower import LogFollower


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "pulls.log"


def write(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def rotate(log: Path) -> None:
    """Rename as logrotate does: .1 becomes .2, and so on."""
    numbers = sorted((int(path.suffix[1:]) for path in rotated(log)), reverse=True)
    for number in numbers:
        log.with_name(f"{log.name}.{number}").rename(f"{log}.{number + 1}")
    log.rename(f"{log}.1")


def rotated(log: Path) -> list[Path]:
    return [
        path for path in log.parent.glob("pulls.log.*") if path.suffix[1:].isdecimal()
    ]


def age(path: Path, seconds: float = 60) -> None:
    """Let a file be quiet for some time."""
    os.utime(path, (time.time() - seconds,) * 2)


def read_all(follower: LogFollower) -> list[str]:
    found: list[str] = []
    while lines := follower.read():
        found += [line.decode() for line in lines]
    return found


def test_lines_are_read_as_they_come(log: Path) -> None:
    follower = LogFollower(log)
    assert read_all(follower) == []  # there is no log yet
    write(log, "a\nb\n")
    assert read_all(follower) == ["a", "b"]
    write(log, "c\n")
    assert read_all(follower) == ["c"]
    assert read_all(follower) == []
    assert follower.position.offset == 6


def test_a_half_written_line_waits(log: Path) -> None:
    write(log, "a\nhal")
    follower = LogFollower(log)
    assert read_all(follower) == ["a"]
    assert read_all(follower) == []
    write(log, "f\n")
    assert read_all(follower) == ["half"]


def test_reading_goes_on_at_the_position(log: Path) -> None:
    write(log, "a\nb\n")
    first = LogFollower(log)
    read_all(first)
    first.close()
    write(log, "c\n")

    assert read_all(LogFollower(log, first.position)) == ["c"]


def test_nginx_may_write_to_the_renamed_file_for_a_while(log: Path) -> None:
    write(log, "a\n")
    follower = LogFollower(log)
    assert read_all(follower) == ["a"]
    rotate(log)
    old = log.with_name("pulls.log.1")
    write(old, "b\n")
    assert read_all(follower) == ["b"]
    write(log, "d\n")
    assert read_all(follower) == []
    write(old, "c\n")
    assert read_all(follower) == ["c"]
    age(old)
    assert read_all(follower) == ["d"]
    assert follower.take_incomplete_lines() == 0


@pytest.mark.parametrize("rotations", [1, 2, 5, 12])
def test_rotations_while_nobody_reads_lose_nothing(log: Path, rotations: int) -> None:
    write(log, "first\n")
    first = LogFollower(log)
    read_all(first)
    first.close()
    expected = []
    for number in range(rotations):
        write(log, f"{number}a\n{number}b\n")
        expected += [f"{number}a", f"{number}b"]
        rotate(log)
    for path in rotated(log):
        age(path)
    write(log, "last\n")

    follower = LogFollower(log, first.position)

    assert read_all(follower) == [*expected, "last"]


def test_files_rotated_with_dates_are_read_in_order(log: Path) -> None:
    write(log, "first\n")
    first = LogFollower(log)
    read_all(first)
    for day in ("20260301", "20260302", "20260303"):
        write(log, f"{day}\n")
        log.rename(f"{log}-{day}")
        age(log.with_name(f"pulls.log-{day}"))
    write(log, "now\n")

    assert read_all(LogFollower(log, first.position)) == [
        *("20260301", "20260302", "20260303", "now")
    ]


def test_a_line_that_was_cut_off_by_a_rotation_is_skipped(log: Path) -> None:
    write(log, "a\nhal")
    follower = LogFollower(log)
    read_all(follower)
    rotate(log)
    age(log.with_name("pulls.log.1"))
    write(log, "b\n")

    assert read_all(follower) == ["b"]
    assert follower.take_incomplete_lines() == 1
    assert follower.take_incomplete_lines() == 0


def test_a_first_start_reads_what_is_there(log: Path) -> None:
    write(log, "a\n")
    rotate(log)
    age(log.with_name("pulls.log.1"))
    write(log, "b\n")
    (log.parent / "pulls.log.lock").write_text("id\n")
    (log.parent / "pulls.log.2.gz").write_text("packed\n")
    (log.parent / "pulls.log.other").mkdir()

    assert read_all(LogFollower(log)) == ["a", "b"]


def test_another_file_with_the_same_inode_is_not_taken_for_it(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(log, "old line\n")
    first = LogFollower(log)
    read_all(first)
    first.close()
    log.write_text("new line\nsecond\n")  # as after a deletion
    follower = LogFollower(log, first.position)

    assert read_all(follower) == ["new line", "second"]
    assert "may have been lost" in caplog.text


def test_files_that_were_read_are_not_read_again_when_the_last_one_is_gone(
    log: Path,
) -> None:
    write(log, "a\n")
    rotate(log)
    age(log.with_name("pulls.log.1"), 600)
    write(log, "b\n")
    gone = LogFollower(log)
    assert read_all(gone) == ["a", "b"]
    gone.close()
    read_at = time.time() - 300
    log.unlink()
    write(log, "c\n")

    follower = LogFollower(log, gone.position._replace(inode=1), read_at)

    assert read_all(follower) == ["c"]


def test_a_truncated_log_is_read_from_its_beginning(
    log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(log, "one\ntwo\n")
    follower = LogFollower(log)
    read_all(follower)
    log.write_text("new\n")

    assert read_all(follower) == ["new"]
    assert "was truncated" in caplog.text


def test_a_line_without_end_is_skipped(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "CHUNK_BYTES", 16)
    write(log, "x" * 40 + "\nnext\n")

    assert read_all(LogFollower(log))[-1] == "next"


def test_the_lines_before_the_position_are_of_older_files_too(log: Path) -> None:
    for text in ("a\nb\n", "c\nd\n"):
        write(log, text)
        rotate(log)
        age(log.with_name("pulls.log.1"))
    write(log, "e\nf\n")
    reader = LogFollower(log)
    read_all(reader)
    write(log, "not yet\n")
    follower = LogFollower(log, reader.position)

    def before(limit: int) -> list[str]:
        return [line.decode() for line in follower.lines_before(limit)]

    assert before(1000) == ["a", "b", "c", "d", "e", "f"]
    assert before(7) == ["d", "e", "f"]
    assert before(3) == ["f"]
    assert before(0) == []
    assert read_all(follower) == ["not yet"]


class NginxAndReader(RuleBasedStateMachine):
    """nginx writes to the file that it has open until it reopens the log."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.log = Path(self.directory.name) / "pulls.log"
        self.nginx = self.log.open("ab", buffering=0)
        self.follower = LogFollower(self.log)
        self.written = 0
        self.found: list[str] = []
        self.rest = b""

    @rule()
    def write(self) -> None:
        self.nginx.write(self.rest or b"%d\n" % self.written)
        self.rest = b""
        self.written += 1

    @precondition(lambda self: not self.rest)
    @rule()
    def write_half(self) -> None:
        self.nginx.write(b"%d" % self.written)
        self.rest = b"\n"

    @precondition(lambda self: self.log.exists())
    @rule()
    def rotate(self) -> None:
        rotate(self.log)

    @precondition(lambda self: not self.log.exists() and not self.rest)
    @rule()
    def reopen(self) -> None:
        self.nginx.close()
        self.nginx = self.log.open("ab", buffering=0)

    @rule()
    def read(self) -> None:
        self.found += read_all(self.follower)

    @rule()
    def restart(self) -> None:
        self.follower.close()
        self.follower = LogFollower(self.log, self.follower.position)

    @invariant()
    def no_line_is_read_twice_or_early(self) -> None:
        expected = [str(number) for number in range(self.written)]
        assert self.found == expected[: len(self.found)]

    def teardown(self) -> None:
        self.read()
        assert len(self.found) == self.written
        self.nginx.close()
        self.follower.close()
        self.directory.cleanup()


def test_whatever_happens_each_line_is_read_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "QUIET_SECONDS", -1.0)
    run_state_machine_as_test(NginxAndReader)
