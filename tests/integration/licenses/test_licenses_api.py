from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import yaml
from django.utils import timezone

from audit.models import AuditEvent
from licenses.models import License
from portal.crypto.secrets import Secret
from tests.support.clients.api import ApiClient, code_of
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    ChannelFactory,
    CustomerFactory,
    LicenseFactory,
    LicenseFieldFactory,
)
from tests.support.rows.world import rows_of


def ids(api: ApiClient, query: str) -> list[str]:
    response = api.get(f"/licenses?{query}")
    assert response.status_code == 200
    return [row["id"] for row in response.json()["results"]]


def test_issue_license(owner_api: ApiClient) -> None:
    customer = CustomerFactory(team=owner_api.team, name="Initech")
    application = ApplicationFactory(team=owner_api.team, slug="my-app")

    response = owner_api.post(
        "/licenses",
        {
            "customer": str(customer.pk),
            "application": "my-app",
            "type": "trial",
            "expires_at": "2031-02-03T04:05:06.789+02:00",
        },
    )

    assert response.status_code == 201
    license = License.objects.get()
    channel = application.channels.get()
    once = {"license_id": license.license_id.reveal(), "pull_credential": None}
    assert response.json() | {"created_at": None, "updated_at": None} == once | {
        "id": str(license.pk),
        "customer": str(customer.pk),
        "customer_name": "Initech",
        "customer_custom_id": "",
        "application": "my-app",
        "application_id": str(application.pk),
        "channel": str(channel.pk),
        "channel_slug": "stable",
        "type": "trial",
        "state": "active",
        "expires_at": "2031-02-03T02:05:06Z",
        "archived_at": None,
        "revoked_at": None,
        "revoked_by": None,
        "revoke_reason": "",
        "sequence": 1,
        "field_values": {},
        "created_at": None,
        "updated_at": None,
    }
    assert audited(owner_api.team) == [
        ("license:issued", "Initech: my-app"),
        ("license:id-revealed", "Initech: my-app"),
    ]


def test_license_id_never_comes_out(owner_api: ApiClient) -> None:
    license = LicenseFactory(team=owner_api.team)
    secret = license.license_id.reveal()

    for path in ("/licenses", f"/licenses/{license.pk}", "/audit-events", "/pulls"):
        shown = owner_api.get(path).content.decode()
        assert secret not in shown
        assert license.license_id_digest not in shown
    owner_api.post(f"/licenses/{license.pk}/revoke", {"reason": "unpaid"})
    assert secret not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"customer": "x"}, ["customer"]),
        ({"customer": "00000000-0000-0000-0000-000000000000"}, ["customer"]),
        ({"application": "nope"}, ["application"]),
        ({"channel": "00000000-0000-0000-0000-000000000000"}, ["channel"]),
        ({"type": "eternal"}, ["type"]),
        ({"expires_at": "2031-02-03T04:05:06"}, ["expires_at"]),
        ({"expires_at": "2031-02-03"}, ["expires_at"]),
        ({"expires_at": "0001-01-01T00:00:00+23:00"}, ["expires_at"]),
        ({"expires_at": "9999-12-31T23:59:59-23:00"}, ["expires_at"]),
        ({"expires_at": "2031-02-30T00:00:00Z"}, ["expires_at"]),
        ({"expires_at": 1}, ["expires_at"]),
        ({"type": "community", "expires_at": "2031-01-01T00:00:00Z"}, ["expires_at"]),
        ({"field_values": []}, ["field_values"]),
        ({"field_values": {"nope": 1}}, ["field_values"]),
        ({"field_values": {"seats": "many"}}, ["field_values"]),
        ({"field_values": {"seats": 2**63}}, ["field_values"]),
        ({"field_values": {"seats": True}}, ["field_values"]),
        ({"field_values": {"seats": {"a": [1]}}}, ["field_values"]),
        ({"license_id": "mine"}, ["license_id"]),
    ],
)
def test_issue_license_reports_invalid_fields(
    body: dict[str, object], fields: list[str], owner_api: ApiClient
) -> None:
    customer = CustomerFactory(team=owner_api.team)
    application = ApplicationFactory(team=owner_api.team)
    LicenseFieldFactory(application=application, name="seats", type="Integer")
    good = {
        "customer": str(customer.pk),
        "application": application.slug,
        "type": "paid",
    }

    response = owner_api.post("/licenses", good | body)

    assert response.status_code == 400
    assert sorted(response.json()["errors"]) == fields
    assert not License.objects.exists()


def test_issue_license_on_a_channel_of_another_application(
    owner_api: ApiClient,
) -> None:
    customer = CustomerFactory(team=owner_api.team)
    application = ApplicationFactory(team=owner_api.team)
    channel = ChannelFactory(application__team=owner_api.team)

    response = owner_api.post(
        "/licenses",
        {
            "customer": str(customer.pk),
            "application": application.slug,
            "channel": str(channel.pk),
            "type": "paid",
        },
    )

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["channel"]


