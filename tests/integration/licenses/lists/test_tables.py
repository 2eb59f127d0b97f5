"""What the lists of customers and licenses share: order, total, days and CSV."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from licenses.models import Customer
from teams.models import Membership, Team
from teams.web.lists.tables import total_of
from tests.support.pages.license_pages import HTMX, customers_listed, page
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in
from tests.support.rows.factories import (
    ApiTokenFactory,
    ApplicationFactory,
    CustomerFactory,
    LicenseFactory,
    LicenseFieldFactory,
    ServiceAccountFactory,
)

CUSTOMERS = "/t/acme/customers"
LICENSES = "/t/acme/licenses"


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


def downloaded(browser: Client, address: str) -> list[dict[str, str]]:
    response: Any = browser.get(address)
    assert response.status_code == 200
    text = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
def named_and_mailed(team: Team) -> None:
    """Customers with "acme" in the name or elsewhere, before and after those names."""
    for name, email in (
        ("Aardvark", "it@acme.example"),
        ("Acme Foods", ""),
        ("acme labs", ""),
        ("Borealis", ""),
        ("Zeta", "it@acme.example"),
    ):
        LicenseFactory(team=team, customer__name=name, customer__email=email)


@pytest.mark.parametrize(
    ("address", "by"), [(CUSTOMERS, "name"), (LICENSES, "customer")]
)
def test_all_that_a_search_finds_is_listed_by_name_in_both_directions(
    address: str, by: str, browser: Client, named_and_mailed: None
) -> None:
    found = ["Aardvark", "Acme Foods", "acme labs", "Zeta"]

    for text in ("acme", "ACME", "ac", "cme"):
        up = page(browser, f"{address}?search={text}&sort={by}")
        down = page(browser, f"{address}?search={text}&sort=-{by}")
        assert customers_listed(up) == found
        assert customers_listed(down) == found[::-1]
    labs = page(browser, f"{address}?search=acme+l&sort=-{by}")
    assert customers_listed(labs) == ["acme labs"]


def test_a_license_found_by_a_value_is_listed_by_any_name(
    browser: Client, team: Team, named_and_mailed: None
) -> None:
    values = {"plan": "Acme special"}
    LicenseFactory(team=team, customer__name="Zulu", field_values=values)

    down = page(browser, f"{LICENSES}?search=acme&sort=-customer")
    assert customers_listed(down)[0] == "Zulu"


@pytest.fixture
def three(team: Team) -> None:
    team.time_zone = "Asia/Tokyo"
    team.save()
    for name, expires_at in (
        ("beta", datetime(2031, 3, 1, 14, 59, tzinfo=UTC)),  # 1 March in Tokyo
        ("Alpha", None),
        ("gamma", datetime(2031, 3, 1, 15, tzinfo=UTC)),  # 2 March in Tokyo
    ):
        LicenseFactory(team=team, customer__name=name, expires_at=expires_at)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["gamma", "Alpha", "beta"]),
        ("sort=issued", ["beta", "Alpha", "gamma"]),
        ("sort=-issued", ["gamma", "Alpha", "beta"]),
        ("sort=customer", ["Alpha", "beta", "gamma"]),
        ("sort=-customer", ["gamma", "beta", "Alpha"]),
        ("sort=expires", ["beta", "gamma", "Alpha"]),
        ("sort=-expires", ["Alpha", "gamma", "beta"]),
        ("sort=license_id", ["gamma", "Alpha", "beta"]),
        ("sort=--customer", ["gamma", "Alpha", "beta"]),
        ("sort=type", ["gamma", "Alpha", "beta"]),
        ("first_expiry=2031-03-02", ["gamma"]),
        ("last_expiry=2031-03-01", ["beta"]),
        ("sort=customer&search=gam&first_expiry=2031-03-01", ["gamma"]),
    ],
)
def test_licenses_are_sorted_and_filtered_alike_on_the_page_and_as_csv(
    query: str, names: list[str], browser: Client, three: None
) -> None:
    assert customers_listed(page(browser, f"{LICENSES}?{query}")) == names
    rows = downloaded(browser, f"{LICENSES}.csv?{query}")
    assert [row["customer"] for row in rows] == names


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("sort=name", ["Alpha", "beta", "gamma"]),
        ("sort=-name", ["gamma", "beta", "Alpha"]),
        ("sort=added", ["beta", "Alpha", "gamma"]),
        ("", ["gamma", "Alpha", "beta"]),
    ],
)
def test_customers_are_sorted_alike_on_the_page_and_as_csv(
    query: str, names: list[str], browser: Client, three: None
) -> None:
    assert customers_listed(page(browser, f"{CUSTOMERS}?{query}")) == names
    rows = downloaded(browser, f"{CUSTOMERS}.csv?{query}")
    assert [row["name"] for row in rows] == names


def test_heads_say_the_order_and_lead_to_the_other(
    browser: Client, three: None
) -> None:
    text = page(browser, f"{LICENSES}?sort=expires&state=active&page=x")

    heads = re.findall(
        r'<th scope="col"(?: aria-sort="(\w+)")?><a class="berth-sort" href="([^"]*)">'
        r"(\w+)</a>",
        text,
    )
    assert heads == [
        ("", "?sort=customer&amp;state=active", "Customer"),
        ("ascending", "?sort=-expires&amp;state=active", "Expires"),
        ("", "?sort=-issued&amp;state=active", "Issued"),
    ]
    assert '<input type="hidden" name="sort" value="expires">' in text


def test_a_search_keeps_the_order(browser: Client, three: None) -> None:
    response = browser.post(LICENSES, {"search": "a", "sort": "expires"}, headers=HTMX)

    assert response.headers["Location"] == f"{LICENSES}?search=a&sort=expires"


def test_pages_of_a_sorted_list_show_every_row_once(
    browser: Client, team: Team
) -> None:
    for number in range(60):
        CustomerFactory(team=team, name=f"Customer {number % 20:02}")

    names, address = [], f"{CUSTOMERS}?sort=-name"
    while True:
        text = page(browser, address)
        names += customers_listed(text)
        following = re.search(r'rel="next" href="([^"]*)"', text)
        if not following:
            break
        address = CUSTOMERS + following[1].replace("&amp;", "&")

    assert names == sorted(names, reverse=True)
    assert len(names) == 60


def test_total_is_of_all_pages_and_of_the_filter(browser: Client, team: Team) -> None:
    CustomerFactory.create_batch(30, team=team)
    CustomerFactory(team=team, name="Initech")

    assert "31 customers" in text_of(browser.get(CUSTOMERS))
    assert "1 customer " in text_of(browser.get(f"{CUSTOMERS}?search=initech"))


def test_total_is_counted_up_to_a_limit(team: Team) -> None:
    CustomerFactory.create_batch(4, team=team)
    assert str(total_of(Customer.objects.for_team(team.pk), 4)) == "4"
    CustomerFactory(team=team)
    assert str(total_of(Customer.objects.for_team(team.pk), 4)) == "more than 4"


def test_csv_of_licenses_has_all_but_secrets(browser: Client, team: Team) -> None:
    license = LicenseFactory(
        team=team,
        customer__name="=Initech",
        customer__custom_id="CRM-7",
        type="trial",
        expires_at=datetime(2031, 1, 1, tzinfo=UTC),
        field_values={"plan": "hidden"},
    )
    LicenseFieldFactory(application=license.application, name="plan")

    response: Any = browser.get(f"{LICENSES}.csv")
    text = b"".join(response.streaming_content).decode()

    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row.pop("issued")
    assert row == {
        "customer": "'=Initech",
        "customer_id": str(license.customer_id),
        "custom_id": "CRM-7",
        "application": license.application.name,
        "channel": license.channel.name,
        "type": "trial",
        "state": "active",
        "expires": "2031-01-01T00:00:00Z",
        "id": str(license.pk),
    }
    assert license.license_id.reveal() not in text
    assert response.headers["Cache-Control"] == "no-store"
    name = response.headers["Content-Disposition"]
    assert name.startswith('attachment; filename="licenses-acme-')


def test_search_for_a_secret_offers_no_csv_of_something_else(
    browser: Client, team: Team
) -> None:
    license = LicenseFactory(team=team)
    offered = "licenses.csv"
    assert offered in page(browser, LICENSES)

    response = browser.post(LICENSES, {"search": license.license_id.reveal()})

    assert license.customer.name in response.content.decode()
    assert offered not in response.content.decode()


@pytest.mark.parametrize(
    "list_of",
    ["customers", "licenses", "pulls", "alerts", "applications", "api-tokens"],
)
def test_csv_is_of_the_own_team(
    list_of: str, browser: Client, outsider: Membership, three: None
) -> None:
    assert browser.get(f"/t/rival/{list_of}.csv").status_code == 404
    assert downloaded(signed_in(outsider), f"/t/rival/{list_of}.csv") == []


def test_csv_of_applications(browser: Client, team: Team) -> None:
    license = LicenseFactory(team=team, application__name="My app")
    ApplicationFactory(team=team, name="another")

    rows = downloaded(browser, "/t/acme/applications.csv?sort=name")

    assert [row["name"] for row in rows] == ["another", "My app"]
    assert rows[1]["slug"] == license.application.slug
    assert rows[1]["channels"] == license.channel.name
    assert rows[1]["active_licenses"] == "1"


def test_csv_of_tokens_has_no_secret_and_only_what_one_may_see(
    browser: Client, owner: Membership, member: Membership, team: Team
) -> None:
    account = ServiceAccountFactory(team=team, name="ci")
    ApiTokenFactory(team=team, name="laptop", kind="user", user=owner.user)
    ApiTokenFactory(
        team=team, name="of ci", kind="service_account", service_account=account
    )

    rows = downloaded(browser, "/t/acme/api-tokens.csv?sort=name")

    assert [(row["name"], row["acts_as"]) for row in rows] == [
        ("laptop", owner.user.email),
        ("of ci", "ci"),
    ]
    assert list(rows[0]) == [
        *("name", "kind", "acts_as", "read_only", "created", "expires", "used"),
        *("state", "id"),
    ]
    assert downloaded(signed_in(member), "/t/acme/api-tokens.csv") == []


def test_wrong_day_is_told_and_downloads_nothing(browser: Client, three: None) -> None:
    address = f"{LICENSES}?first_expiry=soon"
    assert "Expires from: Enter a valid date." in text_of(browser.get(address))

    response = browser.get(f"{LICENSES}.csv?first_expiry=soon")

    assert response.status_code == 302
    assert response.headers["Location"] == address
