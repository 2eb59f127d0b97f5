from __future__ import annotations

from datetime import date, timedelta

from licenses.web.traffic_chart import DAYS, HEIGHT, traffic_chart

TODAY = date(2026, 3, 1)


def test_each_of_thirty_days_has_its_place() -> None:
    chart = traffic_chart({TODAY: 1000, TODAY - timedelta(days=1): 500}, TODAY)

    assert chart.total == 1500
    assert [bar.day for bar in chart.bars] == [
        TODAY - timedelta(days=ago) for ago in range(DAYS - 1, -1, -1)
    ]
    before, today = chart.bars[-2:]
    assert (today.height, today.y) == (HEIGHT, 0)
    assert (before.height, before.y) == (HEIGHT / 2, HEIGHT / 2)
    assert 0 < chart.bars[0].x < chart.bars[1].x
    assert today.x + today.width < 100
    assert chart.days_with_traffic == [today, before]


def test_older_days_are_left_out_and_little_traffic_is_visible() -> None:
    old = TODAY - timedelta(days=DAYS)
    chart = traffic_chart({old: 7, TODAY: 10**12, TODAY - timedelta(days=3): 1}, TODAY)

    assert chart.total == 10**12 + 1
    assert chart.bars[-4].height == 1.5
    assert chart.bars[-2].height == 0


def test_no_traffic_has_no_bars() -> None:
    chart = traffic_chart({}, TODAY)

    assert (chart.total, chart.days_with_traffic) == (0, [])
