from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from portal.http.display.times import exact, in_words, short

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("gap", "shown"),
    [
        (timedelta(0), "now"),
        (-timedelta(seconds=59), "now"),
        (timedelta(seconds=59), "now"),
        (-MINUTE, "1 min ago"),
        (59 * MINUTE, "in 59 min"),
        (-HOUR, "1 h ago"),
        (DAY - MINUTE, "in 23 h"),
        (-DAY, "29 Nov · 1 d ago"),
        (13 * DAY, "13 Dec · in 13 d"),
        (-14 * DAY, "16 Nov · 2 w ago"),
        (-59 * DAY, "2 Oct · 8 w ago"),
        (-60 * DAY, "1 Oct · 2 mo ago"),
        (-364 * DAY, "1 Dec 2025 · 12 mo ago"),
        (365 * DAY, "30 Nov 2027 · in 1 y"),
        (800 * DAY, "7 Feb 2029 · in 2 y"),
    ],
)
def test_a_table_shows_the_day_and_how_far_it_is(gap: timedelta, shown: str) -> None:
    assert short(NOW + gap, now=NOW) == shown


@pytest.mark.parametrize(
    ("gap", "shown"),
    [
        (timedelta(0), "now"),
        (-MINUTE, "1 minute ago"),
        (2 * HOUR, "in 2 hours"),
        (-DAY, "1 day ago"),
        (15 * DAY, "in 2 weeks"),
        (-70 * DAY, "2 months ago"),
        (365 * DAY, "in 1 year"),
    ],
)
def test_a_sentence_has_words(gap: timedelta, shown: str) -> None:
    assert in_words(NOW + gap, now=NOW) == shown


def test_days_are_those_of_the_current_zone() -> None:
    at = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)

    with timezone.override("Europe/Berlin"):
        assert exact(at) == "1 Jan 2027, 00:30 CET"
        assert short(at, now=NOW) == "1 Jan 2027 · in 4 w"
    assert short(at, now=NOW) == "31 Dec · in 4 w"
