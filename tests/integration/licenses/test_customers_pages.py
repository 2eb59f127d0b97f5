from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEvent
from licenses.models import Customer
from teams.models import Membership, Team
from teams.permissions import Role
from tests.support.pages.license_pages import (
    HTMX,
    customers_listed,
    error_beside,
    hidden,
    page,
    signed_in,
)
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    CustomerFactory,
    LicenseFactory,
    MembershipFactory,
)
from tests.support.rows.world import rows_of

CUSTOMERS = "/t/acme/customers"
# Of which seven are of every first page of a session.
LIST_QUERIES = 10
DETAIL_QUERIES = 15


def address(customer: Customer, action: str = "") -> str:
    return f"{CUSTOMERS}/{customer.pk}" + (f"/{action}" if action else "")


@pytest.fixture
def initech(team: Team) -> Customer:
    customer: Customer = CustomerFactory(
        team=team, name="Initech", email="it@initech.example", custom_id="CRM-7"
    )
    return customer


def test_list_counts_active_licenses(
    client: Client, owner: Membership, initech: Customer
) -> None:
    LicenseFactory.create_batch(2, team=owner.team, customer=initech)
    LicenseFactory(team=owner.team, customer=initech, revoked=True)

    text = page(signed_in(client, owner), CUSTOMERS)

    assert customers_listed(text) == ["Initech"]
    assert re.findall(r'data-label="Active licenses"[^>]*>(\d+)<', text) == ["2"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("search=INITECH", ["Initech"]),
        ("search=crm-7", ["Initech"]),
        ("search=initech.ex", ["Initech"]),
        ("search=initechit", []),
        ("search=_nitech", []),
        ("search=%25", []),
        ("archived=true", ["Globex"]),
        ("archived=false", ["Initech"]),
        ("", ["Globex", "Initech"]),
    ],
)
def test_list_is_searched_and_filtered(
    query: str,
    names: list[str],
    client: Client,
    owner: Membership,
    initech: Customer,
    other_team: Team,
) -> None:
    CustomerFactory(team=owner.team, name="Globex", archived_at=timezone.now())
    CustomerFactory(team=other_team, name="Initech of others")

    text = page(signed_in(client, owner), f"{CUSTOMERS}?{query}", headers=HTMX)

    assert customers_listed(text) == names
    assert "<html" not in text


def test_list_leads_through_all_customers(client: Client, owner: Membership) -> None:
    CustomerFactory.create_batch(30, team=owner.team)
    signed_in(client, owner)

    first = page(client, CUSTOMERS)
    older = re.search(r'rel="next" href="([^"]*)"', first)
    assert older
    second = page(client, CUSTOMERS + older[1])

    assert len(set(customers_listed(first) + customers_listed(second))) == 30


def test_empty_list_leads_to_the_first_customer(
    client: Client, owner: Membership, viewer: Membership
) -> None:
    assert "Add your first customer" in page(signed_in(client, owner), CUSTOMERS)
    assert "customers/new" not in page(signed_in(client, viewer), CUSTOMERS)


@pytest.mark.parametrize("rows", [1, 30])
def test_list_asks_a_constant_number_of_queries(
    rows: int, client: Client, owner: Membership
) -> None:
    LicenseFactory.create_batch(rows, team=owner.team)
    signed_in(client, owner)

    with CaptureQueriesContext(connection) as queries:
        page(client, CUSTOMERS)

    assert len(queries) == LIST_QUERIES


def test_add_and_send_twice(client: Client, owner: Membership) -> None:
    text = page(signed_in(client, owner), f"{CUSTOMERS}/new")
    form = {
        "submission": hidden(text, "submission"),
        "name": "Initech",
        "email": "it@initech.example",
        "custom_id": "CRM-7",
    }

    first = client.post(f"{CUSTOMERS}/new", form)
    second = client.post(f"{CUSTOMERS}/new", form)

    customer = Customer.objects.get()
    assert first.headers["Location"] == address(customer)
    assert second.headers["Location"] == address(customer)
    assert (customer.email, customer.custom_id) == ("it@initech.example", "CRM-7")
    assert audited(owner.team) == [("customer:created", "Initech")]


