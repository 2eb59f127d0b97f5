from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from alerts.dispatch import send_due_webhooks
from alerts.models import Alert, Delivery, Webhook
from teams.models import Membership, Team
from tests.support.clients.api import ApiClient, code_of
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    WEBHOOK_SECRET,
    AlertFactory,
    DeliveryFactory,
    WebhookFactory,
)
from tests.support.rows.world import rows_of
from tests.support.servers.receiver import Receiver, running_receiver

BODY = {
    "name": "Pager",
    "url": "https://example.com/hook",
    "events": ["license.revoked", "license.expired"],
}


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    with running_receiver() as receiver:
        settings.BERTH_INSECURE_WEBHOOKS = [receiver.host]
        yield receiver


@pytest.fixture
def webhook(team: Team) -> Webhook:
    webhook: Webhook = WebhookFactory(team=team, name="Pager")
    return webhook


def kept(team: Team) -> dict[str, list[dict[str, Any]]]:
    """Return what a refused call leaves as it is: all but when the token was used."""
    rows = rows_of(team)
    del rows["teams.ApiToken"]
    return rows


def path_of(webhook: Webhook, action: str = "") -> str:
    return f"/webhooks/{webhook.pk}" + (f"/{action}" if action else "")


def test_created_webhook_carries_its_secret_once(
    member_api: ApiClient, member: Membership, team: Team
) -> None:
    response = member_api.post("/webhooks", BODY)

    assert response.status_code == 201
    made = response.json()
    assert made.pop("secret").startswith("whsec_")
    assert made == {
        "id": str(Webhook.objects.get().pk),
        "name": "Pager",
        "url": "https://example.com/hook",
        "events": ["license.expired", "license.revoked"],
        "failures": 0,
        "disabled_at": None,
        "disabled_reason": "",
        "previous_secret_until": None,
        "created_by_id": str(member.user_id),
        "created_at": made["created_at"],
        "updated_at": made["updated_at"],
    }
    assert member_api.get(f"/webhooks/{made['id']}").json() == made
    assert member_api.get("/webhooks").json()["results"] == [made]
    assert audited(team) == [("webhook:created", "Pager")]


def test_repeated_key_gives_the_same_webhook_and_secret(owner_api: ApiClient) -> None:
    key = {"Idempotency-Key": "once"}

    first = owner_api.post("/webhooks", BODY, headers=key)
    second = owner_api.post("/webhooks", BODY, headers=key)

    assert first.json() == second.json()
    assert Webhook.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a" * 151}, "name"),
        ({"name": "a\tb"}, "name"),
        ({"url": "http://example.com/"}, "url"),
        ({"url": "https://user:pw@example.com/"}, "url"),
        ({"url": "https://example.com/" + "a" * 2000}, "url"),
        ({"events": []}, "events"),
        ({"events": ["license.frobbed"]}, "events"),
        ({"events": ["webhook.test"]}, "events"),
        ({"events": "license.revoked"}, "events"),
        ({"secret": "whsec_mine"}, "secret"),
    ],
)
@pytest.mark.parametrize("method", ["post", "patch"])
def test_invalid_values_are_reported_by_field(
    method: str,
    change: dict[str, Any],
    field: str,
    owner_api: ApiClient,
    team: Team,
    webhook: Webhook,
) -> None:
    path = "/webhooks" if method == "post" else path_of(webhook)
    body = {**BODY, "name": "Other", **change} if method == "post" else change
    before = kept(team)

    response = owner_api.request(method, path, body)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    assert kept(team) == before


def test_name_is_taken_once(owner_api: ApiClient, webhook: Webhook) -> None:
    response = owner_api.post("/webhooks", BODY)

    assert response.status_code == 409
    assert code_of(response) == "name_taken"
    assert response.json()["existing"] == str(webhook.pk)
    assert Webhook.objects.count() == 1


def test_a_team_has_20_at_most(owner_api: ApiClient, team: Team) -> None:
    WebhookFactory.create_batch(20, team=team)

    response = owner_api.post("/webhooks", BODY)

    assert response.status_code == 409
    assert code_of(response) == "too_many_webhooks"


