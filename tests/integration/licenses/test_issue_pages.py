from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from licenses.models import Customer, License
from teams.models import Membership, Team
from teams.permissions import Role
from tests.support.pages.license_pages import (
    HTMX,
    LICENSES,
    error_beside,
    hidden,
    page,
    signed_in,
)
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    ChannelFactory,
    CustomerFactory,
    LicenseFieldFactory,
    MembershipFactory,
)
from tests.support.rows.world import rows_of

# Of which seven are of every first page of a session.
ISSUE_QUERIES = 12


@pytest.fixture
def sales(team: Team) -> Membership:
    return MembershipFactory(
        team=team, user__email="sales@acme.example", role=Role.SALES.value
    )


@pytest.fixture
def terms(owner: Membership) -> dict[str, str]:
    """Return what issues a license to Initech if it is sent."""
    customer = CustomerFactory(team=owner.team, name="Initech")
    application = ApplicationFactory(team=owner.team, slug="my-app")
    for name, kind, more in (
        ("seats", "Integer", {"default": 5}),
        ("plan", "Enum", {"options": ["gold", "silver"], "required": True}),
        ("sso", "Boolean", {}),
        ("note", "Text", {}),
        ("contact", "String", {}),
        ("key", "Password", {}),
    ):
        LicenseFieldFactory(application=application, name=name, type=kind, **more)
    return {
        "submission": "7cf6b67b-6a0c-4e0d-a0a5-1f3f1c64c0f1",
        "customer": str(customer.pk),
        "application": "my-app",
        "shown": "my-app",
        "channel": str(application.channels.get().pk),
        "type": "paid",
        "expiry": "never",
        "value_seats": "5",
        "value_plan": "gold",
        "value_note": "",
        "value_contact": "",
        "value_key": "",
    }


def test_issue(client: Client, owner: Membership, terms: dict[str, str]) -> None:
    owner.team.time_zone = "Europe/Berlin"
    owner.team.save()
    form = terms | {
        "expiry": "at",
        "expires_at": "2031-07-01T18:30",
        "value_seats": "12",
        "value_sso": "on",
        "value_note": "two\nlines",
        "value_key": "hunter2",
    }

    response = signed_in(client, owner).post(f"{LICENSES}/new", form)

    license = License.objects.get()
    assert response.status_code == 302
    assert response.headers["Location"] == f"{LICENSES}/{license.pk}"
    assert license.expires_at == datetime(2031, 7, 1, 16, 30, tzinfo=UTC)
    assert license.field_values == {
        "seats": 12,
        "plan": "gold",
        "sso": True,
        "note": "two\nlines",
    }
    assert license.secret_field_values.reveal() == '{"key": "hunter2"}'
    assert audited(owner.team) == [("license:issued", "Initech: my-app")]
    text = page(client, f"{LICENSES}/{license.pk}")
    assert "See Install as the customer does" in text
    assert "hunter2" not in text
    assert license.license_id.reveal() not in text


def test_a_default_is_not_stored_with_the_license(
    client: Client, owner: Membership, terms: dict[str, str]
) -> None:
    signed_in(client, owner).post(f"{LICENSES}/new", terms)

    assert License.objects.get().field_values == {"plan": "gold", "sso": False}


def test_issue_in_days_keeps_the_time_of_day(
    client: Client, owner: Membership, terms: dict[str, str]
) -> None:
    signed_in(client, owner).post(f"{LICENSES}/new", terms | {"expiry": "14"})

    expires_at = License.objects.get().expires_at
    assert expires_at is not None
    left = expires_at - timezone.now()
    assert timedelta(days=13, hours=23, minutes=58) < left <= timedelta(days=14)


def test_issue_to_a_new_customer(
    client: Client, owner: Membership, terms: dict[str, str]
) -> None:
    form = terms | {
        "customer": "new",
        "customer_name": "Globex",
        "customer_email": "ops@globex.example",
    }

    signed_in(client, owner).post(f"{LICENSES}/new", form)

    assert License.objects.get().customer.email == "ops@globex.example"
    assert audited(owner.team) == [
        ("customer:created", "Globex"),
        ("license:issued", "Globex: my-app"),
    ]


