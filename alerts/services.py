"""Raises alerts, and manages webhooks and subscriptions."""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.db.models import Model
from django.utils import timezone

from alerts.events import CHOOSABLE, MAILABLE, Event
from alerts.models import Alert, Delivery, DeliveryState, Subscription, Webhook
from alerts.selectors import alert_key, unacknowledged_alerts, webhooks_to_post
from audit.services import record
from audit.tags import EventTag
from portal.crypto.secrets import Secret
from portal.database.uniqueness import save_valid
from portal.errors import Conflict, Invalid, TooMany
from portal.wake import Task, wake
from teams.actors import Actor
from teams.models import Membership, Team
from teams.permissions import Permission
from teams.services import apply_changes

PREVIOUS_SECRET_LIFETIME = timedelta(hours=24)
MAX_WEBHOOKS = 20
ALERTS_KEPT = timedelta(days=90)
TESTS_PER_MINUTE = 10
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Told:
    """What an alert tells of its subject, once per ``key``."""

    subject: Model
    key: str
    message: str
    data: Mapping[str, object] = field(default_factory=dict)


def raise_alert(
    *,
    team_id: uuid.UUID,
    event: Event,
    subject: Model,
    key: str,
    message: str,
    data: Mapping[str, object] | None = None,
) -> None:
    """Send an event to the team, once per ``key``; call it in the change's transaction.

    A change that is rolled back sends nothing. Nothing is lost if the broker is
    unavailable: the row is the queue, and the task only speeds it up. An event for
    programs is not stored if no webhook gets it.
    """
    raise_alerts(team_id, event, [Told(subject, key, message, data or {})])


def raise_alerts(team_id: uuid.UUID, event: Event, told: Iterable[Told]) -> None:
    """Send an event to the team for each subject, as :func:`raise_alert` does."""
    if event.is_for_programs and not webhooks_to_post(team_id, event).exists():
        return
    alerts = [
        Alert(
            team_id=team_id,
            event=event,
            key=alert_key(event, one.key),
            subject_id=one.subject.pk,
            subject_label=str(one.subject)[:254],
            message=one.message[:1000],
            data=dict(one.data),
            is_for_programs=event.is_for_programs,
        )
        for one in told
    ]
    Alert.objects.bulk_create(alerts, BATCH, ignore_conflicts=True)
    wake(Task.DISPATCH_ALERTS)


@transaction.atomic
def create_webhook(
    *, actor: Actor, team: Team, name: str, url: str, events: Sequence[str]
) -> tuple[Webhook, Secret]:
    """Add a webhook; return it with the secret that verifies its signatures.

    The secret is never shown again; it can only be replaced.
    """
    actor.require(Permission.WEBHOOK_MANAGE, team_id=team.pk)
    if Webhook.objects.for_team(team.pk).count() >= MAX_WEBHOOKS:
        raise Conflict(
            "too_many_webhooks", f"A team can have at most {MAX_WEBHOOKS} webhooks."
        )
    secret = _new_secret()
    webhook = Webhook(
        team=team,
        name=name,
        url=url,
        events=_checked(events, CHOOSABLE),
        secret=secret,
        created_by_id=actor.person_id,
    )
    save_valid(webhook)
    record(actor, EventTag.WEBHOOK_CREATED, webhook, events=webhook.events)
    return webhook, secret


@transaction.atomic
def change_webhook(
    *, actor: Actor, webhook: Webhook, changes: Mapping[str, object]
) -> Webhook:
    """Change name, URL or events."""
    actor.require(Permission.WEBHOOK_MANAGE, team_id=webhook.team_id)
    changes = dict(changes)
    if "events" in changes:
        events = changes["events"]
        assert isinstance(events, Sequence)  # noqa: S101 -- narrows for the type checker
        changes["events"] = _checked(events, CHOOSABLE)
    changed = apply_changes(webhook, changes)
    if changed:
        record(actor, EventTag.WEBHOOK_CHANGED, webhook, changed=changed)
    return webhook


