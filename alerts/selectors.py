from __future__ import annotations

import uuid

from django.db.models import QuerySet

from alerts.events import CHOOSABLE, Event
from alerts.models import Alert, Delivery, Webhook
from teams.models import Membership
from teams.permissions import Role
from teams.selectors import members_of_team

# Who has not chosen what they are told by mail is told everything in these roles, and
# nothing in others. What somebody chooses is for them alone.
TOLD_EVERYTHING = (Role.OWNER, Role.ADMIN)


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


def has_chosen(membership: Membership) -> bool:
    """Tell whether a member has chosen what they are told by mail."""
    return hasattr(membership, "alert_subscription")


def events_mailed_to(membership: Membership) -> list[str]:
    """Return what a member is told by mail at present."""
    if has_chosen(membership):
        return sorted(membership.alert_subscription.events)
    return sorted(CHOOSABLE) if membership.role in TOLD_EVERYTHING else []