def test_change_and_delete(owner_api: ApiClient, team: Team, webhook: Webhook) -> None:
    DeliveryFactory(webhook=webhook)
    changes = {"name": "Chat", "events": ["registry.rejected"]}

    changed = owner_api.patch(path_of(webhook), changes)
    deleted = owner_api.delete(path_of(webhook))

    assert changed.status_code == 200
    assert {name: changed.json()[name] for name in changes} == changes
    assert deleted.status_code == 204
    assert not Delivery.objects.exists()
    assert audited(team) == [("webhook:changed", "Chat"), ("webhook:deleted", "Chat")]


def test_replaced_secret_is_shown_once(
    owner_api: ApiClient, team: Team, webhook: Webhook
) -> None:
    replaced = owner_api.post(path_of(webhook, "secret"))

    assert replaced.status_code == 200
    secret = replaced.json()["secret"]
    assert secret == Webhook.objects.get().secret.reveal()
    assert secret != WEBHOOK_SECRET
    assert replaced.json()["previous_secret_until"] is not None
    assert "secret" not in owner_api.get(path_of(webhook)).json()
    assert audited(team) == [("webhook:secret-replaced", "Pager")]


def test_disable_and_enable(owner_api: ApiClient, team: Team, webhook: Webhook) -> None:
    DeliveryFactory(webhook=webhook, state="pending")

    off = owner_api.post(path_of(webhook, "disable")).json()
    given_up = Delivery.objects.get().state
    on = owner_api.post(path_of(webhook, "enable")).json()

    assert off["disabled_at"] is not None
    assert off["disabled_reason"] == "Disabled by owner@acme.example."
    assert given_up == "failed"
    assert (on["disabled_at"], on["disabled_reason"]) == (None, "")
    assert [tag for tag, _ in audited(team)] == ["webhook:disabled", "webhook:enabled"]


def test_a_test_is_sent_and_logged(
    owner_api: ApiClient, webhook: Webhook, receiver: Receiver
) -> None:
    Webhook.objects.update(url=receiver.url)

    response = owner_api.post(path_of(webhook, "test"))
    waiting = owner_api.get(path_of(webhook, "deliveries")).json()["results"]
    send_due_webhooks()
    (sent,) = owner_api.get(path_of(webhook, "deliveries")).json()["results"]

    assert response.status_code == 202
    assert waiting == [response.json()]
    assert waiting[0]["due_at"] is not None
    (got,) = receiver.received
    verified = Verifier(WEBHOOK_SECRET).verify(got.body, got.headers)
    assert verified["type"] == "webhook.test"
    assert sent == waiting[0] | {
        "state": "delivered",
        "attempts": 1,
        "http_status": 204,
        "detail": "Delivered.",
        "due_at": None,
        "finished_at": sent["finished_at"],
    }
    assert sent["event"] == "webhook.test"


def test_test_with_a_repeated_key_is_one_test(
    owner_api: ApiClient, webhook: Webhook
) -> None:
    for _ in range(2):
        owner_api.post(path_of(webhook, "test"), headers={"Idempotency-Key": "once"})

    assert Delivery.objects.count() == 1


def test_an_eleventh_test_in_a_minute_is_refused(
    owner_api: ApiClient, webhook: Webhook
) -> None:
    for _ in range(10):
        assert owner_api.post(path_of(webhook, "test")).status_code == 202

    refused = owner_api.post(path_of(webhook, "test"))

    assert (refused.status_code, code_of(refused)) == (429, "too_many_tests")
    assert refused.headers["Retry-After"] == "60"
    assert Delivery.objects.count() == 10


def test_deliveries_are_filtered_by_state(
    owner_api: ApiClient, webhook: Webhook, team: Team
) -> None:
    failed = DeliveryFactory(webhook=webhook, state="failed")
    DeliveryFactory(webhook=webhook)
    DeliveryFactory(webhook__team=team, state="failed")
    path = path_of(webhook, "deliveries")

    rows = owner_api.get(f"{path}?state=failed").json()["results"]

    assert [row["id"] for row in rows] == [str(failed.pk)]
    assert owner_api.get(f"{path}?state=lost").status_code == 400