@transaction.atomic
def replace_webhook_secret(*, actor: Actor, webhook: Webhook) -> Secret:
    """Sign with a new secret; the old one also signs for another day."""
    actor.require(Permission.WEBHOOK_MANAGE, team_id=webhook.team_id)
    webhook = _locked(webhook)
    secret = _new_secret()
    webhook.previous_secret = Secret(webhook.secret.reveal())
    webhook.previous_secret_until = timezone.now() + PREVIOUS_SECRET_LIFETIME
    webhook.secret = secret
    webhook.created_by_id = actor.person_id
    webhook.save(
        update_fields=[
            "secret",
            "previous_secret",
            "previous_secret_until",
            "created_by",
        ]
    )
    record(actor, EventTag.WEBHOOK_SECRET_REPLACED, webhook)
    return secret


@transaction.atomic
def enable_webhook(*, actor: Actor, webhook: Webhook) -> Webhook:
    """Enable a disabled webhook; alerts that it missed are not sent."""
    actor.require(Permission.WEBHOOK_MANAGE, team_id=webhook.team_id)
    webhook = _locked(webhook)
    if webhook.disabled_at is not None:
        webhook.disabled_at, webhook.disabled_reason, webhook.failures = None, "", 0
        webhook.save(update_fields=["disabled_at", "disabled_reason", "failures"])
        record(actor, EventTag.WEBHOOK_ENABLED, webhook)
    return webhook


@transaction.atomic
def disable_webhook(*, actor: Actor, webhook: Webhook, reason: str) -> Webhook:
    """Disable a webhook and give up its pending deliveries."""
    actor.require(Permission.WEBHOOK_MANAGE, team_id=webhook.team_id)
    webhook = _locked(webhook)
    if webhook.disabled_at is None:
        webhook.disabled_at = timezone.now()
        webhook.disabled_reason = reason[:300]
        webhook.save(update_fields=["disabled_at", "disabled_reason"])
        give_up_pending(webhook)
        record(actor, EventTag.WEBHOOK_DISABLED, webhook, reason=reason)
    return webhook


@transaction.atomic
def delete_webhook(*, actor: Actor, webhook: Webhook) -> None:
    """Delete a webhook with its log of deliveries."""
    actor.require(Permission.WEBHOOK_MANAGE, team_id=webhook.team_id)
    webhook = _locked(webhook)  # before its deliveries
    record(actor, EventTag.WEBHOOK_DELETED, webhook)
    webhook.delete()


@transaction.atomic
def send_test(*, actor: Actor, webhook: Webhook) -> Delivery:
    """Send a test alert to one webhook only.

    Raises:
        TooMany: the team has sent too many tests in this minute.
    """
    actor.require(Permission.WEBHOOK_MANAGE, team_id=webhook.team_id)
    _limit_tests(webhook.team_id)
    now = timezone.now()
    alert = Alert.objects.create(
        team_id=webhook.team_id,
        event=Event.WEBHOOK_TEST,
        key=f"{Event.WEBHOOK_TEST}:{uuid.uuid4()}",
        subject_id=webhook.pk,
        subject_label=webhook.name,
        message=f"A test of the webhook {webhook.name}, requested by {actor.label}.",
        dispatched_at=now,
    )
    delivery = Delivery.objects.create(
        team_id=webhook.team_id, alert=alert, webhook=webhook
    )
    wake(Task.DISPATCH_ALERTS)
    record(actor, EventTag.WEBHOOK_TESTED, webhook)
    return delivery


@transaction.atomic
def send_again(*, actor: Actor, delivery: Delivery) -> Delivery:
    """Retry a delivery that was given up."""
    actor.require(Permission.WEBHOOK_MANAGE, team_id=delivery.team_id)
    webhook = delivery.webhook
    if webhook is not None and webhook.disabled_at is not None:
        raise Conflict("webhook_disabled", "Enable the webhook first.")
    changed = (
        Delivery.objects.for_team(delivery.team_id)
        .filter(pk=delivery.pk, state=DeliveryState.FAILED)
        .update(
            state=DeliveryState.PENDING,
            attempts=0,
            due_at=timezone.now(),
            finished_at=None,
        )
    )
    if not changed:
        raise Conflict("not_failed", "This delivery succeeded or is still pending.")
    wake(Task.DISPATCH_ALERTS)
    return delivery