def test_issue_license_to_an_archived_customer_is_a_conflict(
    owner_api: ApiClient,
) -> None:
    customer = CustomerFactory(team=owner_api.team, archived_at=timezone.now())
    application = ApplicationFactory(team=owner_api.team)

    response = owner_api.post(
        "/licenses",
        {"customer": str(customer.pk), "application": application.slug, "type": "dev"},
    )

    assert response.status_code == 409
    assert code_of(response) == "customer_archived"


def test_issue_license_is_denied_to_support(support_api: ApiClient) -> None:
    customer = CustomerFactory(team=support_api.team)
    application = ApplicationFactory(team=support_api.team)

    response = support_api.post(
        "/licenses",
        {"customer": str(customer.pk), "application": application.slug, "type": "dev"},
    )

    assert response.status_code == 403
    assert not License.objects.exists()


def test_change_license_raises_its_sequence(support_api: ApiClient) -> None:
    license = LicenseFactory(team=support_api.team, type="trial")
    LicenseFieldFactory(application=license.application, name="seats", type="Integer")
    channel = ChannelFactory(application=license.application)

    response = support_api.patch(
        f"/licenses/{license.pk}",
        {
            "type": "paid",
            "expires_at": "2031-01-01T00:00:00Z",
            "channel": str(channel.pk),
            "field_values": {"seats": 5},
        },
    )

    assert response.status_code == 200
    changed = response.json()
    assert changed["type"] == "paid"
    assert changed["expires_at"] == "2031-01-01T00:00:00Z"
    assert changed["channel"] == str(channel.pk)
    assert changed["field_values"] == {"seats": 5}
    assert changed["sequence"] == 2
    assert [tag for tag, _ in audited(support_api.team)] == ["license:changed"]


def test_change_license_to_no_expiry(support_api: ApiClient) -> None:
    past = timezone.now() - timedelta(days=1)
    license = LicenseFactory(team=support_api.team, expires_at=past)
    path = f"/licenses/{license.pk}"
    assert support_api.get(path).json()["state"] == "expired"

    response = support_api.patch(path, {"expires_at": None})

    assert response.json()["state"] == "active"
    assert response.json()["expires_at"] is None


def test_change_license_is_denied_to_a_developer(member_api: ApiClient) -> None:
    license = LicenseFactory(team=member_api.team)
    before = rows_of(member_api.team)

    response = member_api.patch(f"/licenses/{license.pk}", {"type": "trial"})

    assert response.status_code == 403
    after = rows_of(member_api.team)
    assert after["licenses.License"] == before["licenses.License"]


def test_revoke_license_keeps_the_first_reason(
    support_api: ApiClient, owner_api: ApiClient
) -> None:
    license = LicenseFactory(team=support_api.team)
    path = f"/licenses/{license.pk}/revoke"

    first = support_api.post(path, {"reason": "unpaid"})
    second = owner_api.post(path, {"reason": "again"})

    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert first.json()["state"] == "revoked"
    assert first.json()["revoke_reason"] == "unpaid"
    assert first.json()["revoked_by"] == "support@acme.example"
    assert first.json()["sequence"] == 2
    assert [tag for tag, _ in audited(support_api.team)] == ["license:revoked"]


@pytest.mark.parametrize("reason", ["", "  ", None, "a\x07", "a" * 1001])
def test_revoke_license_needs_a_reason(reason: object, owner_api: ApiClient) -> None:
    license = LicenseFactory(team=owner_api.team)

    response = owner_api.post(f"/licenses/{license.pk}/revoke", {"reason": reason})

    assert response.status_code == 400
    license.refresh_from_db()
    assert license.revoked_at is None


@pytest.mark.parametrize("action", ["revoke", "reinstate"])
def test_revoke_and_reinstate_are_denied_to_a_developer(
    action: str, member_api: ApiClient
) -> None:
    license = LicenseFactory(team=member_api.team, revoked=action == "reinstate")
    before = rows_of(member_api.team)["licenses.License"]

    response = member_api.post(f"/licenses/{license.pk}/{action}", {"reason": "x"})

    assert response.status_code == 403
    assert rows_of(member_api.team)["licenses.License"] == before


def test_reinstate_license_may_be_repeated(owner_api: ApiClient) -> None:
    license = LicenseFactory(team=owner_api.team, revoked=True)

    first = owner_api.post(f"/licenses/{license.pk}/reinstate")
    second = owner_api.post(f"/licenses/{license.pk}/reinstate")

    assert first.json() == second.json()
    assert first.json()["state"] == "active"
    assert first.json()["revoke_reason"] == ""
    assert first.json()["sequence"] == 2
    assert [tag for tag, _ in audited(owner_api.team)] == ["license:reinstated"]


