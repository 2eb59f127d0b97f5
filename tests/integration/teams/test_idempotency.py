from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import AuditEvent
from licenses.models import Customer
from registries.models import Credential, ExternalRegistry
from teams.idempotency import delete_expired_idempotency_records
from teams.models import ApiToken, IdempotencyRecord, Membership
from tests.support.clients.api import ApiClient, code_of, member_client
from tests.support.rows.audit import audited
from tests.support.rows.factories import ExternalRegistryFactory

BODY = {"name": "Initech"}


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def test_repeated_request_gets_the_first_answer(owner_api: ApiClient) -> None:
    first = owner_api.post("/customers", BODY, headers=keyed("k"))
    second = owner_api.post("/customers", BODY, headers=keyed("k"))

    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Customer.objects.count() == 1
    assert audited(owner_api.team) == [("customer:created", "Initech")]


def test_requests_without_a_key_are_each_their_own(owner_api: ApiClient) -> None:
    owner_api.post("/customers", BODY)
    owner_api.post("/customers", BODY)

    assert Customer.objects.count() == 2
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/customers", {"name": "Hooli"}),
        ("/applications", {"name": "My App", "slug": "my-app"}),
    ],
)
def test_key_with_another_request_is_refused(
    path: str, body: dict[str, str], owner_api: ApiClient
) -> None:
    owner_api.post("/customers", BODY, headers=keyed("k"))

    response = owner_api.post(path, body, headers=keyed("k"))

    assert response.status_code == 422
    assert code_of(response) == "idempotency_key_reused"
    assert [customer.name for customer in Customer.objects.all()] == ["Initech"]


def test_key_belongs_to_its_sender(
    owner_api: ApiClient, support_api: ApiClient, outsider_api: ApiClient
) -> None:
    for client in (owner_api, support_api, outsider_api):
        response = client.post("/customers", BODY, headers=keyed("k"))

        assert response.status_code == 201
        assert "Idempotency-Replayed" not in response.headers
    assert Customer.objects.count() == 3


def test_key_order_of_fields_does_not_matter(owner_api: ApiClient) -> None:
    one = b'{"name": "Initech", "custom_id": "c"}'
    other = b'{"custom_id":"c","name":"Initech"}'

    first = owner_api.post("/customers", raw=one, headers=keyed("k"))
    second = owner_api.post("/customers", raw=other, headers=keyed("k"))

    assert first.json() == second.json()


def test_errors_are_not_kept(owner_api: ApiClient) -> None:
    refused = owner_api.post("/customers", {"name": ""}, headers=keyed("k"))
    assert refused.status_code == 400
    assert not IdempotencyRecord.objects.exists()

    assert owner_api.post("/customers", BODY, headers=keyed("k")).status_code == 201


def test_denied_request_keeps_nothing(viewer_api: ApiClient) -> None:
    response = viewer_api.post("/customers", BODY, headers=keyed("k"))

    assert response.status_code == 403
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize("key", ["", "k" * 256, "é", "a\tb", "a\x7fb"])
def test_malformed_key_is_refused(key: str, owner_api: ApiClient) -> None:
    response = owner_api.post("/customers", BODY, headers=keyed(key))

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["Idempotency-Key"]
    assert not Customer.objects.exists()


def test_longest_key_is_taken(owner_api: ApiClient) -> None:
    response = owner_api.post("/customers", BODY, headers=keyed(" " + "~" * 253))

    assert response.status_code == 201


def test_api_token_is_shown_again_in_a_replay(owner_api: ApiClient) -> None:
    body = {"kind": "user", "name": "laptop"}

    first = owner_api.post("/api-tokens", body, headers=keyed("k"))
    second = owner_api.post("/api-tokens", body, headers=keyed("k"))

    assert first.json()["token"] == second.json()["token"]
    assert ApiToken.objects.filter(name="laptop").count() == 1
    stored = str(list(IdempotencyRecord.objects.values()))
    assert first.json()["token"] not in stored


def test_api_keeps_answers_with_secrets_for_a_day(owner_api: ApiClient) -> None:
    body = {"kind": "user", "name": "laptop"}
    first = owner_api.post("/api-tokens", body, headers=keyed("k"))
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=23))
    delete_expired_idempotency_records()

    second = owner_api.post("/api-tokens", body, headers=keyed("k"))

    assert first.json()["token"] == second.json()["token"]


def test_replaced_credential_is_replaced_once(owner_api: ApiClient) -> None:
    registry = ExternalRegistryFactory(team=owner_api.team)
    body = {"username": "me", "secret": "guessable", "skip_test": True}
    path = f"/registries/{registry.pk}/credential"

    first = owner_api.put(path, body, headers=keyed("k"))
    second = owner_api.put(path, body, headers=keyed("k"))

    assert first.status_code == second.status_code == 200
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Credential.objects.filter(registry=registry).count() == 2


def test_registry_that_rejects_leaves_the_key_free(owner_api: ApiClient) -> None:
    body = {
        "provider": "other",
        "endpoint": "127.0.0.1:1",
        "slug": "sample",
        "username": "me",
        "secret": "mine",
    }
    refused = owner_api.post("/registries", body, headers=keyed("k"))
    body["skip_test"] = True  # type: ignore[assignment]  # JSON
    accepted = owner_api.post("/registries", body, headers=keyed("k"))

    assert refused.status_code == 400
    assert accepted.status_code == 201
    assert ExternalRegistry.objects.count() == 1


def test_key_is_free_again_after_a_day(owner_api: ApiClient) -> None:
    owner_api.post("/customers", BODY, headers=keyed("k"))
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=25))

    response = owner_api.post("/customers", BODY, headers=keyed("k"))

    assert "Idempotency-Replayed" not in response.headers
    assert Customer.objects.count() == 2


def test_expired_records_are_deleted(owner_api: ApiClient) -> None:
    owner_api.post("/customers", BODY, headers=keyed("old"))
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=25))
    owner_api.post("/customers", BODY, headers=keyed("new"))

    assert delete_expired_idempotency_records() == 1
    assert IdempotencyRecord.objects.get().key == "new"


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_with_one_key_have_one_effect(owner: Membership) -> None:
    client = member_client(owner)
    start = threading.Barrier(4)
    responses: list[Any] = []

    def send() -> None:
        own = ApiClient(client.team, client.text)
        start.wait(timeout=30)
        try:
            responses.append(own.post("/customers", BODY, headers=keyed("k")))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert [response.status_code for response in responses] == [201] * 4
    assert len({response.json()["id"] for response in responses}) == 1
    replayed = [r for r in responses if "Idempotency-Replayed" in r.headers]
    assert len(replayed) == 3
    assert Customer.objects.count() == 1
    assert AuditEvent.objects.count() == 1
