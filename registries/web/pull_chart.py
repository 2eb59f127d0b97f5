"""The geometry of the pulls-per-day chart.

Horizontal positions are percentages and heights are pixels: the chart shrinks on a
phone while its text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString, mark_safe

from registries.pulls.days import PullDay

HEIGHT = 190
TOP = 16
BOTTOM = 165
WEEK = 7
# In per cent, for the numbers of the grid lines.
LEFT = 5
_FILLED = 0.72
_STEPS = (10, 12, 14, 16, 18, 20, 24, 30, 36, 40, 50, 60, 70, 80, 90, 100)


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: allowed pulls below, refused ones on top of them.

    Words are made here, because filters of templates take ten times as long, and there
    are hundreds of them.
    """

    day: PullDay
    x: float
    width: float
    allowed_y: float
    allowed_height: float
    refused_y: float
    refused_height: float

    @property
    def date(self) -> str:
        at = self.day.day
        return f"{at:%a} {at.day} {at:%b}"

    @property
    def allowed(self) -> str:
        return f"{self.day.allowed:,}"

    @property
    def refused(self) -> str:
        return f"{self.day.refused:,}"

    @property
    def title(self) -> str:
        return f"{self.date}: {self.allowed} allowed, {self.refused} refused"

    @property
    def query(self) -> str:
        """Return the query of the day's pulls in their list."""
        return f"first_day={self.day.day}&last_day={self.day.day}"

    @property
    def svg(self) -> SafeString:
        """Return the bar, with a part that is not seen but can be clicked."""
        parts = [f'<svg x="{self.x}%" width="{self.width}%"><rect height="{BOTTOM}"/>']
        if self.day.allowed:
            parts.append(f'<rect y="{self.allowed_y}" height="{self.allowed_height}"/>')
        if self.day.refused:
            place = f'y="{self.refused_y}" height="{self.refused_height}"'
            parts.append(f'<rect class="bar-denied" {place}/>')
        return mark_safe(f"{''.join(parts)}</svg>")  # noqa: S308 -- numbers


@dataclass(frozen=True, slots=True)
class DayLabel:
    x: float
    day: PullDay
    anchor: str


@dataclass(frozen=True, slots=True)
class GridLine:
    y: float
    label_y: float
    number: int


@dataclass(frozen=True, slots=True)
class PullChart:
    """What the template draws, with the totals."""

    days: Sequence[PullDay]
    bars: Sequence[Bar]
    labels: Sequence[DayLabel]
    lines: Sequence[GridLine]
    allowed: int
    refused: int
    height: int = HEIGHT

    @property
    def total(self) -> int:
        return self.allowed + self.refused


def pull_chart(days: Sequence[PullDay]) -> PullChart:
    """Lay out the chart of one or more days."""
    top = _round_up(max(day.total for day in days))
    slot = (100 - LEFT) / len(days)
    bars = [_bar(day, LEFT + index * slot, slot, top) for index, day in enumerate(days)]
    last = len(days) - 1
    # A label a day in a week, else one in each few weeks: five fit on a phone.
    every = 1 if len(days) <= WEEK else WEEK * math.ceil(len(days) / (5 * WEEK))
    labels = [
        DayLabel(
            x=round(LEFT + (index + 0.5) * slot, 3),
            day=days[index],
            anchor="end" if index == last else "middle",
        )
        for index in range(last % every, len(days), every)
    ]
    lines = [
        GridLine(_y(number, top), round(_y(number, top) - 3, 2), number)
        for number in dict.fromkeys((top, top // 2))
        if number
    ]
    return PullChart(
        days=days,
        bars=bars,
        labels=labels,
        lines=lines,
        allowed=sum(day.allowed for day in days),
        refused=sum(day.refused for day in days),
    )


def _bar(day: PullDay, left: float, slot: float, top: int) -> Bar:
    refused_y, allowed_y = _y(day.total, top), _y(day.allowed, top)
    return Bar(
        day=day,
        x=round(left + slot * (1 - _FILLED) / 2, 3),
        width=round(slot * _FILLED, 3),
        allowed_y=allowed_y,
        allowed_height=round(BOTTOM - allowed_y, 2),
        refused_y=refused_y,
        refused_height=round(allowed_y - refused_y, 2),
    )


def _y(number: int, top: int) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * number / top, 2)


def _round_up(number: int) -> int:
    """Round up to 2, 4, 6, 8, 10, 12, …, so that half of it is a whole number.

    No more than a fifth of the chart stays empty.
    """
    if number <= 10:
        return max(2, number + number % 2)
    power: int = 10 ** (math.floor(math.log10(number)) - 1)
    return next(step * power for step in _STEPS if step * power >= number)