@pytest.mark.parametrize(
    ("change", "control", "message"),
    [
        ({"customer": ""}, "id_customer", "Choose a customer, or add a new one."),
        ({"customer": "x"}, "id_customer", "Choose a customer, or add a new one."),
        (
            {"customer": "new", "customer_name": ""},
            "id_customer_name",
            "Enter the new customer&#x27;s name.",
        ),
        (
            {"customer": "new", "customer_name": "G", "customer_email": "g"},
            "id_customer_email",
            "Enter a valid email address.",
        ),
        (
            {"customer": "new", "customer_name": "a\tb"},
            "id_customer_name",
            "Control characters are not allowed.",
        ),
        ({"application": ""}, "id_application", "Choose an application."),
        ({"channel": ""}, "id_channel", "This field is required."),
        ({"type": "eternal"}, "id_type", "Select a valid choice"),
        ({"expiry": "at"}, "id_expires_at", "Enter when the license expires."),
        (
            {"expiry": "at", "expires_at": "soon"},
            "id_expires_at",
            "Enter a date and time",
        ),
        (
            {"expiry": "at", "expires_at": "2020-01-01T00:00"},
            "id_expires_at",
            "Choose a time in the future.",
        ),
        (
            {"expiry": "at", "expires_at": "9999-12-31T23:59:59-23:00"},
            "id_expires_at",
            "Enter a date before the year 9999.",
        ),
        (
            {"expiry": "14", "type": "community"},
            "id_expiry",
            "A community license does not expire.",
        ),
        ({"value_seats": "many"}, "id_value_seats", "Enter a whole number."),
        ({"value_seats": str(2**63)}, "id_value_seats", "seats must be a 64-bit"),
        ({"value_plan": ""}, "id_value_plan", "Enter a value for Plan."),
        ({"value_plan": "tin"}, "id_value_plan", "Select a valid choice"),
        ({"value_contact": "x" * 70000}, "id_value_contact", "contact must be text of"),
    ],
)
def test_issue_reports_what_is_wrong_beside_the_control(
    change: dict[str, str],
    control: str,
    message: str,
    client: Client,
    owner: Membership,
    terms: dict[str, str],
) -> None:
    ApplicationFactory(team=owner.team)  # else the only one is chosen for me
    before = rows_of(owner.team)

    text = signed_in(client, owner).post(f"{LICENSES}/new", terms | change)

    assert text.status_code == 200
    assert error_beside(text.content.decode(), control).startswith(message)
    assert rows_of(owner.team) == before


def test_issue_refuses_customers_of_others_and_archived_ones(
    client: Client, owner: Membership, other_team: Team, terms: dict[str, str]
) -> None:
    signed_in(client, owner)
    for customer in (
        CustomerFactory(team=other_team),
        CustomerFactory(team=owner.team, archived_at=timezone.now()),
    ):
        response = client.post(
            f"{LICENSES}/new", terms | {"customer": str(customer.pk)}
        )

        assert error_beside(response.content.decode(), "id_customer")
        assert customer.name not in response.content.decode()
    assert not License.objects.exists()


def test_issue_sent_twice_issues_one(
    client: Client, owner: Membership, terms: dict[str, str]
) -> None:
    form = terms | {"customer": "new", "customer_name": "Globex"}
    signed_in(client, owner)

    first = client.post(f"{LICENSES}/new", form)
    second = client.post(f"{LICENSES}/new", form)

    assert first.headers["Location"] == second.headers["Location"]
    assert License.objects.count() == 1
    assert Customer.objects.filter(name="Globex").count() == 1


def test_issue_undoes_the_new_customer_if_the_license_is_refused(
    client: Client, owner: Membership, terms: dict[str, str]
) -> None:
    form = terms | {"customer": "new", "customer_name": "G", "customer_email": "g@g"}

    signed_in(client, owner).post(f"{LICENSES}/new", form)

    assert not Customer.objects.filter(name="G").exists()


def test_issue_is_led_to_with_a_customer(
    client: Client, owner: Membership, terms: dict[str, str]
) -> None:
    CustomerFactory.create_batch(10, team=owner.team)

    text = page(
        signed_in(client, owner), f"{LICENSES}/new?customer={terms['customer']}"
    )

    assert re.findall(r'value="([^"]*)" checked><span[^>]*>(\w+)', text) == [
        (terms["customer"], "Initech")
    ]
    assert 'name="value_seats" value="5"' in text


