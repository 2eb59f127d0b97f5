"""Pages of long lists."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from django.db.models import Value
from django.db.models.functions import Coalesce, Lower
from django.utils import timezone

from licenses.models import NEVER, Customer, License
from portal.http.keyset import Sort, in_batches, keyset_page
from teams.models import Team
from tests.support.rows.factories import CustomerFactory, LicenseFactory


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
    pages = walk(team, "next")

    assert [len(page) for page in pages] == [2, 2, 2, 1]
    assert [name for page in pages for name in page] == names


def test_pages_lead_back_the_way_they_came(team: Team, names: list[str]) -> None:
    rows = Customer.objects.for_team(team.pk)
    cursor = ""
    while (page := keyset_page(rows, cursor, size=2)).next:
        cursor = page.next

    back = walk(team, "previous", cursor)

    assert back == [names[6:], names[4:6], names[2:4], names[0:2]]


def test_the_first_page_has_nothing_newer(team: Team, names: list[str]) -> None:
    page = keyset_page(Customer.objects.for_team(team.pk), "", size=2)

    assert page.previous is None
    assert page.next is not None


def test_a_list_of_one_page_has_no_neighbours(team: Team, names: list[str]) -> None:
    page = keyset_page(Customer.objects.for_team(team.pk), "", size=7)

    assert (page.previous, page.next) == (None, None)
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
    assert page.previous is None


BY_NAME = Sort(Lower("name"), is_descending=False)
BY_EXPIRY = Sort(Coalesce("expires_at", Value(NEVER)), is_descending=False)
NAMES = ["Ärger & Söhne", "beta", "Alpha", "alpha", "a b  c", 'x "1"', "beta", "+-=/"]


@pytest.mark.parametrize("is_descending", [False, True])
def test_any_order_shows_every_row_once_both_ways(
    is_descending: bool, team: Team
) -> None:
    for name in NAMES:
        CustomerFactory(team=team, name=name)
    rows = Customer.objects.for_team(team.pk)
    sort = Sort(Lower("name"), is_descending=is_descending)
    expected = list(sort.ordered(rows))

    forth: list[Customer] = []
    back: list[Customer] = []
    cursor = ""
    while (page := keyset_page(rows, cursor, sort, size=3)).next:
        forth += page.rows
        cursor = page.next
    forth += page.rows
    last = page.rows
    while page.previous:
        page = keyset_page(rows, page.previous, sort, size=3)
        back = [*page.rows, *back]

    assert forth == expected
    assert [*back, *last] == expected
    lowered = [row.name.lower() for row in expected]
    assert lowered.index("beta") + 1 == len(lowered) - lowered[::-1].index("beta") - 1


@pytest.mark.parametrize("is_descending", [False, True])
def test_a_license_that_never_expires_comes_after_all_others(
    is_descending: bool, team: Team
) -> None:
    now = timezone.now()
    for days in (None, 3, 1, None, 2):
        at = None if days is None else now + timedelta(days=days)
        LicenseFactory(team=team, expires_at=at)
    rows = License.objects.for_team(team.pk)
    sort = Sort(BY_EXPIRY.by, is_descending=is_descending)

    shown: list[License] = []
    cursor = ""
    while (page := keyset_page(rows, cursor, sort, size=2)).next:
        shown += page.rows
        cursor = page.next
    shown += page.rows

    found = [row.expires_at and (row.expires_at - now).days for row in shown]
    expected = [1, 2, 3, None, None]
    assert found == (expected[::-1] if is_descending else expected)


def test_a_cursor_of_another_order_gives_a_page(team: Team, names: list[str]) -> None:
    rows = Customer.objects.for_team(team.pk)
    of_time = keyset_page(rows, "", size=2).next
    of_names = keyset_page(rows, "", BY_NAME, size=2).next

    assert of_time
    assert of_names
    assert keyset_page(rows, of_time, BY_NAME, size=2).rows
    assert [row.name for row in keyset_page(rows, of_names, size=2).rows] == names[:2]


def test_batches_keep_the_order_and_miss_nothing(team: Team) -> None:
    for name in NAMES:
        CustomerFactory(team=team, name=name)
    rows = Customer.objects.for_team(team.pk)

    batches = list(in_batches(rows, BY_NAME, size=3))

    assert [len(batch) for batch in batches] == [3, 3, 2]
    assert [row for batch in batches for row in batch] == list(BY_NAME.ordered(rows))
