from __future__ import annotations

import re
from datetime import timedelta

import pytest
import yaml
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEvent
from portal.crypto.secrets import Secret
from teams.models import Membership, Team
from teams.permissions import Role
from tests.support.pages.license_pages import (
    HTMX,
    LICENSES,
    address,
    customers_listed,
    page,
    signed_in,
)
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    LicenseFactory,
    LicenseFieldFactory,
    LicenseTrafficFactory,
    MembershipFactory,
    PullCredentialFactory,
    PullEventFactory,
)

# Of which seven are of every first page of a session.
LIST_QUERIES = 11
DETAIL_QUERIES = 20


def test_list_shows_each_license_and_its_state(
    client: Client, owner: Membership
) -> None:
    now = timezone.now()
    LicenseFactory(team=owner.team, customer__name="Active")
    LicenseFactory(
        team=owner.team, customer__name="Soon", expires_at=now + timedelta(days=29)
    )
    LicenseFactory(
        team=owner.team, customer__name="Late", expires_at=now - timedelta(days=1)
    )
    LicenseFactory(team=owner.team, customer__name="Stopped", revoked=True)
    LicenseFactory(team=owner.team, customer__name="Gone", customer__archived_at=now)

    text = page(signed_in(client, owner), LICENSES)

    assert customers_listed(text) == ["Gone", "Stopped", "Late", "Soon", "Active"]
    assert re.findall(r"berth-badge-(\w+)\">([^<]*)<", text) == [
        ("bad", "customer archived"),
        ("bad", "revoked"),
        ("bad", "expired"),
        ("warning", "expiring"),
        ("good", "active"),
    ]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("search=initech", ["Initech GmbH"]),
        ("search=INITECH+g", ["Initech GmbH"]),
        ("search=ops%40globex", ["Globex"]),
        ("search=crm-7", ["Globex"]),
        ("search=Gold", ["Initech GmbH"]),
        ("search=plan", []),
        ("search=%25", []),
        ("search=in_tech", []),
        ("search=übergro", ["Übergroß"]),
        ("search=Übergro", ["Übergroß"]),
        ("state=expiring", ["Globex"]),
        ("state=active", ["Übergroß", "Globex", "Initech GmbH"]),
        ("state=revoked", []),
        ("type=trial", ["Globex"]),
        ("application=app-one", ["Initech GmbH"]),
    ],
)
def test_list_is_searched_and_filtered(
    query: str, names: list[str], client: Client, owner: Membership
) -> None:
    LicenseFactory(
        team=owner.team,
        customer__name="Initech GmbH",
        application__slug="app-one",
        field_values={"plan": "gold"},
    )
    LicenseFactory(
        team=owner.team,
        customer__name="Globex",
        customer__email="ops@globex.example",
        customer__custom_id="CRM-77",
        type="trial",
        expires_at=timezone.now() + timedelta(days=5),
    )
    LicenseFactory(team=owner.team, customer__name="Übergroß")
    text = page(signed_in(client, owner), f"{LICENSES}?{query}")

    assert customers_listed(text) == names


def test_list_is_filtered_by_channel(client: Client, owner: Membership) -> None:
    license = LicenseFactory(team=owner.team, customer__name="Initech")
    LicenseFactory(team=owner.team)

    text = page(signed_in(client, owner), f"{LICENSES}?channel={license.channel_id}")

    assert customers_listed(text) == ["Initech"]


def test_search_by_license_id_keeps_it_out_of_the_address_and_the_page(
    client: Client, owner: Membership
) -> None:
    license = LicenseFactory(team=owner.team, customer__name="Initech")
    LicenseFactory(team=owner.team, customer__name="Globex")
    secret = license.license_id.reveal()

    response = signed_in(client, owner).post(LICENSES, {"search": f" {secret} "})

    assert response.status_code == 200
    text = response.content.decode()
    assert customers_listed(text) == ["Initech"]
    assert secret not in text


def test_search_by_license_id_never_finds_one_of_another_team(
    client: Client, owner: Membership, other_team: Team
) -> None:
    license = LicenseFactory(team=other_team, customer__name="Secret customer")

    response = signed_in(client, owner).post(
        LICENSES, {"search": license.license_id.reveal()}
    )

    assert response.status_code == 200
    assert "No matching licenses" in response.content.decode()
    assert "Secret customer" not in response.content.decode()


def test_any_other_search_gets_an_address(client: Client, owner: Membership) -> None:
    LicenseFactory(team=owner.team, customer__name="Initech")

    response = signed_in(client, owner).post(
        LICENSES, {"search": "init tech", "state": "", "page": "x"}, headers=HTMX
    )

    assert response.status_code == 302
    assert response.headers["Location"] == f"{LICENSES}?search=init+tech"


