from __future__ import annotations

from datetime import date, timedelta

import pytest

from registries.pulls.days import PullDay
from registries.web.pull_chart import BOTTOM, TOP, pull_chart


def days(*numbers: tuple[int, int]) -> list[PullDay]:
    first = date(2026, 3, 1)
    return [PullDay(first + timedelta(days=n), *each) for n, each in enumerate(numbers)]


def test_bars_stand_on_the_ground_and_refused_ones_on_allowed() -> None:
    chart = pull_chart(days((60, 40), (0, 0), (0, 10)))

    first, second, third = chart.bars
    assert first.allowed_y + first.allowed_height == BOTTOM
    assert first.refused_y + first.refused_height == first.allowed_y
    assert first.refused_y == TOP
    assert (second.allowed_height, second.refused_height) == (0, 0)
    assert third.allowed_height == 0
    assert (chart.allowed, chart.refused, chart.total) == (60, 50, 110)


@pytest.mark.parametrize(
    ("most", "numbers"),
    [
        (0, [2, 1]),
        (1, [2, 1]),
        (3, [4, 2]),
        (5, [6, 3]),
        (10, [10, 5]),
        (11, [12, 6]),
        (99, [100, 50]),
        (100, [100, 50]),
        (101, [120, 60]),
        (127, [140, 70]),
        (301, [360, 180]),
        (399_999, [400_000, 200_000]),
    ],
)
def test_lines_have_round_numbers(most: int, numbers: list[int]) -> None:
    assert [line.number for line in pull_chart(days((most, 0))).lines] == numbers


@pytest.mark.parametrize(
    ("shown", "labels"),
    [
        (7, [1, 2, 3, 4, 5, 6, 7]),
        (30, [2, 9, 16, 23, 30]),
        (90, [6, 27, 17, 8, 29]),
    ],
)
def test_the_last_day_and_even_steps_before_it_have_a_label(
    shown: int, labels: list[int]
) -> None:
    chart = pull_chart(days(*[(1, 0)] * shown))

    assert [label.day.day.day for label in chart.labels] == labels
    assert all(bar.x >= 0 and bar.x + bar.width <= 100 for bar in chart.bars)
