from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from customers.models import Contact
from customers.services.links import send_links
from licenses.models import Customer
from teams.actors import Actor
from teams.mail import send_stored_mails
from teams.models import Team, User
from tests.support.pages.reading import new_browser
from tests.support.rows.factories import ContactFactory, CustomerFactory, UserFactory


@pytest.fixture(autouse=True)
def limits_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test limits of its own: contacts have the same address in all tests."""
    monkeypatch.setattr(cache, "key_prefix", f"berth-{uuid.uuid4()}")


@pytest.fixture
def browser() -> Client:
    return new_browser()


@pytest.fixture
def customer(team: Team) -> Customer:
    return CustomerFactory(team=team, name="Initech")


@pytest.fixture
def anna(customer: Customer) -> Contact:
    """An administrator of the customer, who has never signed in."""
    return ContactFactory(
        customer=customer, email="anna@initech.example", name="Anna Admin"
    )


@pytest.fixture
def reader(customer: Customer) -> Contact:
    return ContactFactory(
        customer=customer, email="rita@initech.example", role="reader"
    )


@pytest.fixture
def send(actor: Actor) -> Callable[..., str]:
    """Send a contact a link, and return the path that is in their mail."""

    def send(contact: Contact, **options: Any) -> str:
        mail.outbox.clear()
        send_links(
            actor=actor,
            customer=contact.customer,
            contacts=[contact],
            site="http://testserver",
            **options,
        )
        send_stored_mails()
        (sent,) = mail.outbox
        (path,) = re.findall(r"http://testserver(/c/links/\S+)", str(sent.body))
        return str(path)

    return send


def signed_in(contact: Contact) -> Client:
    """Return a browser in which a contact is signed in."""
    user = User.objects.filter(email=contact.email).first()
    client = new_browser()
    client.force_login(user or UserFactory(email=contact.email))
    return client
