"""The vendor's API of pull credentials, and reports of leaked secrets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditEvent
from licenses.models import License, PullCredential
from licenses.pull_credential import pull_credential_key
from licenses.selectors import license_by_secret, pull_credential_by_secret
from portal.crypto.secrets import Secret
from teams.models import Team
from tests.support.clients.api import ApiClient, JsonClient, code_of
from tests.support.clients.license_holder import LicenseClient
from tests.support.minutes import within_a_minute
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    LicenseFactory,
    PullCredentialFactory,
    api_token_text,
    pull_credential,
)
from tests.support.rows.world import rows_of


@pytest.fixture
def license(team: Team) -> License:
    return LicenseFactory(team=team)


@pytest.fixture
def path(license: License) -> str:
    return f"/licenses/{license.pk}/pull-credentials"


def test_a_created_credential_is_shown_with_its_text_once(
    owner_api: ApiClient, path: str, license: License
) -> None:
    end = (timezone.now() + timedelta(days=90)).replace(microsecond=0)

    created = owner_api.post(
        path,
        {
            "name": "cluster",
            "expires_at": end.isoformat(),
            "networks": ["192.0.2.0/24", "2001:DB8::/32"],
        },
    )

    assert created.status_code == 201
    values = created.json()
    text = values.pop("credential")
    row = pull_credential_by_secret(Secret(text))
    assert row is not None
    shown = owner_api.get(f"{path}/{row.pk}")
    assert shown.json() == values
    assert values == {
        "id": str(row.pk),
        "license": str(license.pk),
        "name": "cluster",
        "key": pull_credential_key(text),
        "state": "active",
        "expires_at": end.isoformat().replace("+00:00", "Z"),
        "networks": ["192.0.2.0/24", "2001:db8::/32"],
        "replaced_by": None,
        "last_used_at": None,
        "last_used_address": None,
        "last_used_client": "",
        "created_by": "owner@acme.example",
        "created_at": values["created_at"],
        "updated_at": values["updated_at"],
        "revoked_by": "",
        "revoked_at": None,
    }
    assert owner_api.get(path).json()["results"] == [shown.json()]
    assert text not in str(list(AuditEvent.objects.values()))


def test_a_repeated_request_makes_one_credential(
    owner_api: ApiClient, path: str
) -> None:
    key = {"Idempotency-Key": "once"}
    answers = [owner_api.post(path, {"name": "one"}, headers=key) for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert PullCredential.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x", "networks": ["10.0.0.1/8"]}, "networks"),
        ({"name": "x", "networks": "10.0.0.0/8"}, "networks"),
        ({"name": "x", "networks": ["10.0.0.0/8"] * 51}, "networks"),
        ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "x", "scope": "all"}, "scope"),
    ],
)
def test_wrong_values_are_named(
    owner_api: ApiClient, path: str, body: dict[str, Any], named: str
) -> None:
    response = owner_api.post(path, body)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [named]
    assert not PullCredential.objects.exists()


def test_rotate_change_and_revoke(
    owner_api: ApiClient, path: str, license: License
) -> None:
    old, _ = pull_credential(license, name="cluster")

    rotated = owner_api.post(f"{path}/{old.pk}/rotate")
    new = f"{path}/{rotated.json()['id']}"
    changed = owner_api.patch(new, {"networks": ["10.0.0.0/8"]})

    assert rotated.status_code == 201
    assert pull_credential_by_secret(Secret(rotated.json()["credential"])) is not None
    assert owner_api.get(f"{path}/{old.pk}").json()["state"] == "replaced"
    assert owner_api.get(f"{path}/{old.pk}").json()["networks"] == ["10.0.0.0/8"]
    assert changed.json()["networks"] == ["10.0.0.0/8"]
    again = owner_api.post(f"{path}/{old.pk}/rotate")
    assert (again.status_code, code_of(again)) == (409, "credential_replaced")
    revoked = owner_api.post(f"{new}/revoke")
    assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
    assert revoked.json()["revoked_by"] == "owner@acme.example"
    assert owner_api.get(f"{path}/{old.pk}").json()["state"] == "revoked"


def test_those_who_may_not_show_a_license_may_not_make_credentials(
    member_api: ApiClient, viewer_api: ApiClient, path: str, license: License
) -> None:
    row, _ = pull_credential(license)
    before = rows_of(license.team)

    for client in (member_api, viewer_api):
        assert client.get(path).status_code == 200
        for method, address, body in (
            ("post", path, {"name": "x"}),
            ("patch", f"{path}/{row.pk}", {"name": "x"}),
            ("post", f"{path}/{row.pk}/rotate", {}),
            ("post", f"{path}/{row.pk}/revoke", {}),
            ("post", f"/licenses/{license.pk}/replace-id", {}),
        ):
            response = client.request(method, address, body)
            assert (response.status_code, code_of(response)) == (
                403,
                "permission_denied",
            )
    after = rows_of(license.team)
    for label in ("licenses.PullCredential", "licenses.License", "audit.AuditEvent"):
        assert after[label] == before[label]


def test_a_credential_is_found_below_its_own_license_only(
    owner_api: ApiClient, path: str, license: License
) -> None:
    other = PullCredentialFactory(license=LicenseFactory(team=license.team))

    assert owner_api.get(f"{path}/{other.pk}").status_code == 404
    assert owner_api.post(f"{path}/{other.pk}/revoke").status_code == 404
    other.refresh_from_db()
    assert other.revoked_at is None


def test_replacing_the_license_id_shows_the_new_one_once(
    owner_api: ApiClient, license: License
) -> None:
    old = license.license_id.reveal()

    response = owner_api.post(f"/licenses/{license.pk}/replace-id")

    assert response.status_code == 201
    new = response.json()["license_id"]
    assert new != old
    assert license_by_secret(Secret(new)) == license
    assert LicenseClient(license).get().status_code == 200
    license.refresh_from_db()
    assert LicenseClient(license).get().status_code == 200
    assert new not in owner_api.get(f"/licenses/{license.pk}").content.decode()
    assert response.json()["sequence"] == 2


def test_a_license_is_found_by_a_pull_credential_too(
    owner_api: ApiClient, outsider_api: ApiClient, license: License
) -> None:
    _, text = pull_credential(license)

    found = owner_api.post("/licenses/search", {"license_id": text})

    assert found.json()["id"] == str(license.pk)
    hidden = outsider_api.post("/licenses/search", {"license_id": text})
    assert hidden.status_code == 404


def test_authorize_judges_a_credential_from_an_address(
    owner_api: ApiClient, license: License
) -> None:
    _, text = pull_credential(license, name="farm", networks=["10.0.0.0/8"])
    asked = {
        "password": text,
        "application": license.application.slug,
        "upstream": None,
        "repository": "api",
        "trace": True,
    }

    without = owner_api.post("/authorize", asked).json()
    inside = owner_api.post("/authorize", asked | {"address": "10.1.2.3"}).json()
    outside = owner_api.post("/authorize", asked | {"address": "192.0.2.1"}).json()

    assert (without["allowed"], inside["allowed"]) == (True, True)
    details = [step["detail"] for step in without["trace"]]
    assert "farm is allowed from 10.0.0.0/8 only." in details
    assert (outside["allowed"], outside["reason"]) == (False, "network_not_allowed")


# Reports of leaked secrets.


def report(secret: str, address: str = "192.0.2.33") -> Any:
    client = JsonClient(None, REMOTE_ADDR=address)
    return client.request("post", "/leaked-credential", {"credential": secret})


def test_a_report_stops_the_secret_and_says_nothing(
    license: License, team: Team
) -> None:
    credential, text = pull_credential(license, name="cluster")
    license_id = license.license_id.reveal()
    token = api_token_text(team=team)

    answers = [
        report(secret)
        for secret in (text, f" {license_id}\n", token, "x" * 27, text, "unknown")
    ]

    assert {answer.status_code for answer in answers} == {204}
    assert {answer.content for answer in answers} == {b""}
    headers = [dict(answer.headers) for answer in answers]
    for each in headers:
        del each["X-Request-ID"], each["RateLimit"]  # differ with every request
    assert headers == [headers[0]] * 6
    credential.refresh_from_db()
    assert credential.state() == "revoked"
    assert credential.revoked_by_label == "Report of a leaked secret"
    assert ApiClient(team, token).get("/team").status_code == 401
    license.refresh_from_db()
    assert license.license_id.reveal() != license_id
    leaks = [tag for tag, _ in audited(team) if tag == "secret:leaked"]
    assert len(leaks) == 3
    event = AuditEvent.objects.filter(tag="secret:leaked").first()
    assert event is not None
    assert event.address == "192.0.2.33"


def test_what_was_stopped_before_is_not_reported_again(
    license: License, team: Team
) -> None:
    _, text = pull_credential(license)
    report(text)
    before = rows_of(team)

    assert report(text).status_code == 204

    assert rows_of(team) == before


@pytest.mark.parametrize("body", [{}, {"credential": ""}, {"credential": ["x"]}, []])
def test_a_malformed_report_is_told_so(db: None, body: object) -> None:
    client = JsonClient(None)

    assert client.request("post", "/leaked-credential", body).status_code == 400


def test_an_address_reports_thirty_times_a_minute(db: None) -> None:
    def reports() -> list[Any]:
        return [report("x", "192.0.2.34") for _ in range(32)]

    answers = within_a_minute(reports)
    assert answers[-1].status_code == 429
    assert answers[0].headers["RateLimit-Policy"] == '"reports";q=30;w=60'
    assert answers[0].headers["RateLimit"].startswith('"reports";r=29;t=')
    assert answers[-1].headers["RateLimit"].startswith('"reports";r=0;t=')
    assert report("x", "192.0.2.35").status_code == 204
