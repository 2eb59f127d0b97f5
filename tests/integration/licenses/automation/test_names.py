"""Objects by their slug, name or custom ID, wherever IDs are."""

from __future__ import annotations

from typing import Any

import pytest

from licenses.models import Channel, Customer, LicenseField
from tests.support.clients.api import ApiClient
from tests.support.rows.factories import (
    ApplicationFactory,
    ChannelFactory,
    ContactFactory,
    CustomerFactory,
    LicenseFactory,
    LicenseFieldFactory,
)

APPLICATION = "/applications/my-app"


@pytest.fixture(autouse=True)
def rows(owner_api: ApiClient) -> dict[str, Any]:
    application = ApplicationFactory(team=owner_api.team, slug="my-app")
    other = ApplicationFactory(team=owner_api.team, slug="other")
    for each in (application, other):
        ChannelFactory(application=each, slug="beta")
        LicenseFieldFactory(application=each, name="seats")
    customer = CustomerFactory(team=owner_api.team, custom_id="CRM 7")
    CustomerFactory(team=owner_api.team)
    return {"application": application, "customer": customer}


def test_a_channel_and_a_field_by_name(
    owner_api: ApiClient, rows: dict[str, Any]
) -> None:
    application = rows["application"]
    for path, row in (
        ("channels/beta", Channel.objects.get(application=application, slug="beta")),
        ("license-fields/seats", LicenseField.objects.get(application=application)),
    ):
        by_name = owner_api.get(f"{APPLICATION}/{path}")
        by_id = owner_api.get(f"{APPLICATION}/{path.partition('/')[0]}/{row.pk}")
        assert by_name.status_code == 200
        assert by_name.json() == by_id.json()
        assert by_name.json()["id"] == str(row.pk)
        etag = by_name.headers["ETag"]
        key = "name" if path.startswith("channels") else "title"
        changed = owner_api.patch(
            f"{APPLICATION}/{path}", {key: "New"}, headers={"If-Match": etag}
        )
        assert changed.json()[key] == "New"
        assert owner_api.delete(f"{APPLICATION}/{path}").status_code == 204
        assert owner_api.get(f"{APPLICATION}/{path}").status_code == 404
        assert owner_api.get(f"/applications/other/{path}").status_code == 200


def test_a_customer_by_custom_id(owner_api: ApiClient, rows: dict[str, Any]) -> None:
    customer = rows["customer"]
    contact = ContactFactory(customer=customer)

    shown = owner_api.get("/customers/CRM%207")
    contacts = owner_api.get("/customers/CRM%207/contacts").json()["results"]
    archived = owner_api.post("/customers/CRM%207/archive")

    assert shown.json()["id"] == str(customer.pk)
    assert [row["id"] for row in contacts] == [str(contact.pk)]
    assert archived.json()["archived_at"]
    for unknown in ("nobody", "CRM", "%0A", "%20"):
        assert owner_api.get(f"/customers/{unknown}").status_code == 404


def test_a_license_names_customer_and_channel(
    owner_api: ApiClient, rows: dict[str, Any]
) -> None:
    body = {"customer": "CRM 7", "application": "my-app", "type": "paid"}

    issued = owner_api.post("/licenses", body | {"channel": "beta"})

    assert issued.status_code == 201
    assert issued.json()["customer"] == str(rows["customer"].pk)
    beta = Channel.objects.get(application=rows["application"], slug="beta")
    assert issued.json()["channel"] == str(beta.pk)
    path = f"/licenses/{issued.json()['id']}"
    assert owner_api.patch(path, {"channel": "nope"}).status_code == 400
    changed = owner_api.patch(path, {"channel": str(beta.pk)})
    assert changed.json()["channel"] == str(beta.pk)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"customer": ""}, "customer"),
        ({"customer": "CRM 8"}, "customer"),
        ({"channel": ""}, "channel"),
        ({"channel": "gamma"}, "channel"),
    ],
)
def test_an_unknown_name_is_an_error_of_its_field(
    change: dict[str, str], field: str, owner_api: ApiClient
) -> None:
    body = {"customer": "CRM 7", "application": "my-app", "type": "paid"}

    refused = owner_api.post("/licenses", body | change)

    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == [field]


def test_a_custom_id_of_another_team_names_nobody(
    owner_api: ApiClient, outsider_api: ApiClient
) -> None:
    assert outsider_api.get("/customers/CRM%207").status_code == 404
    assert outsider_api.delete("/customers/CRM%207").status_code == 404
    license = LicenseFactory(team=outsider_api.team)
    body = {
        "customer": "CRM 7",
        "application": license.application.slug,
        "type": "paid",
    }
    assert outsider_api.post("/licenses", body).status_code == 400
    assert Customer.objects.filter(custom_id="CRM 7").exists()