def test_issue_asks_for_the_application_first_without_scripts(
    client: Client, owner: Membership, terms: dict[str, str]
) -> None:
    other = ApplicationFactory(team=owner.team, slug="other")
    LicenseFieldFactory(application=other, name="region", default="eu")
    signed_in(client, owner)
    assert "Choose an application to see" in page(client, f"{LICENSES}/new")

    form = terms | {"application": "other", "step": "application", "type": "trial"}
    text = client.post(f"{LICENSES}/new", form).content.decode()

    assert "value_seats" not in text
    assert 'name="value_region" value="eu"' in text
    assert re.search(r'<option value="trial"[^>]*selected', text)
    assert hidden(text, "submission") == terms["submission"]
    assert not License.objects.exists()


def test_issue_finds_customers(
    client: Client, owner: Membership, other_team: Team, terms: dict[str, str]
) -> None:
    CustomerFactory(team=owner.team, name="Globex", custom_id="crm-1")
    CustomerFactory(team=other_team, name="Globex of others")
    signed_in(client, owner)

    form = {"step": "customers", "customer_search": "CRM"}
    text = client.post(f"{LICENSES}/new", form, headers=HTMX).content.decode()
    whole = client.post(f"{LICENSES}/new", terms | form).content.decode()

    options = re.findall(r'role="option"[^>]*>([^<]*?) *<', text)
    assert options == ["Globex", "New customer “CRM”"]
    assert "<form" not in text
    # Without scripts, the one already chosen is there, too.
    choices = re.findall(r'form-check-label">([^<]*?) *<', whole)
    assert choices[:3] == ["Initech", "Globex", "A new customer"]


def test_the_only_customer_found_need_not_be_chosen(
    client: Client, owner: Membership, other_team: Team, terms: dict[str, str]
) -> None:
    globex = CustomerFactory(team=owner.team, name="Globex", email="it@globex.example")
    CustomerFactory(team=other_team, name="Globex of others")
    signed_in(client, owner)
    form = terms | {"customer": "", "customer_search": " IT@globex "}

    client.post(f"{LICENSES}/new", form)

    assert License.objects.get().customer == globex
    CustomerFactory(team=owner.team, name="Globex Two", email="it@globex.example.org")
    refused = client.post(f"{LICENSES}/new", form).content.decode()
    assert error_beside(refused, "id_customer").startswith("Choose a customer")
    assert License.objects.count() == 1


def test_issue_keeps_a_password_typed_beside_something_wrong(
    client: Client, owner: Membership, terms: dict[str, str]
) -> None:
    form = terms | {"customer": "", "value_key": "hunter2"}

    text = signed_in(client, owner).post(f"{LICENSES}/new", form).content.decode()

    assert 'name="value_key" value="hunter2"' in text


def test_issue_keeps_a_value_typed_before_customers_were_sought(
    client: Client, owner: Membership, terms: dict[str, str]
) -> None:
    form = terms | {"step": "customers", "value_seats": "77", "value_sso": "on"}

    text = signed_in(client, owner).post(f"{LICENSES}/new", form).content.decode()

    assert 'name="value_seats" value="77"' in text
    assert re.search(r'name="value_sso"[^>]*checked', text)


@pytest.mark.parametrize("role", ["support", "read-only", "developer"])
def test_issue_is_for_whom_may(
    role: str, client: Client, owner: Membership, terms: dict[str, str]
) -> None:
    signed_in(client, MembershipFactory(team=owner.team, role=role))
    before = rows_of(owner.team)

    assert client.get(f"{LICENSES}/new").status_code == 403
    assert client.post(f"{LICENSES}/new", terms).status_code == 403
    assert rows_of(owner.team) == before
    assert "licenses/new" not in page(client, LICENSES)


def test_sales_issues(client: Client, sales: Membership, terms: dict[str, str]) -> None:
    assert signed_in(client, sales).post(f"{LICENSES}/new", terms).status_code == 302
    assert License.objects.count() == 1


@pytest.mark.parametrize("rows", [1, 30])
def test_issue_asks_a_constant_number_of_queries(
    rows: int, client: Client, owner: Membership
) -> None:
    CustomerFactory.create_batch(rows, team=owner.team)
    application = ApplicationFactory(team=owner.team)
    LicenseFieldFactory.create_batch(rows, application=application)
    ChannelFactory.create_batch(rows, application=application)
    signed_in(client, owner)

    with CaptureQueriesContext(connection) as queries:
        page(client, f"{LICENSES}/new")

    assert len(queries) == ISSUE_QUERIES