@pytest.mark.parametrize(
    ("change", "control", "message"),
    [
        ({"name": ""}, "id_name", "This field is required."),
        ({"name": "a\tb"}, "id_name", "Control characters are not allowed."),
        ({"email": "nobody"}, "id_email", "Enter a valid email address."),
        (
            {"custom_id": "CRM-7"},
            "id_custom_id",
            "Another customer has this custom ID.",
        ),
    ],
)
def test_add_reports_what_is_wrong(
    change: dict[str, str],
    control: str,
    message: str,
    client: Client,
    owner: Membership,
    initech: Customer,
) -> None:
    form = {"submission": "7cf6b67b-6a0c-4e0d-a0a5-1f3f1c64c0f1", "name": "Globex"}
    before = rows_of(owner.team)

    response = signed_in(client, owner).post(f"{CUSTOMERS}/new", form | change)

    text = response.content.decode()
    assert message in error_beside(text, control)
    assert rows_of(owner.team) == before


def test_detail_shows_licenses_and_what_happened(
    client: Client, owner: Membership, initech: Customer
) -> None:
    now = timezone.now()
    LicenseFactory(team=owner.team, customer=initech, application__name="My app")
    LicenseFactory(
        team=owner.team,
        customer=initech,
        application__name="Other app",
        expires_at=now - timedelta(days=1),
    )
    LicenseFactory(team=owner.team, application__name="Of another team")
    signed_in(client, owner)
    client.post(address(initech, "archive"))
    client.post(address(initech, "restore"))

    text = page(client, address(initech))

    assert re.findall(r'data-label="Application"[^>]*><a[^>]*>([^<]*)<', text) == [
        "Other app",
        "My app",
    ]
    assert re.findall(r"<strong>([^<]*)</strong>", text) == [
        "Customer restored",
        "Customer archived",
    ]
    assert f'href="/t/acme/licenses/new?customer={initech.pk}"' in text


def test_detail_shows_the_history_of_licenses_too(
    client: Client, owner: Membership, initech: Customer
) -> None:
    license = LicenseFactory(team=owner.team, customer=initech)
    other = LicenseFactory(team=owner.team)
    signed_in(client, owner)
    for row in (license, other):
        client.post(f"/t/acme/licenses/{row.pk}/revoke", {"reason": "unpaid"})

    text = page(client, address(initech))

    assert re.findall(r"<strong>([^<]*)</strong>", text) == ["License revoked"]
    assert "<div>Unpaid</div>" in text


@pytest.mark.parametrize("role", ["sales", "developer", "read-only"])
def test_what_happened_is_for_whom_may_read_the_audit_log(
    role: str, client: Client, owner: Membership, initech: Customer
) -> None:
    signed_in(client, owner).post(address(initech, "archive"))
    signed_in(client, MembershipFactory(team=owner.team, role=role))

    assert "Customer archived" not in page(client, address(initech))


@pytest.mark.parametrize("rows", [1, 30])
def test_detail_asks_a_constant_number_of_queries(
    rows: int, client: Client, owner: Membership, initech: Customer
) -> None:
    for license in LicenseFactory.create_batch(rows, team=owner.team, customer=initech):
        AuditEvent.objects.create(
            team=owner.team,
            tag="license:changed",
            actor_kind="user",
            actor_label="x",
            subject_kind="licenses.license",
            subject_id=license.pk,
            subject_label="x",
            created_at=timezone.now(),
        )
    signed_in(client, owner)

    with CaptureQueriesContext(connection) as queries:
        page(client, address(initech))

    assert len(queries) == DETAIL_QUERIES


def test_edit(client: Client, support: Membership, initech: Customer) -> None:
    seen = hidden(page(signed_in(client, support), address(initech, "edit")), "seen")
    form = {"seen": seen, "name": "Initech GmbH", "email": "", "custom_id": "CRM-7"}

    response = client.post(address(initech, "edit"), form)

    assert response.headers["Location"] == address(initech)
    initech.refresh_from_db()
    assert (initech.name, initech.email) == ("Initech GmbH", "")
    assert audited(support.team) == [("customer:changed", "Initech GmbH")]
    assert initech.search_text == "initech gmbh\n\ncrm-7"


