"""What people and programs read when no view answers."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client, RequestFactory

from customers.models import Contact
from portal.http.error_pages import bad_request, server_error
from teams.models import Membership
from tests.support.clients.api import ApiClient
from tests.support.pages.license_pages import HTMX
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in
from tests.support.rows.factories import (
    AlertFactory,
    ContactFactory,
    MembershipFactory,
    UserFactory,
)

NOWHERE = "/nothing/here"
JSON = "application/problem+json"
SEARCH = 'id="search-text"'


def failed(path: str, error: Exception, **headers: str) -> Any:
    """Return the answer to a request whose view raises this error."""
    request = RequestFactory().get(path, headers=headers)
    try:
        raise error
    except type(error):
        return server_error(request)


def test_a_stranger_finds_the_way_in(client: Client, db: None) -> None:
    answer = client.get(NOWHERE)

    assert answer.status_code == 404
    assert "Page not found" in text_of(answer)
    assert '<a class="btn btn-primary" href="/">' in answer.content.decode()
    assert SEARCH not in answer.content.decode()


@pytest.mark.parametrize(
    "path",
    [
        NOWHERE,
        "/t/acme/nothing",
        "/t/nobodys/licenses",
        f"/t/acme/alerts/{uuid.UUID(int=0)}",
    ],
)
def test_a_member_keeps_the_navigation_and_the_search(
    path: str, owner: Membership
) -> None:
    AlertFactory(team=owner.team)
    browser = signed_in(owner)

    answer = browser.get(path)

    page = answer.content.decode()
    assert answer.status_code == 404
    assert SEARCH in page
    assert 'action="/t/acme/search"' in page
    assert '<a class="btn btn-primary" href="/t/acme/">' in page
    assert "1 not acknowledged" in text_of(answer)
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_deleted_object_is_missing_inside_its_team(owner: Membership) -> None:
    other = MembershipFactory(user=owner.user)
    browser = signed_in(owner)
    browser.get(f"/t/{other.team.slug}/licenses")

    inside = browser.get(f"/t/acme/licenses/{uuid.uuid4()}")
    outside = browser.get(NOWHERE)

    assert 'action="/t/acme/search"' in inside.content.decode()
    assert inside.status_code == outside.status_code == 404
    # The team that they looked at last.
    assert 'action="/t/acme/search"' in outside.content.decode()


def test_a_member_without_a_second_factor_sees_nothing_of_the_team(
    owner: Membership,
) -> None:
    owner.team.require_second_factor = True
    owner.team.save()

    answer = signed_in(owner).get(NOWHERE)

    assert answer.status_code == 404
    assert owner.team.name not in answer.content.decode()
    assert SEARCH not in answer.content.decode()


def test_a_dialog_says_that_its_object_is_gone(owner: Membership) -> None:
    answer = signed_in(owner).get(
        f"/t/acme/customers/{uuid.uuid4()}/edit", headers=HTMX
    )

    assert answer.status_code == 404
    assert "Not found It has been deleted" in text_of(answer)
    assert "<html" not in answer.content.decode()


def test_a_contact_stays_on_the_customers_side(db: None) -> None:
    contact: Contact = ContactFactory()
    browser = Client()
    browser.force_login(UserFactory(email=contact.email))
    home = f"/c/{contact.customer_id}/"

    answer = browser.get(f"{home}credentials/{uuid.uuid4()}/edit")

    assert answer.status_code == 404
    assert f'<a class="btn btn-primary" href="{home}">' in answer.content.decode()
    assert "Berth" not in text_of(answer)


@pytest.mark.parametrize("path", ["/api/", "/api/v2/licenses", "/api/v1/nothing"])
def test_unknown_addresses_of_the_api_are_problems(path: str, client: Client) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, JSON)
    assert answer.json()["code"] == "not_found"


def test_the_address_of_a_form_says_so(owner: Membership, owner_api: ApiClient) -> None:
    browser = signed_in(owner)

    page = browser.get("/t/acme/alerts/acknowledge")
    posted = browser.post("/t/acme/customers")
    api = owner_api.delete("/alerts")

    assert page.status_code == 405
    assert "This address accepts a form" in text_of(page)
    assert page.headers["Allow"] == "POST"
    assert (posted.status_code, posted.content) == (405, b"")
    assert (api.status_code, api.headers["Content-Type"]) == (405, JSON)


def test_an_expired_form_says_what_to_do(owner: Membership) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(owner.user)

    answer = browser.post("/t/acme/customers/new", {"name": "Initech"})

    assert answer.status_code == 403
    assert "This form has expired" in text_of(answer)
    assert "reload the page and submit the form again" in text_of(answer)


@pytest.mark.parametrize(
    ("error", "status", "heading"),
    [
        (ValueError("secret detail"), 500, "Internal error"),
        (OperationalError("secret detail"), 503, "The database is unavailable"),
    ],
)
def test_a_failure_is_a_page_without_the_database(
    error: Exception, status: int, heading: str
) -> None:
    """No fixture gives this test a database."""
    page = failed("/t/acme/licenses", error)
    part = failed("/t/acme/licenses", error, hx_request="true")
    dark = failed("/t/acme/licenses", error, cookie="berth_theme=dark")

    assert {page.status_code, part.status_code, dark.status_code} == {status}
    assert f'<h1 class="h2">{heading}</h1>' in page.content.decode()
    assert "contact the operator" in text_of(page)
    assert "berth.css" in page.content.decode()
    assert 'data-bs-theme="dark"' in dark.content.decode()
    assert "<html" not in part.content.decode()
    assert heading in text_of(part)
    assert "secret detail" not in page.content.decode() + part.content.decode()


def test_a_customer_reads_of_no_operator() -> None:
    page = failed("/c/", ValueError())

    assert "ask your contact at the vendor" in text_of(page)
    assert "Berth" not in text_of(page)
    assert 'href="/c/"' in page.content.decode()


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ValueError("secret detail"), 500, "internal_error"),
        (OperationalError("secret detail"), 503, "database_unavailable"),
    ],
)
def test_a_failure_of_the_api_is_a_problem(
    error: Exception, status: int, code: str
) -> None:
    answer = failed("/api/v1/licenses", error)

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, JSON)
    assert f'"code": "{code}"' in answer.content.decode()
    assert f'"status": {status}' in answer.content.decode()
    assert "secret detail" not in answer.content.decode()


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("/t/acme/licenses", "text/html; charset=utf-8", "more than the limit of 1 MB"),
        ("/api/v1/licenses", JSON, "The request is malformed"),
    ],
)
def test_a_malformed_request(path: str, kind: str, words: str) -> None:
    answer = bad_request(RequestFactory().get(path), ValueError())

    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.headers["Content-Type"] == kind
    assert words in answer.content.decode()
