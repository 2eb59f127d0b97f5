"""One delivery's trouble is its own: it neither stops nor repeats another's."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from alerts.dispatch import dispatch_alerts, send_due_mails
from alerts.models import Alert, Delivery, Webhook
from alerts.services import create_webhook
from alerts.tasks import MAILING, send_mails_task
from portal.crypto.secrets import Secret
from teams.actors import Actor
from teams.models import Membership, Team
from tests.support.rows.alerting import alert, deliver, make_due
from tests.support.rows.factories import MembershipFactory
from tests.support.servers.canned_server import silent_server
from tests.support.servers.mail_server import MailServer, running_mail_server
from tests.support.servers.receiver import Receiver


def use_mail_server(settings: Any, port: int) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_TIMEOUT = 5


@pytest.fixture
def mail_server(settings: Any) -> Iterator[MailServer]:
    with running_mail_server() as server:
        use_mail_server(settings, server.port)
        yield server


@pytest.fixture
def owners(team: Team) -> list[str]:
    """Three recipients of mails, one after the other."""
    members = [
        MembershipFactory(team=team, user__email=f"{name}@acme.example")
        for name in ("a", "b", "c")
    ]
    alert(team)
    dispatch_alerts()
    for membership in members:
        Delivery.objects.filter(user=membership.user).update(due_at=timezone.now())
    return [membership.user.email for membership in members]


def attempts() -> dict[str, tuple[str, int]]:
    """Return the state and attempts of each mail, by recipient."""
    mails = Delivery.objects.filter(user__isnull=False).select_related("user")
    return {
        delivery.user.email: (delivery.state, delivery.attempts)
        for delivery in mails
        if delivery.user is not None
    }


# Mails.


def test_mails_go_over_one_connection(
    owners: list[str], mail_server: MailServer
) -> None:
    send_due_mails()

    assert mail_server.taken == owners
    assert mail_server.connections == 1


def test_a_silent_mail_server_is_tried_once_for_all_mails(
    owners: list[str], settings: Any
) -> None:
    with silent_server() as endpoint:
        use_mail_server(settings, int(endpoint.rpartition(":")[2]))
        settings.EMAIL_TIMEOUT = 0.2
        send_due_mails()

        assert attempts() == dict.fromkeys(owners, ("pending", 1))
        assert not Delivery.objects.due().exists()
        details = Delivery.objects.values_list("detail", flat=True).distinct()
        assert list(details) == ["The mail server could not be reached."]

    with running_mail_server() as server:
        use_mail_server(settings, server.port)
        make_due()
        send_due_mails()

    assert attempts() == dict.fromkeys(owners, ("delivered", 2))
    assert sorted(server.taken) == owners


@pytest.mark.parametrize("trouble", ["refuses", "hangs_up_at"])
def test_a_rejected_mail_does_not_affect_others(
    owners: list[str], mail_server: MailServer, trouble: str
) -> None:
    setattr(mail_server, trouble, owners[0])

    send_due_mails()

    assert mail_server.taken == owners[1:]
    assert attempts() == {
        owners[0]: ("pending", 1),
        owners[1]: ("delivered", 1),
        owners[2]: ("delivered", 1),
    }


def test_an_accepted_mail_is_delivered_whatever_the_server_does_next(
    owners: list[str], mail_server: MailServer
) -> None:
    mail_server.is_rude = True

    send_due_mails()

    assert attempts() == dict.fromkeys(owners, ("delivered", 1))
    assert mail_server.taken == owners


def test_a_slow_mail_server_leaves_the_rest_for_later(
    owners: list[str], mail_server: MailServer
) -> None:
    mail_server.delay_seconds = 0.3

    send_due_mails(seconds=0.2)

    assert mail_server.taken == owners[:1]
    assert attempts()[owners[0]] == ("delivered", 1)
    assert attempts()[owners[1]] == attempts()[owners[2]] == ("pending", 0)
    assert Delivery.objects.due().count() == 2  # claimed by no one

    send_due_mails()

    assert mail_server.taken == owners


def test_a_mail_that_cannot_be_rendered_does_not_affect_others(
    team: Team, owner: Membership, caplog: pytest.LogCaptureFixture
) -> None:
    alert(team, key="1")
    Alert.objects.update(event="gone.with.a.release")
    dispatch_alerts()
    alert(team, key="2")

    deliver()

    assert len(mail.outbox) == 1
    broken = Delivery.objects.get(alert__event="gone.with.a.release")
    assert (broken.state, broken.attempts) == ("pending", 1)
    assert broken.due_at > timezone.now()
    assert broken.detail == "Internal error in Berth; see the server log."
    assert "Internal error in a delivery" in caplog.text


def test_one_worker_at_a_time_sends_mails(
    owners: list[str], mail_server: MailServer
) -> None:
    cache.set(MAILING, 1, timeout=60)  # by another worker
    send_mails_task()
    assert mail_server.connections == 0
    assert attempts() == dict.fromkeys(owners, ("pending", 0))

    cache.delete(MAILING)
    send_mails_task()
    assert mail_server.taken == owners
    assert cache.get(MAILING) is None


@pytest.mark.parametrize("how", ["left", "deactivated"])
def test_former_members_get_nothing(
    team: Team, owner: Membership, outsider: Membership, how: str
) -> None:
    leaver = MembershipFactory(team=team)
    alert(team)
    dispatch_alerts()
    if how == "left":
        leaver.delete()
        # They are still a member of another team.
        MembershipFactory(team=outsider.team, user=leaver.user)
    else:
        leaver.user.is_active = False
        leaver.user.save()

    deliver()

    assert [message.to for message in mail.outbox] == [[owner.user.email]]
    assert attempts() == {owner.user.email: ("delivered", 1)}


# Webhooks.


def test_an_unreadable_secret_does_not_affect_other_webhooks(
    team: Team,
    actor: Actor,
    webhook: tuple[Webhook, Secret],
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, secret = create_webhook(
        actor=actor,
        team=team,
        name="Broken",
        url=receiver.url,
        events=webhook[0].events,
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE alerts_webhook SET secret = 'v1:lost:AAAA' WHERE id = %s",
            [broken.pk],
        )
    alert(team)

    with caplog.at_level(logging.INFO):
        deliver()

    assert len(receiver.received) == 1
    assert Delivery.objects.get(webhook=webhook[0]).state == "delivered"
    failed = Delivery.objects.get(webhook=broken)
    assert (failed.state, failed.attempts) == ("pending", 1)
    assert failed.due_at > timezone.now()
    assert failed.detail == "Internal error in Berth; see the server log."
    assert f"Internal error in a delivery: {failed.pk}." in caplog.text
    assert secret.reveal() not in caplog.text
