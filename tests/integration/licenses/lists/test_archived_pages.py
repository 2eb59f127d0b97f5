"""Customers and applications that pages delete, archive and restore."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from licenses.models import Application, Customer
from teams.models import Membership, Team
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    ContactFactory,
    CustomerFactory,
    ImageRepositoryFactory,
    LicenseFactory,
)
from tests.support.rows.world import rows_of

APPLICATIONS = "/t/acme/applications"
CUSTOMERS = "/t/acme/customers"


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


@pytest.fixture
def customer(team: Team) -> Customer:
    return CustomerFactory(team=team, name="Initech")


@pytest.fixture
def application(team: Team) -> Application:
    return ApplicationFactory(team=team, name="My App", slug="my-app")


def page_of(row: Customer | Application) -> str:
    if isinstance(row, Customer):
        return f"{CUSTOMERS}/{row.pk}"
    return f"{APPLICATIONS}/{row.slug}"


def keep_for_the_record(row: Customer | Application) -> None:
    """Give a customer or application an archived license."""
    of = {"customer" if isinstance(row, Customer) else "application": row}
    LicenseFactory(team=row.team, revoked=True, archived_at=timezone.now(), **of)


def test_a_customer_without_licenses_is_deleted_with_its_contacts(
    browser: Client, customer: Customer, team: Team
) -> None:
    ContactFactory(customer=customer)
    address = f"{page_of(customer)}/delete"

    asked = text_of(browser.get(address))
    done = browser.post(address, follow=True)

    assert "Delete Initech?" in asked
    assert "The customer is deleted with its contacts" in asked
    assert done.redirect_chain == [(CUSTOMERS, 302)]
    assert "Initech is deleted." in text_of(done)
    assert not Customer.objects.for_team(team.pk).exists()
    assert audited(team) == [("customer:deleted", "Initech")]


def test_an_application_without_licenses_is_deleted(
    browser: Client, application: Application, team: Team
) -> None:
    address = f"{page_of(application)}/delete"

    asked = text_of(browser.get(address))
    done = browser.post(address, follow=True)

    assert "Delete My App?" in asked
    assert "This cannot be undone." in asked
    assert "My App is deleted." in text_of(done)
    assert not Application.objects.for_team(team.pk).exists()


@pytest.mark.parametrize("kind", ["customer", "application"])
def test_what_was_handed_over_is_archived_and_says_so(
    kind: str, browser: Client, request: pytest.FixtureRequest, team: Team
) -> None:
    row: Customer | Application = request.getfixturevalue(kind)
    keep_for_the_record(row)
    address = f"{page_of(row)}/delete"

    asked = text_of(browser.get(address))
    done = browser.post(address, follow=True)

    assert "kept for the record" in asked
    assert "archived instead of deleted" in asked
    assert "cannot be undone" not in asked
    name = "Initech" if kind == "customer" else "My App"
    assert f"{name} is archived." in text_of(done)
    row.refresh_from_db()
    assert row.archived_at is not None
    assert [tag for tag, _ in audited(team)] == [f"{kind}:archived"]


@pytest.mark.parametrize("kind", ["customer", "application"])
def test_the_page_of_what_is_archived_says_so_and_restores_it(
    kind: str, browser: Client, request: pytest.FixtureRequest, team: Team
) -> None:
    row: Customer | Application = request.getfixturevalue(kind)
    keep_for_the_record(row)
    row.archived_at = timezone.now()
    row.save()

    page = browser.get(page_of(row))
    done = browser.post(f"{page_of(row)}/restore", follow=True)

    assert "archived" in text_of(page)
    assert "Archived now" in text_of(page)
    assert f'action="{page_of(row)}/restore"' in page.content.decode()
    assert "is restored." in text_of(done)
    assert "/restore" not in done.content.decode()
    row.refresh_from_db()
    assert row.archived_at is None
    assert [tag for tag, _ in audited(team)] == [f"{kind}:restored"]


def test_a_customer_with_licenses_stays(
    browser: Client, customer: Customer, team: Team
) -> None:
    LicenseFactory(team=team, customer=customer, revoked=True)
    before = rows_of(team)
    address = f"{page_of(customer)}/delete"

    asked = browser.get(address)
    refused = browser.post(address)

    assert "has 1 license, including revoked and expired ones" in text_of(asked)
    assert "btn-danger" not in asked.content.decode()
    assert "This customer has licenses. Delete them first" in text_of(refused)
    assert rows_of(team) == before


def test_an_archived_customer_that_is_kept_stays(
    browser: Client, customer: Customer, team: Team
) -> None:
    keep_for_the_record(customer)
    customer.archived_at = timezone.now()
    customer.save()

    asked = browser.get(f"{page_of(customer)}/delete")

    assert "is archived already" in text_of(asked)
    assert "btn-danger" not in asked.content.decode()


def test_an_application_with_images_stays(
    browser: Client, application: Application, team: Team
) -> None:
    ImageRepositoryFactory(application=application)
    before = rows_of(team)

    refused = browser.post(f"{page_of(application)}/delete")

    assert "Delete the images first." in text_of(refused)
    assert rows_of(team) == before


def test_archived_applications_are_listed_on_demand(
    browser: Client, application: Application, team: Team
) -> None:
    ApplicationFactory(
        team=team, name="Old App", slug="old", archived_at=timezone.now()
    )

    current = text_of(browser.get(APPLICATIONS))
    archived = text_of(browser.get(f"{APPLICATIONS}?archived=true"))
    lines = b"".join(browser.get(f"{APPLICATIONS}.csv?archived=true")).decode()

    assert ("My App" in current, "Old App" in current) == (True, False)
    assert ("My App" in archived, "Old App" in archived) == (False, True)
    assert "Old App" in lines
    assert "My App" not in lines


def test_no_archived_application_is_an_empty_list(
    browser: Client, application: Application
) -> None:
    page = text_of(browser.get(f"{APPLICATIONS}?archived=true"))

    assert "No archived applications" in page


@pytest.mark.parametrize("action", ["delete", "restore"])
@pytest.mark.parametrize("kind", ["customer", "application"])
def test_who_may_only_read_deletes_and_restores_nothing(
    kind: str,
    action: str,
    viewer: Membership,
    request: pytest.FixtureRequest,
    team: Team,
) -> None:
    row: Customer | Application = request.getfixturevalue(kind)
    row.archived_at = timezone.now()
    row.save()
    browser = signed_in(viewer)
    before = rows_of(team)

    answer = browser.post(f"{page_of(row)}/{action}")

    assert answer.status_code == 403
    assert rows_of(team) == before
    page = browser.get(page_of(row)).content.decode()
    assert f"/{action}" not in page
