"""Alerts from the change that causes them to their recipients."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from alerts.claims import Turns, claim_mails, claim_webhooks
from alerts.dispatch import dispatch_alerts, send_due_webhooks
from alerts.events import Event
from alerts.models import Alert, Delivery, DeliveryState, Webhook
from alerts.services import (
    create_webhook,
    delete_webhook,
    enable_webhook,
    replace_webhook_secret,
    send_again,
    send_test,
)
from portal.crypto.secrets import Secret
from portal.errors import Conflict, Invalid, NotAllowed, TooMany
from teams.actors import Actor, member_actor
from teams.models import Membership, Team
from tests.support.rows.alerting import alert, deliver, make_due
from tests.support.rows.audit import audited
from tests.support.servers.receiver import Receiver

EVENTS = [Event.LICENSE_REVOKED.value]


def test_a_webhook_gets_a_signed_alert(
    team: Team, webhook: tuple[Webhook, Secret], receiver: Receiver
) -> None:
    alert(team)

    deliver()

    (got,) = receiver.received
    verified = Verifier(webhook[1].reveal()).verify(got.body, got.headers)
    assert verified["type"] == "license.revoked"
    assert verified["data"] == {
        "team": "acme",
        "id": str(team.pk),
        "name": "Acme",
        "message": "It was revoked.",
        "application": "my-app",
    }
    assert got.headers["webhook-id"] == str(Alert.objects.get().pk)
    delivery = Delivery.objects.get(webhook__isnull=False)
    assert (delivery.state, delivery.http_status) == ("delivered", 204)


def test_another_secret_does_not_verify(
    team: Team, webhook: tuple[Webhook, Secret], receiver: Receiver
) -> None:
    alert(team)
    deliver()

    (got,) = receiver.received
    with pytest.raises(WebhookVerificationError):
        Verifier("whsec_" + "A" * 44).verify(got.body, got.headers)


def test_for_a_day_the_replaced_secret_verifies_too(
    team: Team, actor: Actor, webhook: tuple[Webhook, Secret], receiver: Receiver
) -> None:
    new = replace_webhook_secret(actor=actor, webhook=webhook[0])
    alert(team)
    deliver()

    (got,) = receiver.received
    for secret in (webhook[1], new):
        Verifier(secret.reveal()).verify(got.body, got.headers)

    Webhook.objects.update(previous_secret_until=timezone.now())
    alert(team, key="2")
    deliver()

    with pytest.raises(WebhookVerificationError):
        Verifier(webhook[1].reveal()).verify(
            receiver.received[1].body, receiver.received[1].headers
        )


def test_the_same_key_raises_one_alert(
    team: Team, webhook: tuple[Webhook, Secret], receiver: Receiver
) -> None:
    alert(team)
    deliver()
    alert(team)
    deliver()

    assert len(receiver.received) == 1
    assert Alert.objects.count() == 1


def test_a_change_that_is_rolled_back_sends_nothing(
    team: Team, webhook: tuple[Webhook, Secret], receiver: Receiver
) -> None:
    with transaction.atomic():
        alert(team)
        transaction.set_rollback(True)

    deliver()

    assert receiver.received == []
    assert not Alert.objects.exists()


def test_only_chosen_events_are_posted(
    team: Team, webhook: tuple[Webhook, Secret], receiver: Receiver
) -> None:
    alert(team, event=Event.REGISTRY_REJECTED)

    deliver()

    assert receiver.received == []


def test_another_teams_webhook_gets_nothing(
    other_team: Team, webhook: tuple[Webhook, Secret], receiver: Receiver
) -> None:
    alert(other_team)

    deliver()

    assert receiver.received == []


def test_failures_are_retried_with_growing_delays_then_given_up(
    team: Team, webhook: tuple[Webhook, Secret], receiver: Receiver
) -> None:
    receiver.status = 500
    alert(team)
    dispatch_alerts()
    Delivery.objects.filter(webhook__isnull=True).delete()
    delivery = Delivery.objects.get()
    waits = []

    for _ in range(9):
        send_due_webhooks()
        delivery.refresh_from_db()
        waits.append(round((delivery.due_at - timezone.now()).total_seconds() / 60))
        make_due()

    assert waits[:8] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert (delivery.state, delivery.attempts) == ("failed", 9)
    assert delivery.detail == "The receiver responded with status 500."
    assert len(receiver.received) == 9
    assert len({got.headers["webhook-id"] for got in receiver.received}) == 1


def test_ten_alerts_given_up_in_a_row_disable_the_webhook(
    team: Team, actor: Actor, webhook: tuple[Webhook, Secret], receiver: Receiver
) -> None:
    receiver.status = 500
    Webhook.objects.update(failures=9)
    alert(team)
    dispatch_alerts()
    Delivery.objects.update(attempts=8)

    deliver()

    disabled = Webhook.objects.get()
    assert disabled.disabled_at is not None
    assert disabled.disabled_reason == "The receiver responded with status 500."
    assert audited(team)[-1] == ("webhook:disabled", "Pager")
    notices = [sent for sent in mail.outbox if "was disabled" in str(sent.body)]
    assert [notice.to for notice in notices] == [["owner@acme.example"]]

    enable_webhook(actor=actor, webhook=disabled)
    receiver.status = 200
    alert(team, key="2")
    deliver()
    assert Webhook.objects.get().failures == 0
    assert len(receiver.received) == 2


def test_gone_disables_the_webhook_immediately(
    team: Team, webhook: tuple[Webhook, Secret], receiver: Receiver
) -> None:
    receiver.status = 410
    alert(team)

    deliver()

    assert Webhook.objects.get().disabled_at is not None
    assert Delivery.objects.get(webhook__isnull=False).state == DeliveryState.FAILED


def test_a_redirect_is_not_followed(
    team: Team, webhook: tuple[Webhook, Secret], receiver: Receiver
) -> None:
    receiver.status = 307
    alert(team)

    deliver()

    delivery = Delivery.objects.get(webhook__isnull=False)
    assert (delivery.state, delivery.http_status) == ("pending", 307)
    assert len(receiver.received) == 1


def test_a_receiver_without_tls_is_reported(
    team: Team, webhook: tuple[Webhook, Secret], receiver: Receiver, settings: Any
) -> None:
    settings.BERTH_INSECURE_WEBHOOKS = []
    Webhook.objects.update(url=f"https://{receiver.host}/hook")
    alert(team)

    deliver()

    delivery = Delivery.objects.get(webhook__isnull=False)
    assert delivery.detail == "The server does not speak TLS. Check the port."
    assert receiver.received == []


def test_an_address_that_is_not_public_is_not_reached(
    team: Team, webhook: tuple[Webhook, Secret], receiver: Receiver, settings: Any
) -> None:
    settings.BERTH_ALLOWED_PRIVATE_NETWORKS = []
    alert(team)

    deliver()

    delivery = Delivery.objects.get(webhook__isnull=False)
    assert delivery.detail == "The address is not public."
    assert receiver.received == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "http://example.com/",
        "ftp://example.com/",
        "https://user:pw@example.com/",
        "https://",
        "https://exa mple.com/",
        "https://example.com:99999/",
        "javascript:alert(1)",
    ],
)
def test_invalid_webhook_urls(actor: Actor, team: Team, url: str) -> None:
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError) as caught:
        create_webhook(actor=actor, team=team, name="x", url=url, events=EVENTS)

    assert list(caught.value.message_dict) == ["url"]
    assert not Webhook.objects.exists()


def test_an_unknown_event_is_rejected(actor: Actor, team: Team) -> None:
    with pytest.raises(Invalid):
        create_webhook(
            actor=actor,
            team=team,
            name="x",
            url="https://example.com/",
            events=["license.frobbed"],
        )

    assert not Webhook.objects.exists()


def test_support_manages_no_webhooks(support: Membership, team: Team) -> None:
    with pytest.raises(NotAllowed):
        create_webhook(
            actor=member_actor(support),
            team=team,
            name="x",
            url="https://example.com/",
            events=EVENTS,
        )

    assert not Webhook.objects.exists()


def test_a_test_goes_to_one_webhook_alone(
    team: Team, actor: Actor, webhook: tuple[Webhook, Secret], receiver: Receiver
) -> None:
    send_test(actor=actor, webhook=webhook[0])

    deliver()

    (got,) = receiver.received
    assert json.loads(got.body)["type"] == "webhook.test"
    assert mail.outbox == []


def test_tests_are_limited_per_team_and_minute(
    team: Team, actor: Actor, webhook: tuple[Webhook, Secret]
) -> None:
    other, _ = create_webhook(
        actor=actor, team=team, name="Chat", url=webhook[0].url, events=EVENTS
    )
    for _ in range(5):
        send_test(actor=actor, webhook=webhook[0])
        send_test(actor=actor, webhook=other)

    with pytest.raises(TooMany, match="10 tests per minute"):
        send_test(actor=actor, webhook=other)
    assert Delivery.objects.count() == 10
    assert audited(team).count(("webhook:tested", "Chat")) == 5

    Alert.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    send_test(actor=actor, webhook=other)


def test_a_delivery_given_up_can_be_sent_again(
    team: Team, actor: Actor, webhook: tuple[Webhook, Secret], receiver: Receiver
) -> None:
    alert(team)
    dispatch_alerts()
    Delivery.objects.update(state=DeliveryState.FAILED, attempts=9)
    delivery = Delivery.objects.get(webhook__isnull=False)

    send_again(actor=actor, delivery=delivery)
    send_due_webhooks()

    assert len(receiver.received) == 1
    with pytest.raises(Conflict):
        send_again(actor=actor, delivery=delivery)


def test_a_claimed_delivery_is_left_to_its_worker(
    team: Team, webhook: tuple[Webhook, Secret], receiver: Receiver
) -> None:
    alert(team)
    dispatch_alerts()

    # By a worker that is killed now.
    claimed = [*claim_webhooks(2), *claim_mails(Turns(), 2)]
    deliver()

    assert len(claimed) == 2
    assert (receiver.received, mail.outbox) == ([], [])
    make_due()  # its claim is over
    deliver()
    assert len(receiver.received) == len(mail.outbox) == 1


def test_deleting_a_webhook_while_it_is_sent_to_is_not_an_error(
    team: Team, actor: Actor, webhook: tuple[Webhook, Secret], receiver: Receiver
) -> None:
    from alerts.dispatch import _store_result
    from alerts.results import SendResult

    alert(team)
    dispatch_alerts()
    claimed = [*claim_webhooks(2), *claim_mails(Turns(), 2)]
    delete_webhook(actor=actor, webhook=webhook[0])

    for delivery in claimed:
        assert _store_result(delivery, SendResult(ok=True, detail="Delivered."))

    assert not Delivery.objects.filter(webhook__isnull=False).exists()


def test_secrets_are_stored_encrypted(webhook: tuple[Webhook, Secret]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM alerts_webhook")
        (stored,) = cursor.fetchone()

    assert stored.startswith("v1:test:")
    assert webhook[1].reveal() not in stored
