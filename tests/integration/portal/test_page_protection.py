"""What keeps other sites, scripts and frames away from pages."""

from __future__ import annotations

import gzip
import html
import json
import re
from typing import Any

import pytest
from django.test import Client

from licenses.models import License
from teams.models import Membership, Team
from tests.support.clients.api import ApiClient
from tests.support.pages.team_pages import signed_in
from tests.support.rows.factories import PASSWORD, CustomerFactory, LicenseFactory

SCRIPT = "<script>alert(1)</script>"
ZIPPED = {"Accept-Encoding": "gzip, br"}


@pytest.fixture
def browser(owner: Membership) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner.user)
    return client


@pytest.mark.parametrize("path", ["/accounts/login/", "/t/acme/", "/nothing-here"])
def test_pages_run_no_inline_code_and_are_in_no_frame(
    path: str, browser: Client
) -> None:
    headers = browser.get(path).headers

    policy = dict(
        directive.split(" ", 1)
        for directive in headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", ["/t/acme/members/leave", "/accounts/logout/"])
def test_a_form_of_another_site_changes_nothing(path: str, browser: Client) -> None:
    response = browser.post(path, headers={"Origin": "https://evil.example"})

    assert response.status_code == 403
    assert Membership.objects.count() == 1
    assert browser.get("/t/acme/").status_code == 200


def test_a_script_in_a_name_is_text(browser: Client, team: Team) -> None:
    CustomerFactory(team=team, name=SCRIPT)

    page = browser.get("/t/acme/customers").content.decode()

    assert html.escape(SCRIPT) in page
    assert SCRIPT not in page


def test_passwords_are_hashed_with_argon2(owner: Membership) -> None:
    owner.user.set_password(PASSWORD)

    assert owner.user.password.startswith("argon2$argon2id$")


def test_dialogs_show_refusals_of_every_status(browser: Client) -> None:
    """A form that is refused with 429 or 503 is shown again in its dialog."""
    page = browser.get("/t/acme/").content.decode()

    match = re.search(r"""name="htmx-config" content='([^']*)'""", page)
    assert match
    assert json.loads(match[1])["responseHandling"] == [
        {"code": "204", "swap": False},
        {"code": "...", "swap": True},
    ]


def encoding(response: Any) -> str:
    return str(response.headers.get("Content-Encoding", ""))


def test_a_page_is_compressed_for_who_reads_that(owner: Any) -> None:
    browser = signed_in(owner)

    plain = browser.get("/t/acme/customers")
    zipped = browser.get("/t/acme/customers", headers=ZIPPED)

    assert encoding(plain) == ""
    assert encoding(zipped) == "gzip"
    assert "Accept-Encoding" in zipped.headers["Vary"]
    assert len(zipped.content) < len(plain.content) / 2
    assert b"<h1" in gzip.decompress(zipped.content)


def test_the_same_page_has_another_size_each_time(owner: Any) -> None:
    """A size tells nothing of what is in a page beside what somebody else chose."""
    browser = signed_in(owner)

    sizes = {
        len(browser.get("/t/acme/customers", headers=ZIPPED).content) for _ in range(20)
    }

    assert len(sizes) > 3


def test_an_answer_that_shows_a_license_id_is_not_compressed(owner: Any) -> None:
    license: License = LicenseFactory(team=owner.team)
    browser: Client = signed_in(owner)

    address = f"/t/acme/licenses/{license.pk}/license-id"
    response = browser.post(address, headers=ZIPPED)

    assert license.license_id.reveal() in response.text
    assert encoding(response) == ""


def test_an_answer_of_the_api_is_not_compressed(owner_api: ApiClient) -> None:
    CustomerFactory.create_batch(20, team=owner_api.team)

    response = owner_api.get("/customers", headers=ZIPPED)

    assert len(response.content) > 2000
    assert encoding(response) == ""
