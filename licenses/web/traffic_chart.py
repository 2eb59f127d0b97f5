"""The bytes sent with a license, as a small chart on its page.

Horizontal positions are percentages: the chart is as wide as its card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

DAYS = 30
HEIGHT = 40
_FILLED = 0.72


@dataclass(frozen=True, slots=True)
class TrafficBar:
    day: date
    bytes: int
    x: float
    width: float
    y: float
    height: float

    @property
    def date(self) -> str:
        return f"{self.day:%a} {self.day.day} {self.day:%b}"

    @property
    def size(self) -> str:
        return filesizeformat(self.bytes)

    @property
    def svg(self) -> SafeString:
        place = (
            f'x="{self.x}%" width="{self.width}%" y="{self.y}" height="{self.height}"'
        )
        return format_html(
            '<rect class="bar-allowed" {}><title>{}: {}</title></rect>',
            mark_safe(place),  # noqa: S308 -- numbers
            self.date,
            self.size,
        )


@dataclass(frozen=True, slots=True)
class TrafficChart:
    """What the template draws; the first day is the earliest."""

    bars: Sequence[TrafficBar]
    total: int
    height: int = HEIGHT

    @property
    def days_with_traffic(self) -> list[TrafficBar]:
        return [bar for bar in reversed(self.bars) if bar.bytes]


def traffic_chart(bytes_by_day: Mapping[date, int], today: date) -> TrafficChart:
    """Lay out the last 30 days."""
    days = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    numbers = [bytes_by_day.get(day, 0) for day in days]
    most = max(numbers) or 1
    slot = 100 / DAYS
    bars = []
    for index, (day, number) in enumerate(zip(days, numbers, strict=True)):
        # A little traffic is visible beside a lot of it.
        height = max(HEIGHT * number / most, 1.5) if number else 0
        bars.append(
            TrafficBar(
                day=day,
                bytes=number,
                x=round(slot * (index + (1 - _FILLED) / 2), 3),
                width=round(slot * _FILLED, 3),
                y=round(HEIGHT - height, 2),
                height=round(height, 2),
            )
        )
    return TrafficChart(bars, sum(numbers))
