from __future__ import annotations

import pytest

from licenses.models import Customer
from tests.support.clients.api import ApiClient, code_of
from tests.support.rows.audit import audited
from tests.support.rows.factories import CustomerFactory, LicenseFactory


def names(api: ApiClient, query: str) -> list[str]:
    response = api.get(f"/customers?{query}")
    assert response.status_code == 200
    return [row["name"] for row in response.json()["results"]]


def test_create_customer(support_api: ApiClient) -> None:
    response = support_api.post(
        "/customers", {"name": "Initech", "email": "it@initech.example"}
    )

    assert response.status_code == 201
    customer = Customer.objects.get()
    assert response.json() | {"created_at": None, "updated_at": None} == {
        "id": str(customer.pk),
        "name": "Initech",
        "email": "it@initech.example",
        "custom_id": "",
        "archived_at": None,
        "created_at": None,
        "updated_at": None,
    }
    assert audited(support_api.team) == [("customer:created", "Initech")]


def test_create_customer_is_denied_to_a_developer(member_api: ApiClient) -> None:
    response = member_api.post("/customers", {"name": "Initech"})

    assert response.status_code == 403
    assert not Customer.objects.exists()


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["name"]),
        ({"name": ""}, ["name"]),
        ({"name": "a" * 255}, ["name"]),
        ({"name": "a", "email": "nobody"}, ["email"]),
        ({"name": "a", "custom_id": "\u0001"}, ["custom_id"]),
        ({"name": "a", "archived_at": "2026-01-01T00:00:00Z"}, ["archived_at"]),
    ],
)
def test_create_customer_reports_invalid_fields(
    body: dict[str, str], fields: list[str], owner_api: ApiClient
) -> None:
    response = owner_api.post("/customers", body)

    assert response.status_code == 400
    assert sorted(response.json()["errors"]) == fields
    assert not Customer.objects.exists()


def test_custom_id_is_unique_in_a_team_only(
    owner_api: ApiClient, outsider_api: ApiClient
) -> None:
    body = {"name": "Initech", "custom_id": "c-1"}

    first = owner_api.post("/customers", body)
    assert first.status_code == 201
    assert outsider_api.post("/customers", body).status_code == 201
    again = owner_api.post("/customers", body)

    assert again.status_code == 409
    assert code_of(again) == "custom_id_taken"
    assert again.json()["errors"] == {
        "custom_id": ["Another customer has this custom ID."]
    }
    assert again.json()["existing"] == first.json()["id"]
    assert len(owner_api.get("/customers").json()["results"]) == 1


def test_invalid_values_are_reported_before_a_conflict(owner_api: ApiClient) -> None:
    body = {"name": "Initech", "custom_id": "c-1"}
    owner_api.post("/customers", body)

    response = owner_api.post("/customers", body | {"name": "a\u0001"})

    assert response.status_code == 400
    assert set(response.json()["errors"]) == {"name", "body"}


def test_change_customer_raises_license_sequences(owner_api: ApiClient) -> None:
    license = LicenseFactory(team=owner_api.team)

    response = owner_api.patch(f"/customers/{license.customer_id}", {"name": "New"})

    assert response.status_code == 200
    assert response.json()["name"] == "New"
    license.refresh_from_db()
    assert license.sequence == 2


def test_change_customer_to_the_same_is_not_audited(owner_api: ApiClient) -> None:
    customer = CustomerFactory(team=owner_api.team)

    response = owner_api.patch(f"/customers/{customer.pk}", {"name": customer.name})

    assert response.status_code == 200
    assert audited(owner_api.team) == []


def test_archive_and_restore_may_be_repeated(owner_api: ApiClient) -> None:
    customer = CustomerFactory(team=owner_api.team, name="Initech")
    path = f"/customers/{customer.pk}"

    first = owner_api.post(f"{path}/archive").json()["archived_at"]
    assert first is not None
    assert owner_api.post(f"{path}/archive").json()["archived_at"] == first
    assert owner_api.post(f"{path}/restore").json()["archived_at"] is None
    assert owner_api.post(f"{path}/restore").json()["archived_at"] is None

    assert audited(owner_api.team) == [
        ("customer:archived", "Initech"),
        ("customer:restored", "Initech"),
    ]


def test_archive_is_denied_to_a_developer(member_api: ApiClient) -> None:
    customer = CustomerFactory(team=member_api.team)

    assert member_api.post(f"/customers/{customer.pk}/archive").status_code == 403
    customer.refresh_from_db()
    assert customer.archived_at is None


def test_customers_are_filtered(owner_api: ApiClient) -> None:
    one = CustomerFactory(
        team=owner_api.team, name="Initech", email="IT@initech.example"
    )
    CustomerFactory(team=owner_api.team, name="Hooli", custom_id="h-1")
    owner_api.post(f"/customers/{one.pk}/archive")

    assert names(owner_api, "") == ["Hooli"]
    assert names(owner_api, "search=INI") == []
    assert names(owner_api, "search=INI&archived=true") == ["Initech"]
    assert names(owner_api, "search=%25") == []
    assert names(owner_api, "archived=true") == ["Initech"]
    assert names(owner_api, "archived=false") == ["Hooli"]
    assert names(owner_api, "custom_id=h-1") == ["Hooli"]
    email = "email=it@initech.example"
    assert names(owner_api, f"{email}&archived=true") == ["Initech"]
