from __future__ import annotations

import uuid
from collections.abc import Mapping

from django.db.models import Q, QuerySet

from alerts.events import MAILABLE, Event
from alerts.models import Alert, Delivery, Webhook
from teams.models import Membership
from teams.permissions import Role
from teams.selectors import members_of_team

# Members without a subscription get all alerts by mail in these roles, none in others.
SUBSCRIBED_ROLES = (Role.OWNER, Role.ADMIN)


def webhooks_for_team(team_id: uuid.UUID) -> QuerySet[Webhook]:
    return Webhook.objects.for_team(team_id).order_by("-created_at", "-id")


def webhooks_to_post(team_id: uuid.UUID, event: str) -> QuerySet[Webhook]:
    """Return the team's enabled webhooks that get an event."""
    return Webhook.objects.for_team(team_id).filter(
        disabled_at__isnull=True, events__contains=[event]
    )


def keys_to_raise(event: Event, keys: Mapping[str, uuid.UUID]) -> set[str]:
    """Return under which keys, each of a team, an event for programs is to be raised.

    These are the keys of teams with a webhook for it, without those used already. For
    what happens by the thousand: two queries find the few that are new.
    """
    teams = set(
        Webhook.objects.filter(
            team_id__in=set(keys.values()),
            disabled_at__isnull=True,
            events__contains=[event],
        ).values_list("team_id", flat=True)
    )
    wanted = {alert_key(event, key): key for key in keys if keys[key] in teams}
    used = Alert.objects.filter(team_id__in=teams, key__in=list(wanted))
    for key in used.values_list("key", flat=True):
        wanted.pop(key, None)
    return set(wanted.values())


def alert_key(event: Event, key: str) -> str:
    """Return the key as an alert stores it."""
    return f"{event}:{key}"


def deliveries_of_webhook(webhook: Webhook) -> QuerySet[Delivery]:
    """Return a webhook's deliveries with their alerts, the newest first."""
    return (
        Delivery.objects.for_team(webhook.team_id)
        .filter(webhook=webhook)
        .select_related("alert")
        .order_by("-created_at", "-id")
    )


def alerts_for_team(team_id: uuid.UUID) -> QuerySet[Alert]:
    """Return the team's alerts for people, the newest first."""
    alerts = Alert.objects.for_team(team_id).filter(is_for_programs=False)
    return alerts.order_by("-created_at", "-id")


def alerts_without_tests(team_id: uuid.UUID) -> QuerySet[Alert]:
    """Return the team's alerts without webhook tests."""
    return alerts_for_team(team_id).exclude(event=Event.WEBHOOK_TEST)


def unacknowledged_alerts(team_id: uuid.UUID) -> QuerySet[Alert]:
    """Return the team's alerts for people that nobody has acknowledged."""
    return alerts_for_team(team_id).filter(acknowledged_at__isnull=True)


def count_unacknowledged(team_id: uuid.UUID, *, limit: int) -> int:
    """Count what nobody has acknowledged, without webhook tests, up to a limit."""
    alerts = unacknowledged_alerts(team_id).exclude(event=Event.WEBHOOK_TEST)
    return alerts[:limit].count()


def members_with_subscriptions(team_id: uuid.UUID) -> QuerySet[Membership]:
    """Return members with their ``alert_subscription``, if any."""
    return members_of_team(team_id).select_related("alert_subscription")


def members_to_mail(alert: Alert) -> QuerySet[Membership]:
    """Return the members who get an alert by mail."""
    members = Membership.objects.for_team(alert.team_id).filter(user__is_active=True)
    if alert.is_for_programs:
        return members.none()
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
    return sorted(MAILABLE) if membership.role in SUBSCRIBED_ROLES else []
