"""What issuing answers once, and how changed field values are merged."""

from __future__ import annotations

from typing import Any

import pytest

from licenses.models import License, LicenseField, PullCredential
from licenses.selectors import licenses_with_id, pull_credential_by_secret
from portal.crypto.secrets import Secret
from tests.support.clients.api import ApiClient
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    LicenseFactory,
    LicenseFieldFactory,
)


def issued(api: ApiClient, **values: Any) -> Any:
    license = LicenseFactory(team=api.team)
    body = {
        "customer": str(license.customer_id),
        "application": license.application.slug,
        "type": "paid",
    }
    return api.post("/licenses", body | values, headers={"Idempotency-Key": "k"})


def test_a_license_is_issued_with_its_first_credential(owner_api: ApiClient) -> None:
    wanted = {"name": "cluster", "networks": ["192.0.2.0/24"]}

    first = issued(owner_api, pull_credential=wanted)

    assert first.status_code == 201
    shown = first.json()
    credential = PullCredential.objects.get()
    made = shown["pull_credential"]
    assert made["id"] == str(credential.pk)
    assert (made["name"], made["networks"]) == ("cluster", ["192.0.2.0/24"])
    assert pull_credential_by_secret(Secret(made["credential"])) == credential
    assert credential.license_id == License.objects.latest("created_at").pk
    assert str(credential.license_id) == shown["id"]
    [found] = licenses_with_id(owner_api.team.pk, Secret(shown["license_id"]))
    assert str(found.pk) == shown["id"]
    # The same request gets the same secrets, and nothing else shows them.
    body = {
        "customer": shown["customer"],
        "application": shown["application"],
        "type": "paid",
        "pull_credential": wanted,
    }
    again = owner_api.post("/licenses", body, headers={"Idempotency-Key": "k"})
    assert again.json() == shown
    assert again.headers["ETag"] == first.headers["ETag"]
    read = owner_api.get(f"/licenses/{shown['id']}")
    assert read.headers["ETag"] == first.headers["ETag"]
    assert read.json().keys() == shown.keys() - {"license_id", "pull_credential"}
    for secret in (shown["license_id"], made["credential"]):
        assert secret not in owner_api.get("/audit-events").content.decode()


@pytest.mark.parametrize("wanted", [{}, {"name": ""}, {"name": "a", "networks": ["x"]}])
def test_without_its_credential_no_license_is_issued(
    wanted: dict[str, Any], owner_api: ApiClient
) -> None:
    response = issued(owner_api, pull_credential=wanted)

    assert response.status_code == 400
    assert License.objects.count() == 1
    assert audited(owner_api.team) == []


def test_changed_field_values_are_merged(owner_api: ApiClient) -> None:
    license = LicenseFactory(
        team=owner_api.team,
        field_values={"plan": "gold", "seats": 5},
        secret_field_values=Secret('{"key": "hunter2", "old": "hunter1"}'),
    )
    for name in ("plan", "seats", "region"):
        LicenseFieldFactory(application=license.application, name=name, type="String")
    for name in ("key", "old"):
        LicenseFieldFactory(application=license.application, name=name, type="Password")
    LicenseField.objects.filter(name="seats").update(type="Integer", required=True)
    path = f"/licenses/{license.pk}"

    response = owner_api.patch(
        path, {"field_values": {"plan": None, "region": "eu", "old": None}}
    )

    assert response.status_code == 200
    expected = {"seats": 5, "region": "eu", "key": "hunter2"}
    assert given(response.json()) == expected
    for values in ({}, {"region": "eu"}, {"key": "hunter2"}):
        same = owner_api.patch(path, {"field_values": values})
        assert given(same.json()) == expected
        assert same.json()["sequence"] == 2
    refused = owner_api.patch(path, {"field_values": {"seats": None}})
    assert refused.status_code == 400
    assert refused.json()["errors"] == {"field_values": ["seats needs a value."]}
    unknown = owner_api.patch(path, {"field_values": {"nope": None}})
    assert unknown.status_code == 400
    assert given(owner_api.get(path).json()) == expected


def given(license: dict[str, Any]) -> dict[str, Any]:
    """Return the values that are not null."""
    values: dict[str, Any] = license["field_values"]
    return {name: value for name, value in values.items() if value is not None}
