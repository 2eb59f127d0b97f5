"""What lists are filtered by: of each filter a value, or a common and a rare one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from bench.pages.values import NOTHING, Values

# By the filter, then in words.
FilterValues = Mapping[str, Mapping[str, str]]


def _day(days_ago: int) -> str:
    return f"{datetime.now(tz=UTC) - timedelta(days=days_ago):%Y-%m-%d}"


def _instant(days_ago: int) -> str:
    return f"{datetime.now(tz=UTC) - timedelta(days=days_ago):%Y-%m-%dT%H:%M:%SZ}"


_CREATED: FilterValues = {
    "created_after": {"a month ago": _instant(30)},
    "created_before": {"a month ago": _instant(30)},
}
_DAYS: FilterValues = {
    "first_day": {"a week ago": _day(7)},
    "last_day": {"a year ago": _day(365)},
}
_ARCHIVED = {"current": "false", "archived": "true"}


def _customers(values: Values) -> FilterValues:
    return {
        **_CREATED,
        "search": values.searches,
        "archived": _ARCHIVED,
        "custom_id": {"one": values.customer.custom_id},
        "email": {"one": values.customer.email},
        "application": {"a common one": values.application_slug},
    }


def _licenses(values: Values) -> FilterValues:
    states = ("active", "expiring", "expired", "revoked")
    types = ("paid", "trial", "community")
    return {
        **_CREATED,
        "search": {**values.searches, "a field's value": values.order_number},
        "state": dict(zip(states, states, strict=True)),
        "type": dict(zip(types, types, strict=True)),
        "application": {"a common one": values.application_slug},
        "channel": {
            "a common one": str(values.license.channel_id),
            "a rare one": values.example.ids["channel_id"],
        },
        "first_expiry": {"next month": _day(-30)},
        "last_expiry": {"next month": _day(-30)},
        "expires_after": {"next month": _instant(-30)},
        "expires_before": {"next month": _instant(-30)},
        "archived": _ARCHIVED,
        "customer": {"one": str(values.customer.pk)},
    }


def _pulls(values: Values) -> FilterValues:
    return {
        **_DAYS,
        "search": {
            "a registry": values.registry.endpoint,
            "an image": values.image,
            "a private image": values.private_image,
            "nothing found": NOTHING,
        },
        "outcome": {
            "allowed": "allowed",
            "refused": "refused",
            "a common reason": "license_expired",
            "a rare reason": "network_not_allowed",
            "a reason that never was": "outside_patterns",
        },
        "application": {"a common one": values.application_slug},
        "registry": {
            "a common one": "quay",
            "an unused one": "gitlab",
            "private": "private-registry",
        },
        "license": {
            "one": str(values.license.pk),
            "the busiest": str(values.busiest_license.pk),
        },
        "customer": {
            "one": str(values.customer.pk),
            "a whole name": values.customer.name,
            "a common word": "Acme",
            "nothing found": NOTHING,
        },
        "credential": {
            "one": str(values.credential.pk),
            "one of the busiest license": values.example.ids["credential_id"],
        },
    }


def _private_images(values: Values) -> FilterValues:
    return {
        "search": {"part of a name": "api", "nothing found": NOTHING},
        "application": {"one": values.application_slug},
    }


def _alerts(values: Values) -> FilterValues:
    return {
        **_CREATED,
        **_DAYS,
        "event": {
            "a common one": "license.expired",
            "a rare one": "registry.rejected",
            "one that never was": "webhook.disabled",
        },
        "subject": {"a common word": "Acme", "one": values.customer.name},
        "subject_id": {"one": str(values.license.pk)},
        "acknowledged": {"unread": "false", "read": "true"},
    }


def _applications(_values: Values) -> FilterValues:
    return {**_CREATED, "archived": {"archived": "true"}}


def _deliveries(_values: Values) -> FilterValues:
    return {**_CREATED, "state": {"failed": "failed"}}


def _audit(values: Values) -> FilterValues:
    return {
        **_CREATED,
        **_DAYS,
        "tag": {
            "a common one": "license:issued",
            "a rare one": "team:created",
            "one that never was": "member:removed",
        },
        "actor": {"a common one": "maya@", "a rare one": "jonas.", "nobody": NOTHING},
        "actor_id": {"a member": str(values.owner.pk)},
        "subject": {
            "a common word": "Acme",
            "one": values.customer.name,
            "nothing found": NOTHING,
        },
        "subject_id": {"one": str(values.license.pk)},
    }


def _api_tokens(values: Values) -> FilterValues:
    return {
        **_CREATED,
        "kind": {"team": "team"},
        "name": {"part of a name": "laptop"},
        "state": {"active": "active", "stopped": "stopped"},
        "service_account": {"one": values.example.ids["service_account_id"]},
        "created_by": {"a member": str(values.owner.pk)},
    }


def _own_pulls(values: Values) -> FilterValues:
    return {
        "day": {"a week ago": _day(7)},
        "outcome": {"allowed": "allowed", "refused": "refused"},
        "application": {"one": values.busiest_license.application.slug},
        "credential": {"the license ID": "license-id"},
    }


# By the list's route.
FILTER_VALUES: Mapping[str, Callable[[Values], FilterValues]] = {
    "customers": _customers,
    "licenses": _licenses,
    "pulls": _pulls,
    "applications": _applications,
    "private-registry": _private_images,
    "alerts": _alerts,
    "alerts-webhook-detail": _deliveries,
    "audit": _audit,
    "api-tokens": _api_tokens,
    "customer:pulls": _own_pulls,
}