@transaction.atomic
def subscribe(
    *, actor: Actor, membership: Membership, events: Sequence[str]
) -> Subscription:
    """Set the events that a member gets by mail; an empty list means none.

    Members choose for themselves; those who manage members also choose for others.
    """
    if not actor.is_user(membership.user_id) or actor.team_id != membership.team_id:
        actor.require(Permission.MEMBER_MANAGE, team_id=membership.team_id)
    subscription, _ = Subscription.objects.update_or_create(
        team_id=membership.team_id,
        membership=membership,
        defaults={"events": _checked(events, MAILABLE)},
    )
    record(
        actor,
        EventTag.SUBSCRIPTION_CHANGED,
        membership.user,
        membership.team_id,
        events=subscription.events,
    )
    return subscription


@transaction.atomic
def acknowledge_alerts(
    *, actor: Actor, team: Team, alert_ids: Collection[uuid.UUID]
) -> int:
    """Note that the actor has seen to these alerts; return how many.

    It counts for the whole team. What somebody else has acknowledged stays theirs.
    """
    actor.require(Permission.ALERT_ACKNOWLEDGE, team_id=team.pk)
    waiting = unacknowledged_alerts(team.pk).filter(pk__in=alert_ids)
    alerts = list(waiting.select_for_update(no_key=True))
    for alert in alerts:
        alert.acknowledged_at = timezone.now()
        alert.acknowledged_by = actor.label[:254]
        record(actor, EventTag.ALERT_ACKNOWLEDGED, alert)
    Alert.objects.bulk_update(alerts, ["acknowledged_at", "acknowledged_by"])
    return len(alerts)


def give_up_pending(webhook: Webhook) -> None:
    """Give up the pending deliveries of a disabled webhook."""
    Delivery.objects.for_team(webhook.team_id).filter(
        webhook=webhook, state=DeliveryState.PENDING
    ).update(
        state=DeliveryState.FAILED,
        finished_at=timezone.now(),
        detail="The webhook was disabled.",
    )


def delete_old_alerts() -> int:
    """Delete alerts older than 90 days with their deliveries; return how many."""
    before = timezone.now() - ALERTS_KEPT
    old = Alert.objects.filter(created_at__lt=before, dispatched_at__isnull=False)
    return old.delete()[0]


def _limit_tests(team_id: uuid.UUID) -> None:
    # Prevents flooding a URL with requests. The lock on the team's row serializes
    # concurrent calls.
    Team.objects.select_for_update(no_key=True).get(pk=team_id)
    tests = Alert.objects.for_team(team_id).filter(
        event=Event.WEBHOOK_TEST, created_at__gt=timezone.now() - timedelta(minutes=1)
    )
    if tests.count() >= TESTS_PER_MINUTE:
        raise TooMany(
            "too_many_tests",
            f"A team can send at most {TESTS_PER_MINUTE} tests per minute. Try again "
            "in a minute.",
            retry_after=60,
        )


def _checked(events: Sequence[str], choosable: Sequence[Event]) -> list[str]:
    for name in events:
        if name in choosable:
            continue
        if name in CHOOSABLE:
            raise Invalid({"events": [f"Only webhooks get {name!r}."]})
        raise Invalid({"events": [f"Unknown event: {name!r}."]})
    return sorted(set(events))


def _new_secret() -> Secret:
    # The format of Standard Webhooks: whsec_ and 24 to 64 bytes in base64.
    return Secret("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())


def _locked(webhook: Webhook) -> Webhook:
    return (
        Webhook.objects.for_team(webhook.team_id).select_for_update().get(pk=webhook.pk)
    )
