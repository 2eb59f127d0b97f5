"""Every page of a team, tried by strangers and by members without the right."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from teams.models import Membership, Team
from teams.permissions import Permission, permissions_of
from tests.support.pages.routes import pages_below
from tests.support.rows.world import World, make_world, rolled_back, rows_of

OPEN_TO_ALL_MEMBERS = {"second-factor"}


PAGES = pages_below("t/<str:team>/")


def address(route: str, ids: dict[str, str], team: Team) -> str:
    filled = re.sub(r"<\w+:(\w+)>", lambda match: ids[match[1]], route)
    return f"/t/{team.slug}/{filled}"


@pytest.fixture
def world(team: Team) -> World:
    return make_world(team)


def signed_in(membership: Membership) -> Client:
    client = Client()
    client.force_login(membership.user)
    return client


def asked_both_ways(client: Client, address: str) -> list[Any]:
    return [client.get(address), client.post(address)]


def permission_of(route: str) -> Permission:
    found: Any = PAGES[route].callback
    permission: Permission = found.permission
    return permission


def test_every_page_names_the_permission_it_needs(subtests: pytest.Subtests) -> None:
    for route in PAGES.keys() - OPEN_TO_ALL_MEMBERS:
        with subtests.test(route):
            assert permission_of(route) in Permission


def test_every_page_asks_strangers_to_sign_in(
    world: World, subtests: pytest.Subtests
) -> None:
    before = rows_of(world.team)

    for route in PAGES:
        with subtests.test(route), rolled_back():
            page = address(route, world.ids, world.team)
            for response in asked_both_ways(Client(), page):
                assert response.status_code in {302, 405}
                if response.status_code == 302:
                    location = response.headers["Location"]
                    assert location.startswith("/accounts/login/?next=")
            assert rows_of(world.team) == before


def test_every_page_is_unknown_to_members_of_another_team(
    world: World, outsider: Membership, subtests: pytest.Subtests
) -> None:
    client = signed_in(outsider)
    before = rows_of(world.team)

    for route in PAGES:
        with subtests.test(route), rolled_back():
            page = address(route, world.ids, world.team)
            for response in asked_both_ways(client, page):
                assert response.status_code in {404, 405}
            assert rows_of(world.team) == before


def test_no_object_is_reached_through_ones_own_team(
    world: World, outsider: Membership, subtests: pytest.Subtests
) -> None:
    client = signed_in(outsider)
    before = rows_of(world.team)

    for route in [route for route in PAGES if "<" in route]:
        with subtests.test(route), rolled_back():
            page = address(route, world.ids, outsider.team)
            for response in asked_both_ways(client, page):
                assert response.status_code in {404, 405}
            assert rows_of(world.team) == before


def test_every_page_refuses_a_role_without_its_permission(
    world: World, viewer: Membership, subtests: pytest.Subtests
) -> None:
    client = signed_in(viewer)
    before = rows_of(world.team)

    for route in PAGES.keys() - OPEN_TO_ALL_MEMBERS:
        allowed = permission_of(route) in permissions_of(viewer.role)
        with subtests.test(route), rolled_back():
            page = address(route, world.ids, world.team)
            for response in asked_both_ways(client, page):
                if allowed:
                    assert response.status_code != 403
                else:
                    assert response.status_code in {403, 405}
            assert allowed or rows_of(world.team) == before
