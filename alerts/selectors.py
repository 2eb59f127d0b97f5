from __future__ import annotations

import uuid

from django.db.models import QuerySet

from alerts.events import CHOOSABLE, Event
from alerts.models import Alert, Delivery, Subscription, Webhook
from teams.models import Membership
from teams.permissions import Role
from teams.selectors import members_of_team


def webhooks_for_team(team_id: uuid.UUID) -> QuerySet[Webhook]:
    return Webhook.objects.for_team(team_id).order_by("-created_at", "-id")


def deliveries_of_webhook(webhook: Webhook) -> QuerySet[Delivery]:
    """Return a webhook's log, the newest first, each with its alert."""
    return (
        Delivery.objects.for_team(webhook.team_id)
        .filter(webhook=webhook)
        .select_related("alert")
        .order_by("-created_at", "-id")
    )


def alerts_for_team(team_id: uuid.UUID) -> QuerySet[Alert]:
    return Alert.objects.for_team(team_id).order_by("-created_at", "-id")


def alerts_without_tests(team_id: uuid.UUID) -> QuerySet[Alert]:
    """Return what the team was told of, and not what somebody only tried out."""
    return alerts_for_team(team_id).exclude(event=Event.WEBHOOK_TEST)


def members_with_subscriptions(team_id: uuid.UUID) -> QuerySet[Membership]:
    """Return members, each with its ``alert_subscription`` if there is one."""
    return members_of_team(team_id).select_related("alert_subscription")


def has_chosen(team_id: uuid.UUID) -> bool:
    """Tell whether anybody of the team has chosen what they are told by mail."""
    return Subscription.objects.for_team(team_id).exists()


def events_mailed_to(membership: Membership, *, is_chosen: bool) -> list[str]:
    """Return what a member is told by mail at present.

    ``is_chosen`` is what ``has_chosen`` says of the team: until then its owners are
    told everything.
    """
    if not is_chosen and membership.role == Role.OWNER:
        return sorted(CHOOSABLE)
    subscription = getattr(membership, "alert_subscription", None)
    return sorted(subscription.events) if subscription else []