def test_list_alone_is_sent_to_htmx(client: Client, owner: Membership) -> None:
    LicenseFactory(team=owner.team, customer__name="Initech")

    text = page(signed_in(client, owner), f"{LICENSES}?search=init", headers=HTMX)

    assert customers_listed(text) == ["Initech"]
    assert "<html" not in text


def test_empty_list_leads_to_the_first_license(
    client: Client, owner: Membership, viewer: Membership
) -> None:
    assert "Issue your first license" in page(signed_in(client, owner), LICENSES)
    assert "licenses/new" not in page(signed_in(client, viewer), LICENSES)


@pytest.mark.parametrize("rows", [1, 30])
def test_list_asks_a_constant_number_of_queries(
    rows: int, client: Client, owner: Membership
) -> None:
    LicenseFactory.create_batch(rows, team=owner.team)
    signed_in(client, owner)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        page(client, f"{LICENSES}?state=active")

    assert len(queries) == LIST_QUERIES


def test_detail_shows_fields_and_hides_passwords(
    client: Client, owner: Membership
) -> None:
    license = LicenseFactory(
        team=owner.team,
        field_values={"seats": 12},
        secret_field_values=Secret('{"key": "hunter2"}'),
    )
    for name, kind in (("seats", "Integer"), ("key", "Password")):
        LicenseFieldFactory(application=license.application, name=name, type=kind)
    LicenseFieldFactory(application=license.application, name="region", default="eu")

    text = page(signed_in(client, owner), address(license))

    assert re.findall(r"<dt>(Seats|Key|Region)</dt><dd>([^<]*)</dd>", text) == [
        ("Key", "********"),
        ("Region", "eu"),
        ("Seats", "12"),
    ]
    assert "hunter2" not in text
    assert license.license_id.reveal() not in text


def test_detail_says_why_a_revoked_license_pulls_nothing(
    client: Client, owner: Membership
) -> None:
    license = LicenseFactory(team=owner.team, revoked=True, revoked_by=owner.user)

    text = page(signed_in(client, owner), address(license))

    assert "The license was revoked by owner@acme.example" in text
    assert "Reason: unpaid" in text


def test_detail_shows_history_and_pulls(client: Client, owner: Membership) -> None:
    license = LicenseFactory(team=owner.team, application__slug="my-app")
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for hours, count in ((1, 2), (2, 3)):
        PullEventFactory(
            team=owner.team,
            license=license,
            holder="license:x",
            hour=hour - timedelta(hours=hours),
            count=count,
        )
    PullEventFactory(
        team=owner.team,
        license=license,
        repository="sample/other",
        outcome="registry_not_connected",
    )
    signed_in(client, owner).post(address(license, "revoke"), {"reason": "Unpaid"})

    text = page(client, address(license))

    assert "<strong>License revoked</strong>" in text
    assert (
        "owner@acme.example, now" in text.replace("</time>", "").replace('UTC">', "")
        or "owner@acme.example, <time" in text
    )
    assert re.findall(r'data-label="Image">([^<]*)<', text) == [
        "sample/other:v1.0.1",
        "my-org/api:v1.0.1",
    ]
    assert re.findall(r'data-label="Pulls">(\d+)<', text) == ["1", "5"]
    assert (
        f"/t/acme/why?license={license.pk}&amp;"
        "image=testserver%2Fproxy%2Fmy-app%2Fsample%2Fother%3Av1.0.1"
    ) in text


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_whoever_sees_a_license_sees_what_happened_to_it_alone(
    role: str, client: Client, owner: Membership
) -> None:
    license, other = LicenseFactory.create_batch(2, team=owner.team)
    reader = MembershipFactory(team=owner.team, role=role)
    PullEventFactory(team=owner.team, license=license, repository="my-org/api")
    PullEventFactory(team=owner.team, license=other, repository="my-org/other")
    signed_in(client, owner).post(address(license, "revoke"), {"reason": "Unpaid"})
    client.post(address(other, "revoke"), {"reason": "Of the other"})
    client.post(f"/t/acme/customers/{license.customer_id}/archive")
    assert len(audited(owner.team)) == 3

    text = page(signed_in(client, reader), address(license))

    assert re.findall(r"<li><strong>([^<]*)</strong><div>([^<]*)<", text) == [
        ("License revoked", "Unpaid")
    ]
    assert re.findall(r'data-label="Image">([^<]*)<', text) == ["my-org/api:v1.0.1"]
    assert "Of the other" not in text