def test_edit_reports_a_concurrent_change(
    client: Client, owner: Membership, initech: Customer
) -> None:
    seen = hidden(page(signed_in(client, owner), address(initech, "edit")), "seen")
    form = {"seen": seen, "name": "First"}
    client.post(address(initech, "edit"), form)

    response = client.post(address(initech, "edit"), form | {"name": "Second"})

    text = response.content.decode()
    assert "Somebody else has changed this. Your entries are kept" in text
    assert 'value="Second"' in text
    assert "Now: First" in text
    assert "Now: empty" not in text
    initech.refresh_from_db()
    assert initech.name == "First"

    again = form | {"name": "Second", "seen": hidden(text, "seen")}
    assert client.post(address(initech, "edit"), again).status_code == 302
    initech.refresh_from_db()
    assert initech.name == "Second"


def test_edit_sent_twice_is_saved_once(
    client: Client, owner: Membership, initech: Customer
) -> None:
    seen = hidden(page(signed_in(client, owner), address(initech, "edit")), "seen")
    form = {"seen": seen, "name": " Twice "}

    responses = [client.post(address(initech, "edit"), form) for _ in range(2)]

    assert [response.headers["Location"] for response in responses] == [
        address(initech)
    ] * 2
    assert audited(owner.team) == [("customer:changed", "Twice")]


def test_archive_says_what_stops(
    client: Client, owner: Membership, initech: Customer
) -> None:
    LicenseFactory.create_batch(2, team=owner.team, customer=initech)
    signed_in(client, owner)

    assert "2 active licenses stop pulling within a second" in page(
        client, address(initech, "archive")
    )
    client.post(address(initech, "archive"))
    assert "licenses/new" not in page(client, address(initech))
    client.post(address(initech, "restore"))

    initech.refresh_from_db()
    assert initech.archived_at is None
    assert audited(owner.team) == [
        ("customer:archived", "Initech"),
        ("customer:restored", "Initech"),
    ]


@pytest.mark.parametrize("role", [Role.READ_ONLY, Role.DEVELOPER])
def test_changes_are_for_whom_may(
    role: Role, client: Client, owner: Membership, initech: Customer
) -> None:
    signed_in(client, MembershipFactory(team=owner.team, role=role.value))
    before = rows_of(owner.team)

    for action in ("edit", "archive", "restore"):
        response = client.post(address(initech, action), {"name": "x"})
        assert response.status_code == 403
    assert client.post(f"{CUSTOMERS}/new", {"name": "x"}).status_code == 403
    assert rows_of(owner.team) == before
    text = page(client, address(initech))
    assert "/edit" not in text
    assert "/archive" not in text
    assert "licenses/new" not in text


def test_support_issues_no_license(
    client: Client, support: Membership, initech: Customer
) -> None:
    text = page(signed_in(client, support), address(initech))

    assert "/edit" in text
    assert "licenses/new" not in text


def test_customers_of_another_team_are_unknown(
    client: Client, outsider: Membership, initech: Customer
) -> None:
    before = rows_of(initech.team)
    signed_in(client, outsider)

    for action in ("", "edit", "archive"):
        own = f"/t/rival/customers/{initech.pk}/{action}".rstrip("/")
        assert client.get(address(initech, action)).status_code == 404
        assert client.get(own).status_code == 404
    assert client.post(f"/t/rival/customers/{initech.pk}/archive").status_code == 404
    assert rows_of(initech.team) == before


def test_a_filter_that_is_not_understood_shows_none(
    client: Client, owner: Membership, initech: Customer
) -> None:
    signed_in(client, owner)

    for text in (
        page(client, f"{CUSTOMERS}?archived=bogus"),
        page(client, f"{CUSTOMERS}?archived=bogus", headers={"HX-Request": "true"}),
    ):
        assert customers_listed(text) == []
        assert "Show: Select a valid choice. bogus is not one of" in text
        assert "No customers yet" not in text
