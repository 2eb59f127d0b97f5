"""The vendor's page of a customer, with all that is theirs."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from licenses.models import Customer
from teams.models import Membership
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in
from tests.support.rows.factories import (
    ContactFactory,
    CustomerFactory,
    LicenseFactory,
    PullEventFactory,
    pull_credential,
)

QUERIES = 17


@pytest.fixture
def initech(owner: Membership) -> Customer:
    return CustomerFactory(team=owner.team, name="Initech")


def fill(customer: Customer, number: int) -> None:
    for index in range(number):
        license = LicenseFactory(team=customer.team, customer=customer)
        pull_credential(license, name=f"Cluster {index} of {customer.name}")
        PullEventFactory(
            team=customer.team, license=license, repository=f"quay.io/{index}/x"
        )
        ContactFactory(customer=customer, email=f"{index}@{customer.name}.example")


def address(customer: Customer) -> str:
    return f"/t/{customer.team.slug}/customers/{customer.pk}"


def test_it_shows_what_is_theirs_alone(initech: Customer) -> None:
    fill(initech, 1)
    fill(CustomerFactory(team=initech.team, name="Other"), 2)
    viewer = Membership.objects.get(team=initech.team)

    shown = text_of(signed_in(viewer).get(address(initech)))

    assert "Cluster 0 of Initech" in shown
    assert "0@initech.example" in shown
    assert "quay.io/0/x" in shown
    assert "Other" not in shown.replace("You have no other teams", "")
    assert "quay.io/1/x" not in shown


def test_each_active_license_leads_to_the_explanation_of_a_pull(
    initech: Customer,
) -> None:
    active = LicenseFactory(team=initech.team, customer=initech)
    LicenseFactory(team=initech.team, customer=initech, revoked=True)
    browser = signed_in(Membership.objects.get(team=initech.team))

    page = browser.get(address(initech))
    (link,) = re.findall(
        r'<a href="([^"]*/why\?license=[^"]*)">', page.content.decode()
    )
    asked = browser.get(link)

    assert f"Explain a pull of {active.application.name}" in text_of(page)
    assert asked.context["license"] == active
    assert [field.name for field in asked.context["form"].visible_fields()] == [
        "image",
        "application",
    ]


def test_each_image_shows_its_latest_version(
    owner: Membership, initech: Customer
) -> None:
    license = LicenseFactory(team=owner.team, customer=initech)
    now = timezone.now()
    for tag, days, outcome in (
        ("v1", 3, "allowed"),
        ("v2", 1, "allowed"),
        ("v3", 0, "license_expired"),
        ("v0", 40, "allowed"),
    ):
        PullEventFactory(
            team=owner.team,
            license=license,
            application_slug="app",
            registry=None,
            repository="quay.io/acme/api",
            reference=tag,
            outcome=outcome,
            count=2,
            last_at=now - timedelta(days=days),
        )

    response = signed_in(owner).get(address(initech))

    rows = [
        (pull.reference, pull.outcome, pull.total, bool(why))
        for pull, why in response.context["pulls"]
    ]
    assert rows == [("v3", "license_expired", 2, True), ("v2", "allowed", 4, False)]


@pytest.mark.parametrize("number", [1, 12])
def test_it_asks_a_constant_number_of_queries(
    number: int, owner: Membership, initech: Customer
) -> None:
    fill(initech, number)
    client = signed_in(owner)

    with CaptureQueriesContext(connection) as queries:
        assert client.get(address(initech)).status_code == 200

    assert len(queries) == QUERIES