def test_what_happened_to_a_license_has_pages_for_whom_sees_no_audit_log(
    client: Client, owner: Membership, viewer: Membership
) -> None:
    license = LicenseFactory(team=owner.team)
    signed_in(client, owner)
    for _ in range(26):
        client.post(address(license, "license-id"))

    text = page(signed_in(client, viewer), address(license))
    (older,) = re.findall(r'href="([^"]*\?page=[^"]*)"', text)

    assert text.count("<strong>License ID shown</strong>") == 25
    earlier = page(client, f"{address(license)}{older[older.index('?') :]}")
    assert earlier.count("<strong>License ID shown</strong>") == 1
    assert client.get("/t/acme/audit").status_code == 403


def test_the_data_sent_with_a_license_is_shown_by_day(
    client: Client, owner: Membership
) -> None:
    license, other = LicenseFactory.create_batch(2, team=owner.team)
    today = timezone.now().date()
    signed_in(client, owner)
    assert "Data sent" not in page(client, address(license))
    for days, size in ((0, 3 * 2**30), (29, 2**20), (31, 2**40)):
        LicenseTrafficFactory(
            license=license, day=today - timedelta(days=days), bytes=size
        )
    LicenseTrafficFactory(license=other, bytes=2**50)

    text = page(client, address(license)).replace("\xa0", " ")

    assert "Data sent: 3.0 GB" in text
    assert re.findall(r'class="text-end">([0-9][^<]*)<', text) == ["3.0 GB", "1.0 MB"]
    assert len(re.findall(r'<rect class="bar-allowed"', text)) == 2


@pytest.mark.parametrize("rows", [1, 30])
def test_detail_asks_a_constant_number_of_queries(
    rows: int, client: Client, owner: Membership
) -> None:
    license = LicenseFactory(team=owner.team)
    for number in range(rows):
        LicenseFieldFactory(application=license.application)
        PullEventFactory(team=owner.team, license=license, repository=f"a/b{number}")
        day = timezone.now().date() - timedelta(days=number)
        LicenseTrafficFactory(license=license, day=day)
        PullCredentialFactory(license=license)
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
        page(client, address(license))

    assert len(queries) == DETAIL_QUERIES


def test_reveal_shows_the_license_id_once_and_is_audited(
    client: Client, support: Membership
) -> None:
    license = LicenseFactory(team=support.team, customer__name="I")
    signed_in(client, support)

    whole = client.post(address(license, "license-id"))
    part = client.post(address(license, "license-id"), headers=HTMX)

    secret = license.license_id.reveal()
    for response in (whole, part):
        assert response.status_code == 200
        assert secret in response.content.decode()
        assert response.headers["Cache-Control"] == "no-store"
    assert "<html" not in part.content.decode()
    slug = license.application.slug
    assert audited(support.team) == [("license:id-revealed", f"I: {slug}")] * 2
    assert secret not in page(client, address(license))
    assert secret not in str(list(AuditEvent.objects.values()))


def test_download_is_the_license_file(client: Client, support: Membership) -> None:
    license = LicenseFactory(team=support.team, application__slug="my-app")

    response = signed_in(client, support).post(address(license, "file"))

    assert response.headers["Content-Disposition"] == (
        'attachment; filename="license-my-app.yaml"'
    )
    document = yaml.safe_load(response.content)
    assert document["spec"]["licenseID"] == license.license_id.reveal()
    assert [tag for tag, _ in audited(support.team)] == [
        "license-key:created",
        "license:file-downloaded",
    ]


@pytest.mark.parametrize("action", ["license-id", "file"])
@pytest.mark.parametrize("role", ["read-only", "developer"])
def test_license_id_is_for_whom_may(
    role: str, action: str, client: Client, owner: Membership
) -> None:
    license = LicenseFactory(team=owner.team)
    signed_in(client, MembershipFactory(team=owner.team, role=role))

    response = client.post(address(license, action))

    assert response.status_code == 403
    assert license.license_id.reveal() not in response.content.decode()
    assert audited(owner.team) == []
    assert "Show license ID" not in page(client, address(license))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("state=bogus", "State: Select a valid choice. bogus is not one of"),
        ("type=bogus", "Type: Select a valid choice. bogus is not one of"),
        ("channel=bogus", "Channel: Enter a valid UUID."),
    ],
)
def test_a_filter_that_is_not_understood_shows_none(
    query: str, message: str, client: Client, owner: Membership
) -> None:
    LicenseFactory(team=owner.team, customer__name="Active")

    text = page(signed_in(client, owner), f"{LICENSES}?{query}")

    assert customers_listed(text) == []
    assert message in text
    assert "No licenses yet" not in text