def test_given_up_delivery_is_sent_again(
    owner_api: ApiClient, webhook: Webhook
) -> None:
    delivery = DeliveryFactory(webhook=webhook, state="failed", attempts=9)
    path = path_of(webhook, f"deliveries/{delivery.pk}/retry")

    first = owner_api.post(path)
    second = owner_api.post(path)

    assert first.status_code == 202
    assert (first.json()["state"], first.json()["attempts"]) == ("pending", 0)
    assert second.status_code == 409
    assert code_of(second) == "not_failed"


def test_nothing_is_sent_again_to_a_webhook_that_is_off(
    owner_api: ApiClient, webhook: Webhook
) -> None:
    delivery = DeliveryFactory(webhook=webhook, state="failed")
    owner_api.post(path_of(webhook, "disable"))

    response = owner_api.post(path_of(webhook, f"deliveries/{delivery.pk}/retry"))

    assert response.status_code == 409
    assert code_of(response) == "webhook_disabled"


def test_delivery_of_another_webhook_is_not_found(
    owner_api: ApiClient, webhook: Webhook, team: Team
) -> None:
    other = DeliveryFactory(webhook__team=team, state="failed")

    response = owner_api.post(path_of(webhook, f"deliveries/{other.pk}/retry"))

    assert response.status_code == 404


@pytest.mark.parametrize(
    ("method", "action"),
    [
        ("get", ""),
        ("patch", ""),
        ("delete", ""),
        ("post", "secret"),
        ("post", "enable"),
        ("post", "disable"),
        ("post", "test"),
        ("get", "deliveries"),
    ],
)
def test_support_manages_no_webhooks(
    method: str, action: str, support_api: ApiClient, webhook: Webhook, team: Team
) -> None:
    before = kept(team)

    response = support_api.request(method, path_of(webhook, action), {})

    assert response.status_code == 403
    assert support_api.get("/webhooks").status_code == 403
    assert support_api.post("/webhooks", BODY).status_code == 403
    assert kept(team) == before


def test_no_answer_shows_a_secret(owner_api: ApiClient, webhook: Webhook) -> None:
    owner_api.post(path_of(webhook, "test"))
    asked = [
        owner_api.get("/webhooks"),
        owner_api.get(path_of(webhook)),
        owner_api.patch(path_of(webhook), {"name": "Chat"}),
        owner_api.post(path_of(webhook, "disable")),
        owner_api.post(path_of(webhook, "enable")),
        owner_api.post(path_of(webhook, "test")),
        owner_api.get(path_of(webhook, "deliveries")),
        owner_api.get("/alerts"),
        owner_api.get("/audit-events"),
    ]

    for response in asked:
        assert response.status_code in {200, 202}
        assert "whsec" not in response.content.decode()


def test_alerts_are_listed_for_everybody_and_filtered(
    viewer_api: ApiClient, team: Team
) -> None:
    AlertFactory(team=team, event="registry.rejected", data={"registry": "quay"})
    AlertFactory(team=team)
    AlertFactory()
    last = Alert.objects.get(team=team, event="registry.rejected")

    whole = viewer_api.get("/alerts").json()["results"]
    by_event = viewer_api.get("/alerts?event=registry.rejected").json()["results"]
    by_subject = viewer_api.get(f"/alerts?subject_id={last.subject_id}").json()

    assert len(whole) == 2
    assert by_event == by_subject["results"]
    assert by_event == [
        {
            "id": str(last.pk),
            "event": "registry.rejected",
            "subject_id": str(last.subject_id),
            "subject_label": last.subject_label,
            "message": last.message,
            "data": {"registry": "quay"},
            "acknowledged_at": None,
            "acknowledged_by": "",
            "created_at": by_event[0]["created_at"],
        }
    ]


def test_events_for_programs_are_for_webhooks_alone(
    owner_api: ApiClient, team: Team
) -> None:
    AlertFactory(team=team, event="license.issued", is_for_programs=True)

    made = owner_api.post("/webhooks", BODY | {"events": ["license.issued"]})
    listed = owner_api.get("/alerts")
    by_event = owner_api.get("/alerts?event=license.issued")

    assert made.json()["events"] == ["license.issued"]
    assert listed.json()["results"] == []
    assert by_event.status_code == 400
