"""Teams take turns: a flood or a silent receiver delays no other team."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from django.core import mail
from django.utils import timezone

from alerts.claims import Turns, claim_mails, claim_webhooks
from alerts.dispatch import dispatch_alerts, send_due_mails
from alerts.models import Alert, Delivery, Webhook
from teams.models import Membership, Team
from tests.support.rows.alerting import alert
from tests.support.rows.factories import (
    AlertFactory,
    WebhookFactory,
)
from tests.support.rows.locking import locked_elsewhere

HOUR = timedelta(hours=1)


def due(team: Team, host: str, number: int, *, minutes: int = 0) -> Webhook:
    """Make deliveries to a host that are due since some minutes."""
    webhook: Webhook = WebhookFactory(team=team, url=f"https://{host}/hook")
    since = timezone.now() - timedelta(minutes=minutes)
    alerts = [AlertFactory.build(team=team) for _ in range(number)]
    Alert.objects.bulk_create(alerts)
    Delivery.objects.bulk_create(
        Delivery(team=team, alert=item, webhook=webhook, due_at=since)
        for item in alerts
    )
    return webhook


def claim() -> dict[str, int]:
    """Claim what may be claimed; return how many deliveries by the team's slug."""
    return dict(Counter(item.team.slug for item in claim_webhooks(100)))


def test_few_deliveries_of_one_team_and_all_of_others(
    team: Team, other_team: Team, settings: Any
) -> None:
    settings.BERTH_WEBHOOKS_PER_TEAM = 3
    for number in range(3):
        due(team, f"{number}.example", 5, minutes=60)
    due(other_team, "rival.example", 2)

    assert claim() == {"acme": 3, "rival": 2}
    assert claim() == {}

    # One ends, one is retried later.
    first, second = Delivery.objects.in_progress().filter(team=team)[:2]
    first.delete()
    Delivery.objects.filter(pk=second.pk).update(
        is_claimed=False, due_at=timezone.now() + HOUR
    )
    assert claim() == {"acme": 2}


def test_a_delivery_that_another_transaction_holds_delays_no_other(
    transactional_db: None, team: Team
) -> None:
    due(team, "a.example", 2)
    held, free = Delivery.objects.order_by("pk")

    with locked_elsewhere(held):
        claimed = claim_webhooks(100)

    assert claimed == [free]
    assert claim_webhooks(100) == [held]


def test_few_deliveries_to_one_host_of_all_teams(
    team: Team, other_team: Team, settings: Any
) -> None:
    settings.BERTH_WEBHOOKS_PER_TEAM, settings.BERTH_WEBHOOKS_PER_HOST = 3, 4
    due(team, "busy.example", 5, minutes=60)
    due(other_team, "BUSY.example", 5)
    due(other_team, "rival.example", 1)

    first, second = claim(), claim()

    assert first == {"acme": 3, "rival": 1}
    assert second == {"rival": 1}  # to the other host


def test_a_flood_of_one_team_does_not_hide_others(team: Team, other_team: Team) -> None:
    due(team, "flood.example", 1100, minutes=60)
    due(other_team, "rival.example", 2)

    assert claim() == {"acme": 10, "rival": 2}


def test_the_claims_of_a_killed_worker_do_not_count(team: Team, settings: Any) -> None:
    settings.BERTH_WEBHOOKS_PER_TEAM = 2
    due(team, "a.example", 2)
    assert claim() == {"acme": 2}

    Delivery.objects.update(due_at=timezone.now())

    assert claim() == {"acme": 2}


def test_places_go_to_the_longest_overdue(team: Team, other_team: Team) -> None:
    due(team, "a.example", 1)
    due(other_team, "rival.example", 1, minutes=5)

    (claimed,) = claim_webhooks(1)

    assert claimed.team == other_team


def test_teams_take_turns_in_mails(
    team: Team, other_team: Team, owner: Membership, outsider: Membership
) -> None:
    for number in range(5):
        alert(team, key=str(number))
    alert(other_team)
    dispatch_alerts()

    turns = Turns()
    order = [claim_mails(turns, 1)[0].team.slug for _ in range(6)]

    assert order == ["acme", "rival", "acme", "acme", "acme", "acme"]
    assert claim_mails(turns, 1) == []


def test_a_flood_of_mails_delays_no_other_team(
    team: Team, other_team: Team, owner: Membership, outsider: Membership
) -> None:
    for number in range(20):
        alert(team, key=str(number))
    alert(other_team)
    dispatch_alerts()

    send_due_mails()

    order = [message.to[0] for message in mail.outbox]
    assert len(order) == 21
    assert order.index("owner@rival.example") < 2


def test_a_flood_of_alerts_delays_no_other_team(
    team: Team, other_team: Team, owner: Membership, outsider: Membership
) -> None:
    Alert.objects.bulk_create(
        AlertFactory.build(team=team, dispatched_at=None) for _ in range(120)
    )
    alert(other_team)

    dispatch_alerts()

    times = Alert.objects.order_by("dispatched_at").values_list("team__slug", flat=True)
    assert list(times).index("rival") == 50
    assert not Alert.objects.filter(dispatched_at__isnull=True).exists()
