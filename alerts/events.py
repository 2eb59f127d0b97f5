"""The events that a team is notified of: alerts for people, and events for programs.

Grammar: ``subject.what_happened``. Names are stable: programs receive them.
docs/reference/events.md has an example of each.
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
    PULL_CREDENTIAL_EXPIRING = "pull_credential.expiring"
    PULL_CREDENTIAL_UNUSED = "pull_credential.unused"
    PULL_CREDENTIAL_NEW_NETWORK = "pull_credential.new_network"
    LICENSE_ISSUED = "license.issued"
    LICENSE_CHANGED = "license.changed"
    LICENSE_REINSTATED = "license.reinstated"
    CUSTOMER_CREATED = "customer.created"
    CUSTOMER_CHANGED = "customer.changed"
    CUSTOMER_ARCHIVED = "customer.archived"
    CUSTOMER_RESTORED = "customer.restored"
    PULL_CREDENTIAL_CREATED = "pull_credential.created"
    PULL_CREDENTIAL_ROTATED = "pull_credential.rotated"
    PULL_CREDENTIAL_REVOKED = "pull_credential.revoked"
    TRUSTED_IDENTITY_ADDED = "trusted_identity.added"
    TRUSTED_IDENTITY_REMOVED = "trusted_identity.removed"
    PULL_REFUSED = "pull.refused"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_TEST = "webhook.test"

    @property
    def is_for_programs(self) -> bool:
        """Return whether only webhooks get it: no mail, and not listed for people."""
        return self in _FOR_PROGRAMS


# Changes that somebody has just made, and what may happen thousands of times a day.
_FOR_PROGRAMS = frozenset(
    {
        Event.LICENSE_ISSUED,
        Event.LICENSE_CHANGED,
        Event.LICENSE_REINSTATED,
        Event.CUSTOMER_CREATED,
        Event.CUSTOMER_CHANGED,
        Event.CUSTOMER_ARCHIVED,
        Event.CUSTOMER_RESTORED,
        Event.PULL_CREDENTIAL_CREATED,
        Event.PULL_CREDENTIAL_ROTATED,
        Event.PULL_CREDENTIAL_REVOKED,
        Event.TRUSTED_IDENTITY_ADDED,
        Event.TRUSTED_IDENTITY_REMOVED,
        Event.PULL_REFUSED,
    }
)
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
    Event.PULL_CREDENTIAL_EXPIRING: "A pull credential expires in 7 days",
    Event.PULL_CREDENTIAL_UNUSED: "A pull credential was not used for 90 days",
    Event.PULL_CREDENTIAL_NEW_NETWORK: "A pull credential was used from a new network",
    Event.LICENSE_ISSUED: "A license was issued",
    Event.LICENSE_CHANGED: "A license was changed",
    Event.LICENSE_REINSTATED: "A license was reinstated",
    Event.CUSTOMER_CREATED: "A customer was added",
    Event.CUSTOMER_CHANGED: "A customer was changed",
    Event.CUSTOMER_ARCHIVED: "A customer was archived",
    Event.CUSTOMER_RESTORED: "A customer was restored",
    Event.PULL_CREDENTIAL_CREATED: "A pull credential was created",
    Event.PULL_CREDENTIAL_ROTATED: "A pull credential was rotated",
    Event.PULL_CREDENTIAL_REVOKED: "A pull credential was revoked",
    Event.TRUSTED_IDENTITY_ADDED: "A trusted identity was added",
    Event.TRUSTED_IDENTITY_REMOVED: "A trusted identity was removed",
    Event.PULL_REFUSED: "A license's pull was refused, the first time in an hour",
    Event.WEBHOOK_DISABLED: "A webhook was disabled because it kept failing",
    Event.WEBHOOK_TEST: "Test alert",
}
# Events that webhooks subscribe to; the others have fixed recipients.
CHOOSABLE = [
    event
    for event in Event
    if event not in {Event.WEBHOOK_TEST, Event.WEBHOOK_DISABLED}
]
# Of these, the ones that people get by mail.
MAILABLE = [event for event in CHOOSABLE if not event.is_for_programs]
# What the list of alerts contains.
LISTED = [event for event in Event if not event.is_for_programs]
