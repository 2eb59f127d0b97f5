"""Somebody else removes a person between a click and its effect."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from customers.models import Contact
from customers.services.contacts import remove_contact
from teams.actors import Actor
from teams.models import Membership
from tests.integration.customers.conftest import signed_in
from tests.integration.licenses.test_retired_slugs import (
    is_waiting_for_a_lock,
    wait_until,
)
from tests.support.pages.team_pages import seen
from tests.support.pages.team_pages import signed_in as member_browser


def by_customer(anna: Contact, owner: Membership) -> tuple[Client, str]:
    return signed_in(anna), f"/c/{anna.customer_id}/people"


def by_vendor(anna: Contact, owner: Membership) -> tuple[Client, str]:
    return member_browser(owner), f"/t/acme/customers/{anna.customer_id}/contacts"


@pytest.mark.parametrize("side", [by_customer, by_vendor])
@pytest.mark.parametrize("page", ["edit", "remove"])
def test_the_second_click_finds_nobody(
    transactional_db: None,
    anna: Contact,
    reader: Contact,
    owner: Membership,
    actor: Actor,
    side: Callable[[Contact, Membership], tuple[Client, str]],
    page: str,
) -> None:
    browser, people = side(anna, owner)
    address = f"{people}/{reader.pk}/{page}"
    values = {"name": "Rita", "role": "administrator"} if page == "edit" else {}
    form = values | (seen(browser, address) if page == "edit" else {})

    def click() -> Any:
        try:
            return browser.post(address, form)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as elsewhere:
        with transaction.atomic():
            remove_contact(actor=actor, contact=reader)
            clicked = elsewhere.submit(click)
            wait_until(is_waiting_for_a_lock)
        assert clicked.result(10).status_code == 404

    assert list(Contact.objects.all()) == [anna]
