"""The events of alerts, sent by mail and webhook.

Grammar: ``subject.what_happened``. Names are stable: programs receive them.
"""

from __future__ import annotations

from enum import StrEnum


class Event(StrEnum):
    REGISTRY_REJECTED = "registry.rejected"
    REGISTRY_REPOSITORY_DENIED = "registry.repository_denied"
    REGISTRY_RATE_LIMITED = "registry.rate_limited"
    REGISTRY_UNREACHABLE = "registry.unreachable"
    REGISTRY_UPSTREAM_ERROR = "registry.upstream_error"
    REGISTRY_RECOVERED = "registry.recovered"
    LICENSE_EXPIRING = "license.expiring"
    LICENSE_EXPIRED = "license.expired"
    LICENSE_REVOKED = "license.revoked"
    SECRET_LEAKED = "secret.leaked"  # noqa: S105 -- an event
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_TEST = "webhook.test"


DESCRIPTIONS = {
    Event.REGISTRY_REJECTED: "A registry rejects its credential",
    Event.REGISTRY_REPOSITORY_DENIED: "No access to a registry's test image",
    Event.REGISTRY_RATE_LIMITED: "A registry limits the rate of requests",
    Event.REGISTRY_UNREACHABLE: "A registry cannot be reached",
    Event.REGISTRY_UPSTREAM_ERROR: "A registry returns unusable responses",
    Event.REGISTRY_RECOVERED: "A registry works again",
    Event.LICENSE_EXPIRING: "A license expires in 7 days or 1 day",
    Event.LICENSE_EXPIRED: "A license has expired",
    Event.LICENSE_REVOKED: "A license was revoked",
    Event.SECRET_LEAKED: "A secret was reported as leaked, and stopped",
    Event.WEBHOOK_DISABLED: "A webhook was disabled because it kept failing",
    Event.WEBHOOK_TEST: "Test alert",
}
# Events to subscribe to; the others have fixed recipients.
CHOOSABLE = [
    event
    for event in Event
    if event not in {Event.WEBHOOK_TEST, Event.WEBHOOK_DISABLED}
]
