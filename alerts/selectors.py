from __future__ import annotations

import uuid

from django.db.models import Q, QuerySet

from alerts.events import CHOOSABLE, Event
from alerts.models import Alert, Delivery, Webhook
from teams.models import Membership
from teams.permissions import Role
from teams.selectors import members_of_team

# Members without a subscription get all alerts by mail in these roles, none in others.
SUBSCRIBED_ROLES = (Role.OWNER, Role.ADMIN)


def webhooks_for_team(team_id: uuid.UUID) -> QuerySet[Webhook]:
    return Webhook.objects.for_team(team_id).order_by("-created_at", "-id")


def deliveries_of_webhook(webhook: Webhook) -> QuerySet[Delivery]:
    """Return a webhook's deliveries with their alerts, the newest first."""
    return (
        Delivery.objects.for_team(webhook.team_id)
        .filter(webhook=webhook)
        .select_related("alert")
        .order_by("-created_at", "-id")
    )


def alerts_for_team(team_id: uuid.UUID) -> QuerySet[Alert]:
    return Alert.objects.for_team(team_id).order_by("-created_at", "-id")


def alerts_without_tests(team_id: uuid.UUID) -> QuerySet[Alert]:
    """Return the team's alerts without webhook tests."""
    return alerts_for_team(team_id).exclude(event=Event.WEBHOOK_TEST)


def members_with_subscriptions(team_id: uuid.UUID) -> QuerySet[Membership]:
    """Return members with their ``alert_subscription``, if any."""
    return members_of_team(team_id).select_related("alert_subscription")


def members_to_mail(alert: Alert) -> QuerySet[Membership]:
    """Return the members who get an alert by mail."""
    members = Membership.objects.for_team(alert.team_id).filter(user__is_active=True)
    if alert.event == Event.WEBHOOK_DISABLED:
        return members.filter(role=Role.OWNER)
    subscribed = Q(alert_subscription__events__contains=[alert.event])
    by_default = Q(alert_subscription__isnull=True, role__in=SUBSCRIBED_ROLES)
    return members.filter(subscribed | by_default)


def has_chosen(membership: Membership) -> bool:
    """Return whether a member has chosen which alerts they get by mail."""
    return hasattr(membership, "alert_subscription")


def events_mailed_to(membership: Membership) -> list[str]:
    """Return the events that a member currently gets by mail."""
    if has_chosen(membership):
        return sorted(membership.alert_subscription.events)
    return sorted(CHOOSABLE) if membership.role in SUBSCRIBED_ROLES else []
