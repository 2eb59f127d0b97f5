"""Contacts by role, customer and team: who sees which page, and who sees none."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from customers.models import Contact, ContactRole
from teams.models import Membership, Team, User
from tests.integration.test_outsiders import ACTION, LIST, OBJECT, every
from tests.integration.test_outsiders import address as api_address
from tests.integration.test_page_outsiders import PAGES as TEAM_PAGES
from tests.integration.test_page_outsiders import address as team_address
from tests.support.pages.routes import pages_below
from tests.support.pages.team_pages import submission
from tests.support.rows.factories import (
    ContactFactory,
    CustomerFactory,
    UserFactory,
)
from tests.support.rows.world import World, make_world, rolled_back, rows_of

OWN = "<uuid:customer_id>/"
ROUTES = {
    route: pattern
    for route, pattern in pages_below("c/").items()
    if route.startswith(OWN)
}


def role_for(route: str) -> ContactRole:
    found: Any = ROUTES[route].callback
    role: ContactRole = found.contact_role
    return role


def address(route: str, ids: dict[str, str]) -> str:
    return "/c/" + re.sub(r"<\w+:(\w+)>", lambda match: ids[match[1]], route)


def browser_of(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def asked_both_ways(client: Client, address: str) -> list[Any]:
    return [client.get(address), client.post(address, submission())]


@pytest.fixture
def world(team: Team) -> World:
    return make_world(team)


def customer_of(world: World) -> Any:
    return world.license.customer


def of_another_customer(world: World, _other: Team) -> User:
    contact = ContactFactory(customer=CustomerFactory(team=world.team))
    return UserFactory(email=contact.email)


def of_another_vendor(_world: World, other: Team) -> User:
    return UserFactory(email=ContactFactory(customer__team=other).email)


def member_of_the_vendor(world: World, _other: Team) -> User:
    return Membership.objects.get(team=world.team, role="support").user


def member_who_was_a_contact(world: World, _other: Team) -> User:
    user = member_of_the_vendor(world, _other)
    ContactFactory(customer=customer_of(world), email=user.email)
    return user


def operator(_world: World, _other: Team) -> User:
    return UserFactory(is_staff=True, is_superuser=True)


def removed(world: World, _other: Team) -> User:
    contact = ContactFactory(customer=customer_of(world))
    user = UserFactory(email=contact.email)
    contact.delete()
    return user


def with_another_address_by_now(world: World, _other: Team) -> User:
    contact = ContactFactory(customer=customer_of(world))
    return UserFactory(email=f"new-{contact.email}")


def never_proven(world: World, _other: Team) -> User:
    contact = ContactFactory(customer=customer_of(world))
    return UserFactory(email=contact.email, is_address_proven=False)


OUTSIDERS: tuple[Callable[[World, Team], User], ...] = (
    of_another_customer,
    of_another_vendor,
    member_of_the_vendor,
    member_who_was_a_contact,
    operator,
    removed,
    with_another_address_by_now,
    never_proven,
)


def test_every_page_asks_strangers_to_sign_in(
    world: World, subtests: pytest.Subtests
) -> None:
    before = rows_of(world.team)

    for route in ROUTES:
        with subtests.test(route), rolled_back():
            for response in asked_both_ways(Client(), address(route, world.ids)):
                assert response.status_code in {302, 405}
                if response.status_code == 302:
                    location = response.headers["Location"]
                    assert location.startswith("/accounts/login/")
                    assert "?next=" in location
            assert rows_of(world.team) == before


@pytest.mark.parametrize("outsider", OUTSIDERS, ids=lambda call: call.__name__)
def test_no_page_is_known_to_anybody_else(
    outsider: Callable[[World, Team], User], world: World, other_team: Team
) -> None:
    client = browser_of(outsider(world, other_team))
    before = rows_of(world.team)

    for route in ROUTES:
        for response in asked_both_ways(client, address(route, world.ids)):
            assert response.status_code in {404, 405}, route
    assert rows_of(world.team) == before


@pytest.mark.parametrize("route", [route for route in ROUTES if route.count("<") > 1])
def test_nobody_elses_people_are_reached_through_ones_own_customer(
    route: str, world: World, other_team: Team
) -> None:
    for customer in (
        CustomerFactory(team=world.team),
        CustomerFactory(team=other_team),
    ):
        own = ContactFactory(customer=customer)
        client = browser_of(UserFactory(email=own.email))
        before = rows_of(world.team)
        ids = {**world.ids, "customer_id": str(customer.pk)}

        for response in asked_both_ways(client, address(route, ids)):
            assert response.status_code in {404, 405}
        Contact.objects.filter(pk=own.pk).update(last_seen_at=None)
        assert rows_of(world.team) == before


def test_readers_see_what_is_for_readers_and_change_nothing(
    world: World, subtests: pytest.Subtests
) -> None:
    contact = ContactFactory(customer=customer_of(world), role="reader")
    client = browser_of(UserFactory(email=contact.email))
    # Their first page notes when they were here.
    client.get(f"/c/{contact.customer_id}/")
    before = rows_of(world.team)

    for route in ROUTES:
        expected = 403 if role_for(route) == ContactRole.ADMINISTRATOR else 200
        with subtests.test(route), rolled_back():
            responses = asked_both_ways(client, address(route, world.ids))
            statuses = {response.status_code for response in responses}
            assert expected in statuses
            assert statuses <= {expected, 405}
            assert rows_of(world.team) == before


def test_every_page_is_no_404_to_its_administrators(
    world: World, subtests: pytest.Subtests
) -> None:
    # Otherwise a mistyped address would make the tests above pass.
    contact = ContactFactory(customer=customer_of(world))
    client = browser_of(UserFactory(email=contact.email))

    for route in ROUTES:
        with subtests.test(route), rolled_back():
            responses = asked_both_ways(client, address(route, world.ids))
            assert 200 in {response.status_code for response in responses}


@pytest.mark.parametrize("role", ContactRole.values)
def test_every_page_of_the_vendor_is_unknown_to_contacts(
    role: str, world: World
) -> None:
    contact = ContactFactory(customer=customer_of(world), role=role)
    client = browser_of(UserFactory(email=contact.email))
    before = rows_of(world.team)

    for route in TEAM_PAGES:
        for response in asked_both_ways(
            client, team_address(route, world.ids, world.team)
        ):
            assert response.status_code in {404, 405}, route
    assert rows_of(world.team) == before


@pytest.mark.parametrize("headers", [{}, {"Berth-Team": "acme"}])
def test_every_route_of_the_vendor_is_closed_to_contacts(
    headers: dict[str, str], world: World
) -> None:
    contact = ContactFactory(customer=customer_of(world))
    client = browser_of(UserFactory(email=contact.email))
    before = rows_of(world.team)

    for route, method in every(LIST, OBJECT, ACTION):
        response = client.generic(
            method.upper(),
            f"/api/v1{api_address(route, world.ids)}",
            b"{}",
            content_type="application/json",
            headers=headers,
        )
        assert response.status_code == 403, route
        assert response.json()["code"] == "no_team"
    assert rows_of(world.team) == before
