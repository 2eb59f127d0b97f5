"""Pages of long lists."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from django.utils import timezone

from licenses.models import Customer
from portal.http.keyset import keyset_page
from teams.models import Team
from tests.support.rows.factories import CustomerFactory


@pytest.fixture
def names(team: Team) -> list[str]:
    """Seven customers, the latest first; the middle three of the same instant."""
    now = timezone.now()
    for number, minutes in enumerate([0, 1, 2, 2, 2, 3, 4]):
        CustomerFactory(
            team=team, name=f"c{number}", created_at=now - timedelta(minutes=minutes)
        )
    rows = Customer.objects.for_team(team.pk).order_by("-created_at", "-pk")
    return [row.name for row in rows]


def walk(team: Team, direction: str, cursor: str = "") -> list[list[str]]:
    pages = []
    while True:
        page = keyset_page(Customer.objects.for_team(team.pk), cursor, size=2)
        pages.append([row.name for row in page.rows])
        following = getattr(page, direction)
        if following is None:
            return pages
        cursor = following


def test_pages_show_every_row_once_in_order(team: Team, names: list[str]) -> None:
    pages = walk(team, "older")

    assert [len(page) for page in pages] == [2, 2, 2, 1]
    assert [name for page in pages for name in page] == names


def test_pages_lead_back_the_way_they_came(team: Team, names: list[str]) -> None:
    rows = Customer.objects.for_team(team.pk)
    cursor = ""
    while (page := keyset_page(rows, cursor, size=2)).older:
        cursor = page.older

    back = walk(team, "newer", cursor)

    assert back == [names[6:], names[4:6], names[2:4], names[0:2]]


def test_the_first_page_has_nothing_newer(team: Team, names: list[str]) -> None:
    page = keyset_page(Customer.objects.for_team(team.pk), "", size=2)

    assert page.newer is None
    assert page.older is not None


def test_a_list_of_one_page_has_no_neighbours(team: Team, names: list[str]) -> None:
    page = keyset_page(Customer.objects.for_team(team.pk), "", size=7)

    assert (page.newer, page.older) == (None, None)
    assert len(page.rows) == 7


@pytest.mark.parametrize(
    "cursor", ["x", "%%%", "a" * 4000, "PjIwMjYtMDEtMDE", "\x00", "Pg", "é"]
)
def test_a_damaged_cursor_gives_the_first_page(
    team: Team, names: list[str], cursor: str
) -> None:
    page = keyset_page(Customer.objects.for_team(team.pk), cursor, size=2)

    assert [row.name for row in page.rows] == names[:2]


@pytest.mark.parametrize(
    "at",
    [
        "2026-01-01T00:00:00",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "1999-12-31T23:59:59+00:00",
    ],
)
@pytest.mark.parametrize("side", "<>")
def test_an_instant_that_no_page_gave_gives_the_first_page(
    team: Team, names: list[str], at: str, side: str
) -> None:
    text = f"{side}{at} 00000000-0000-0000-0000-000000000000"
    cursor = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    page = keyset_page(Customer.objects.for_team(team.pk), cursor, size=2)

    assert [row.name for row in page.rows] == names[:2]
    assert page.newer is None