def test_license_file_is_audited(support_api: ApiClient) -> None:
    license = LicenseFactory(team=support_api.team, application__slug="my-app")

    response = support_api.get(
        f"/licenses/{license.pk}/file", headers={"Accept": "application/yaml"}
    )

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Disposition"] == (
        'attachment; filename="license-my-app.yaml"'
    )
    document = yaml.safe_load(response.content)
    assert document["spec"]["licenseID"] == license.license_id.reveal()
    assert [tag for tag, _ in audited(support_api.team)] == [
        "license-key:created",
        "license:file-downloaded",
    ]


def test_license_file_is_denied_without_permission_to_reveal(
    member_api: ApiClient,
) -> None:
    license = LicenseFactory(team=member_api.team)

    response = member_api.get(
        f"/licenses/{license.pk}/file", headers={"Accept": "application/yaml"}
    )

    assert response.status_code == 403
    assert code_of(response) == "permission_denied"
    assert license.license_id.reveal() not in response.content.decode()
    assert audited(member_api.team) == []


def test_passwords_are_hidden_without_permission_to_reveal(
    owner_api: ApiClient, member_api: ApiClient
) -> None:
    license = LicenseFactory(
        team=owner_api.team,
        field_values={"plan": "gold"},
        secret_field_values=Secret('{"db_password": "hunter2"}'),
    )
    application = license.application
    LicenseFieldFactory(application=application, name="db_password", type="Password")
    LicenseFieldFactory(application=application, name="plan", default="silver")
    fields = f"/applications/{application.pk}/license-fields"

    shown = member_api.get(f"/licenses/{license.pk}").json()["field_values"]
    revealed = owner_api.get(f"/licenses/{license.pk}").json()["field_values"]

    assert shown == {"db_password": "********", "plan": "gold"}
    assert revealed == {"db_password": "hunter2", "plan": "gold"}
    for path in ("/licenses", f"/licenses/{license.pk}", fields):
        assert "hunter2" not in member_api.get(path).content.decode()


def test_licenses_are_filtered(owner_api: ApiClient) -> None:
    team = owner_api.team
    past = datetime(2020, 1, 1, tzinfo=UTC)
    active = LicenseFactory(team=team, application__slug="my-app", type="dev")
    expired = LicenseFactory(team=team, expires_at=past, customer__name="Initech")
    revoked = LicenseFactory(
        team=team, expires_at=past, revoked=True, customer__email="x@hooli.example"
    )

    assert len(ids(owner_api, "")) == 3
    assert ids(owner_api, "state=active") == [str(active.pk)]
    assert ids(owner_api, "state=expired") == [str(expired.pk)]
    assert ids(owner_api, "state=revoked") == [str(revoked.pk)]
    assert ids(owner_api, f"customer={expired.customer_id}") == [str(expired.pk)]
    assert ids(owner_api, "application=my-app") == [str(active.pk)]
    assert ids(owner_api, f"application={active.application_id}") == [str(active.pk)]
    assert ids(owner_api, f"channel={active.channel_id}") == [str(active.pk)]
    assert ids(owner_api, "type=dev") == [str(active.pk)]
    assert ids(owner_api, "search=initech") == [str(expired.pk)]
    assert ids(owner_api, "search=hooli.ex") == [str(revoked.pk)]
    assert ids(owner_api, "expires_before=2020-01-01T00:00:00Z") == []
    assert len(ids(owner_api, "expires_before=2020-01-01T00:00:01Z")) == 2


def test_search_by_license_id(owner_api: ApiClient) -> None:
    license = LicenseFactory(team=owner_api.team)
    secret = license.license_id.reveal()

    response = owner_api.post("/licenses/search", {"license_id": secret})
    unknown = owner_api.post("/licenses/search", {"license_id": secret[::-1]})

    assert response.status_code == 200
    assert response.json()["id"] == str(license.pk)
    assert unknown.status_code == 404


def test_licenses_expiring_soon(owner_api: ApiClient) -> None:
    now = timezone.now()
    soon = LicenseFactory(team=owner_api.team, expires_at=now + timedelta(days=29))
    LicenseFactory(team=owner_api.team, expires_at=now + timedelta(days=31))
    LicenseFactory(team=owner_api.team, expires_at=now - timedelta(days=1))
    LicenseFactory(
        team=owner_api.team, expires_at=now + timedelta(days=1), revoked=True
    )

    assert ids(owner_api, "state=expiring") == [str(soon.pk)]


def test_search_finds_values_of_license_fields_but_no_passwords(
    owner_api: ApiClient,
) -> None:
    license = LicenseFactory(
        team=owner_api.team,
        field_values={"plan": "Gold"},
        secret_field_values=Secret('{"key": "hunter2"}'),
    )

    assert ids(owner_api, "search=gold") == [str(license.pk)]
    assert ids(owner_api, "search=hunter2") == []
    assert ids(owner_api, f"search={license.license_id.reveal()}") == []
