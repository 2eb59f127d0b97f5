"""The checker of revocation histories: violations that it must find, and only those."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bench.revocation.checker import Promises, check
from bench.revocation.figures import figures
from bench.revocation.history import (
    Answer,
    Change,
    History,
    Kind,
    Process,
    Right,
    Route,
    Trouble,
)

SENT_LATE = "Content of a request sent after the promised second"
ANSWERED_LATE = "Content after the request's deadline"
RAN_ON = "A download that ran on"
PROMISES = Promises(answer=1, deadline=10, download=10)


def change(
    asked: float, answered: float | None, *, ends: bool = True, **fields: Any
) -> Change:
    right = fields.pop("right", Right.NOT_REVOKED)
    return Change(1, right, ends, asked, answered, **fields)


def gives_back(asked: float, answered: float | None, **fields: Any) -> Change:
    return change(asked, answered, ends=False, **fields)


def answer(sent: float, first_byte: float | None = None, **fields: Any) -> Answer:
    """Return an answer with content; by default it came at once."""
    arrived = sent + 0.01 if first_byte is None else first_byte
    values: dict[str, Any] = {
        "route": Route.EDGE,
        "kind": Kind.BY_TAG,
        "license": 1,
        "ended": arrived,
        "status": 200,
        "size": 500,
    }
    return Answer(sent=sent, first_byte=arrived, **(values | fields))


def download(*marks: float, route: Route = Route.EDGE) -> Answer:
    return answer(
        marks[0], kind=Kind.DOWNLOAD, marks=marks, ended=marks[-1], route=route
    )


def rules(changes: list[Change], *answers: Answer) -> list[str]:
    history = History(list(answers), changes)
    return [violation.rule for violation in check(history, PROMISES)]


REVOKED = change(10.0, 10.2)


@pytest.mark.parametrize("route", Route)
@pytest.mark.parametrize("status", [200, 206])
def test_a_planted_violation_is_found(route: Route, status: int) -> None:
    planted = answer(11.21, route=route, status=status)

    (violation,) = check(History([answer(5), planted], [REVOKED]), PROMISES)

    assert violation.rule == SENT_LATE
    assert violation.answer is planted
    assert violation.changes == (REVOKED,)
    assert '"sent": 11.21' in str(violation)
    assert '"answered": 10.2' in str(violation)


@pytest.mark.parametrize(
    ("status", "size"), [(401, 120), (503, 90), (0, 0), (200, 0), (304, 0)]
)
def test_an_answer_without_content_is_no_violation(status: int, size: int) -> None:
    assert rules([REVOKED], answer(15, status=status, size=size)) == []


@pytest.mark.parametrize(("granted", "expected"), [(True, [SENT_LATE]), (False, [])])
def test_a_token_counts_by_what_it_grants(granted: bool, expected: list[str]) -> None:
    token = answer(11.3, kind=Kind.TOKEN, granted=granted)

    assert rules([REVOKED], token) == expected


def test_another_license_and_an_unchanged_one_may_pull() -> None:
    assert rules([REVOKED], answer(20, license=2)) == []
    assert rules([], answer(20)) == []


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(9.9, []), (11.1, []), (11.19, []), (11.21, [SENT_LATE]), (100, [SENT_LATE])],
)
def test_the_second_counts_from_when_the_commit_was_certainly_done(
    sent: float, expected: list[str]
) -> None:
    assert rules([REVOKED], answer(sent)) == expected


@pytest.mark.parametrize(
    ("sent", "first_byte", "expected"),
    [
        (11.1, 21.1, []),
        (11.1, 21.3, [ANSWERED_LATE]),
        (3, 21.3, [ANSWERED_LATE]),
        (3, 10.1, []),
        (11.3, 21.3, [SENT_LATE]),
    ],
)
def test_an_earlier_request_may_wait_but_not_past_its_deadline(
    sent: float, first_byte: float, expected: list[str]
) -> None:
    assert rules([REVOKED], answer(sent, first_byte)) == expected


@pytest.mark.parametrize(
    ("sent", "first_byte", "expected"),
    [
        (12, 29.9, [SENT_LATE]),
        (12, 30.1, []),  # it may have been decided after the reinstatement
        (29.8, 29.95, [SENT_LATE]),
        (30, 30.1, []),
        (50, 50.1, []),
    ],
)
def test_a_reinstatement_counts_from_when_it_was_asked_for(
    sent: float, first_byte: float, expected: list[str]
) -> None:
    changes = [REVOKED, gives_back(30.0, 35.0)]

    assert rules(changes, answer(sent, first_byte)) == expected


def test_a_license_that_is_revoked_again_has_a_second_again() -> None:
    changes = [REVOKED, gives_back(30.0, 30.1), change(40.0, 40.1)]

    assert rules(changes, answer(41.05)) == []
    assert rules(changes, answer(41.2)) == [SENT_LATE]


def test_a_revocation_whose_answer_was_lost_counts_once_it_is_read_back() -> None:
    lost = change(10.0, None)
    read_back = change(20.0, 20.2, read_back=True)

    assert rules([lost], answer(15), answer(100)) == []
    assert rules([lost, read_back], answer(15), answer(21.1)) == []
    assert rules([lost, read_back], answer(21.3)) == [SENT_LATE]


def test_a_lost_revocation_that_was_not_made_forbids_nothing() -> None:
    changes = [change(10.0, None), gives_back(20.0, 20.2, read_back=True)]

    assert rules(changes, answer(15), answer(21.3), answer(100)) == []


def test_a_reinstatement_whose_answer_was_lost_may_have_been_made() -> None:
    lost = gives_back(30.0, None)
    still_revoked = change(40.0, 40.2, read_back=True)

    assert rules([REVOKED, lost], answer(29), answer(35), answer(99)) == [SENT_LATE]
    assert rules([REVOKED, lost, still_revoked], answer(35), answer(41.1)) == []
    assert rules([REVOKED, lost, still_revoked], answer(41.3)) == [SENT_LATE]


def test_revoking_twice_keeps_the_first_time() -> None:
    assert rules([REVOKED, change(20.0, 25.0)], answer(22)) == [SENT_LATE]


def test_each_right_is_needed() -> None:
    archived = change(5.0, 5.1, right=Right.NOT_ARCHIVED)
    changes = [archived, REVOKED, gives_back(30.0, 30.1)]

    assert rules(changes, answer(40)) == [SENT_LATE]
    restored = gives_back(50.0, 50.1, right=Right.NOT_ARCHIVED)
    assert rules([*changes, restored], answer(60)) == []


@pytest.mark.parametrize(
    ("at", "sent", "expected"),
    [
        (15.0, 15.9, []),
        (15.0, 16.1, [SENT_LATE]),
        (5.0, 11.1, []),  # a date in the past counts from the commit
        (5.0, 11.3, [SENT_LATE]),
    ],
)
def test_an_expiry_counts_from_its_date(
    at: float, sent: float, expected: list[str]
) -> None:
    expired = change(10.0, 10.2, right=Right.NOT_EXPIRED, at=at)

    assert rules([expired], answer(sent)) == expected


def test_a_date_that_is_moved_on_in_time_never_ends_anything() -> None:
    expires = change(10.0, 10.2, right=Right.NOT_EXPIRED, at=15.0)
    extended = gives_back(14.0, 14.2, right=Right.NOT_EXPIRED)

    assert rules([expires, extended], answer(18)) == []


def test_a_later_date_lets_an_expired_license_pull_until_then() -> None:
    expired = change(10.0, 10.2, right=Right.NOT_EXPIRED, at=5.0)
    later = change(20.0, 20.2, right=Right.NOT_EXPIRED, at=25.0)

    assert rules([expired, later], answer(18)) == [SENT_LATE]
    assert rules([expired, later], answer(22), answer(25.9)) == []
    assert rules([expired, later], answer(26.1)) == [SENT_LATE]


@pytest.mark.parametrize("route", [Route.EDGE, Route.NGINX])
def test_a_download_may_run_on_only_for_the_promised_time(route: Route) -> None:
    assert rules([REVOKED], download(5, 10, 20.1, route=route)) == []
    assert rules([REVOKED], download(5, 10, 20.3, route=route)) == [RAN_ON]


def test_a_download_that_ran_on_before_a_reinstatement_is_found() -> None:
    changes = [REVOKED, gives_back(25.0, 25.1)]

    assert rules(changes, download(5, 10, 24.0, 26.0)) == [RAN_ON]
    assert rules(changes, download(5, 10, 20.0, 26.0)) == []


@pytest.mark.parametrize(
    ("victim", "route", "last", "expected"),
    [
        (Process.EDGE, Route.EDGE, 28.1, []),
        (Process.EDGE, Route.EDGE, 28.3, [RAN_ON]),
        (Process.EDGE, Route.NGINX, 28.1, []),
        (Process.NGINX, Route.NGINX, 28.1, []),
        (Process.NGINX, Route.EDGE, 26, [RAN_ON]),
        (Process.VALKEY, Route.NGINX, 26, [RAN_ON]),
        # The edge asks again ten seconds after an outage of its database at the latest.
        (Process.POSTGRES, Route.EDGE, 38.1, []),
        (Process.POSTGRES, Route.EDGE, 38.3, [RAN_ON]),
    ],
)
def test_seconds_in_which_nothing_could_break_a_download_off_do_not_count(
    victim: Process, route: Route, last: float, expected: list[str]
) -> None:
    frozen = Trouble(victim, "frozen", 12.0, 20.0)
    history = History([download(5, 10, last, route=route)], [REVOKED], [frozen])

    assert [item.rule for item in check(history, PROMISES)] == expected


def test_two_outages_during_a_download_both_count_out() -> None:
    frozen = [
        Trouble(Process.EDGE, "frozen", start, start + 2) for start in (3, 12, 16, 30)
    ]
    fine, too_long = (
        History([download(5, last)], [REVOKED], frozen) for last in (24.1, 24.3)
    )

    assert check(fine, PROMISES) == []
    assert [item.rule for item in check(too_long, PROMISES)] == [RAN_ON]


def test_a_download_from_the_private_registry_may_finish_but_not_begin() -> None:
    assert rules([REVOKED], download(5, 10, 90, route=Route.PRIVATE)) == []
    assert rules([REVOKED], download(11.3, 90, route=Route.PRIVATE)) == [SENT_LATE]


def test_the_figures_show_the_worst_seen() -> None:
    answers = [
        answer(9.9, 14.2),
        answer(10.6),
        answer(10.9),
        answer(12, status=401),
        answer(40),
        download(5, 10, 17.2, 31),
        answer(10.3, route=Route.NGINX, status=401),
    ]
    found = figures(History(answers, [REVOKED, gives_back(30.0, 30.1)]))

    assert found[Route.EDGE].latencies == [pytest.approx(0.7)]
    assert found[Route.EDGE].late == pytest.approx(4.0)
    assert found[Route.EDGE].ran_on == [pytest.approx(7.0)]
    assert found[Route.NGINX].latencies == [0.0]
    assert found[Route.PRIVATE].latencies == []


def test_an_answer_that_never_came_has_no_content() -> None:
    never = answer(12, math.nan, status=0, size=0, error="TimeoutError")

    assert rules([REVOKED], never) == []
