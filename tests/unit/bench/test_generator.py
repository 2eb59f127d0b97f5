"""What a revocation run does, drawn from a seed."""

from __future__ import annotations

from collections import Counter
from random import Random

from bench.revocation.generator import Changes, Pulls, draw_trouble
from bench.revocation.history import Kind, Process, Right, Route


def seeded() -> Random:
    return Random(7)  # noqa: S311 -- a schedule is no secret


def test_the_same_seed_draws_the_same() -> None:
    first, second = (Pulls(seeded(), 10) for _ in range(2))
    assert [first.draw() for _ in range(50)] == [second.draw() for _ in range(50)]

    one, two = (Changes(seeded(), 10, (0.2, 1)) for _ in range(2))
    assert [one.draw() for _ in range(50)] == [two.draw() for _ in range(50)]


def test_every_kind_is_asked_for_by_every_route() -> None:
    pulls = Pulls(seeded(), 10)
    drawn = [pulls.draw() for _ in range(2000)]

    assert {(item.route, item.kind) for item in drawn} == {
        (route, kind) for route in Route for kind in set(Kind) - {Kind.DOWNLOAD}
    }
    assert {item.license for item in drawn} == set(range(10))


def test_a_changed_license_is_asked_for_more_often() -> None:
    pulls = Pulls(seeded(), 100)
    pulls.note_change(42)

    drawn = Counter(pulls.draw().license for _ in range(1000))

    assert drawn[42] > 400
    assert len(drawn) > 50


def test_changes_end_what_holds_and_give_back_what_ended() -> None:
    changes = Changes(seeded(), 10, (0.2, 1))
    ended: set[tuple[int, Right]] = set()
    made = Counter[tuple[Right, bool]]()

    for _ in range(1000):
        wanted = changes.draw()
        key = (wanted.license, wanted.right)
        assert (key in ended) != wanted.ends
        ended ^= {key}
        changes.settle(wanted.license, wanted.right, ended=wanted.ends)
        made[wanted.right, wanted.ends] += 1

    assert set(made) == {(right, ends) for right in Right for ends in (True, False)}
    can_pull = 10 - len({license for license, _ in ended})
    assert 1 <= can_pull <= 9


def test_licenses_of_downloads_under_way_are_changed_more_often() -> None:
    changes = Changes(seeded(), 100, (0.2, 1))

    drawn = Counter(changes.draw({42, 43}).license for _ in range(1000))

    assert drawn[42] > 100
    assert drawn[43] > 100
    assert len(drawn) > 50


def test_every_process_is_killed_and_frozen_for_seconds() -> None:
    random = seeded()
    drawn = [draw_trouble(random, (0.5, 2)) for _ in range(300)]

    assert {(item.victim, item.kills) for item in drawn} == {
        (process, kills) for process in Process for kills in (True, False)
    }
    assert all(2 <= item.seconds <= 8 for item in drawn)
    assert all(0.5 <= item.pause <= 2 for item in drawn)
