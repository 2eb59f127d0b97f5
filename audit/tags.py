"""Every kind of audited change.

Grammar: ``subject:action``, the action in the past tense. Tags are stored, so they
are never renamed; a changed meaning gets a new tag.
"""

from __future__ import annotations

from enum import StrEnum


class EventTag(StrEnum):
    TEAM_CREATED = "team:created"
    TEAM_CHANGED = "team:changed"
    TEAM_EXPORTED = "team:exported"
    INVITATION_SENT = "invitation:sent"
    INVITATION_RENEWED = "invitation:renewed"
    INVITATION_WITHDRAWN = "invitation:withdrawn"
    INVITATION_ACCEPTED = "invitation:accepted"
    MEMBER_ADDED = "member:added"
    MEMBER_ROLE_CHANGED = "member:role-changed"
    MEMBER_REMOVED = "member:removed"
    ACCOUNT_PASSWORD_CHANGED = "account:password-changed"  # noqa: S105 -- a tag
    ACCOUNT_PASSWORD_RESET = "account:password-reset"  # noqa: S105 -- a tag
    ACCOUNT_CLAIMED = "account:claimed"
    ACCOUNT_EMAIL_CHANGED = "account:email-changed"
    ACCOUNT_SECOND_FACTOR_ADDED = "account:second-factor-added"
    ACCOUNT_SECOND_FACTOR_REMOVED = "account:second-factor-removed"
    ACCOUNT_RECOVERY_CODES_GENERATED = "account:recovery-codes-generated"
    ACCOUNT_SINGLE_SIGN_ON_CONNECTED = "account:single-sign-on-connected"
    ACCOUNT_SINGLE_SIGN_ON_DISCONNECTED = "account:single-sign-on-disconnected"
    ACCOUNT_SESSION_ENDED = "account:session-ended"
    APPLICATION_CREATED = "application:created"
    APPLICATION_CHANGED = "application:changed"
    APPLICATION_IMAGES_LISTED = "application:images-listed"
    APPLICATION_DELETED = "application:deleted"
    APPLICATION_ARCHIVED = "application:archived"
    APPLICATION_RESTORED = "application:restored"
    CHANNEL_CREATED = "channel:created"
    CHANNEL_CHANGED = "channel:changed"
    CHANNEL_DELETED = "channel:deleted"
    SERVICE_ACCOUNT_CREATED = "service-account:created"
    SERVICE_ACCOUNT_CHANGED = "service-account:changed"
    SERVICE_ACCOUNT_DELETED = "service-account:deleted"
    API_TOKEN_CREATED = "api-token:created"  # noqa: S105 -- a tag
    API_TOKEN_REVOKED = "api-token:revoked"  # noqa: S105 -- a tag
    LICENSE_FIELD_CREATED = "license-field:created"
    LICENSE_FIELD_CHANGED = "license-field:changed"
    LICENSE_FIELD_DELETED = "license-field:deleted"
    CUSTOMER_CREATED = "customer:created"
    CUSTOMER_CHANGED = "customer:changed"
    CUSTOMER_ARCHIVED = "customer:archived"
    CUSTOMER_RESTORED = "customer:restored"
    CUSTOMER_DELETED = "customer:deleted"
    CUSTOMER_VIEWED = "customer:viewed"
    CONTACT_ADDED = "contact:added"
    CONTACT_CHANGED = "contact:changed"
    CONTACT_REMOVED = "contact:removed"
    CONTACT_SIGNED_IN = "contact:signed-in"
    CUSTOMER_LINK_SENT = "customer-link:sent"
    CUSTOMER_LINK_WITHDRAWN = "customer-link:withdrawn"
    CUSTOMER_LINK_USED = "customer-link:used"
    LOOK_CHANGED = "look:changed"
    CONTACT_MAILS_CHOSEN = "contact-mails:chosen"
    CONTACT_UNSUBSCRIBED = "contact:unsubscribed"
    CONTACT_SUBSCRIBED = "contact:subscribed"
    LICENSE_ISSUED = "license:issued"
    LICENSE_CHANGED = "license:changed"
    LICENSE_REVOKED = "license:revoked"
    LICENSE_REINSTATED = "license:reinstated"
    LICENSE_ARCHIVED = "license:archived"
    LICENSE_RESTORED = "license:restored"
    LICENSE_DELETED = "license:deleted"
    LICENSE_FILE_DOWNLOADED = "license:file-downloaded"
    LICENSE_ID_REVEALED = "license:id-revealed"
    LICENSE_ID_REPLACED = "license:id-replaced"
    PULL_CREDENTIAL_CREATED = "pull-credential:created"
    PULL_CREDENTIAL_CHANGED = "pull-credential:changed"
    PULL_CREDENTIAL_ROTATED = "pull-credential:rotated"
    PULL_CREDENTIAL_REVOKED = "pull-credential:revoked"
    TRUSTED_IDENTITY_ADDED = "trusted-identity:added"
    TRUSTED_IDENTITY_CHANGED = "trusted-identity:changed"
    TRUSTED_IDENTITY_REMOVED = "trusted-identity:removed"
    SECRET_LEAKED = "secret:leaked"  # noqa: S105 -- a tag
    LICENSE_KEY_CREATED = "license-key:created"
    LICENSE_KEY_RE_SIGNED = "license-key:re-signed"
    REGISTRY_CONNECTED = "registry:connected"
    REGISTRY_CHANGED = "registry:changed"
    REGISTRY_DELETED = "registry:deleted"
    REGISTRY_CREDENTIAL_REPLACED = "registry:credential-replaced"
    IMAGE_PUSHED = "image:pushed"
    IMAGE_DELETED = "image:deleted"
    IMAGE_TAG_DELETED = "image:tag-deleted"
    IMAGE_REPOSITORY_DELETED = "image:repository-deleted"
    WEBHOOK_CREATED = "webhook:created"
    WEBHOOK_CHANGED = "webhook:changed"
    WEBHOOK_SECRET_REPLACED = "webhook:secret-replaced"  # noqa: S105 -- a tag
    WEBHOOK_ENABLED = "webhook:enabled"
    WEBHOOK_DISABLED = "webhook:disabled"
    WEBHOOK_TESTED = "webhook:tested"
    WEBHOOK_DELETED = "webhook:deleted"
    ALERT_ACKNOWLEDGED = "alert:acknowledged"
    SUBSCRIPTION_CHANGED = "subscription:changed"


_WORDS: dict[str, str] = {
    EventTag.TEAM_CREATED: "Team created",
    EventTag.TEAM_CHANGED: "Team settings changed",
    EventTag.TEAM_EXPORTED: "Team's data exported",
    EventTag.INVITATION_SENT: "Invitation sent",
    EventTag.INVITATION_RENEWED: "Invitation sent again",
    EventTag.INVITATION_WITHDRAWN: "Invitation withdrawn",
    EventTag.INVITATION_ACCEPTED: "Invitation accepted",
    EventTag.MEMBER_ADDED: "Member added",
    EventTag.MEMBER_ROLE_CHANGED: "Member's role changed",
    EventTag.MEMBER_REMOVED: "Member removed",
    EventTag.ACCOUNT_PASSWORD_CHANGED: "Own password changed",
    EventTag.ACCOUNT_PASSWORD_RESET: "Own password reset by mail",
    EventTag.ACCOUNT_CLAIMED: "Own account claimed by its address",
    EventTag.ACCOUNT_EMAIL_CHANGED: "Own e-mail address changed",
    EventTag.ACCOUNT_SECOND_FACTOR_ADDED: "Own second factor added",
    EventTag.ACCOUNT_SECOND_FACTOR_REMOVED: "Own second factor removed",
    EventTag.ACCOUNT_RECOVERY_CODES_GENERATED: "Own recovery codes generated",
    EventTag.ACCOUNT_SINGLE_SIGN_ON_CONNECTED: "Own single sign-on connected",
    EventTag.ACCOUNT_SINGLE_SIGN_ON_DISCONNECTED: "Own single sign-on disconnected",
    EventTag.ACCOUNT_SESSION_ENDED: "Own session ended",
    EventTag.APPLICATION_CREATED: "Application added",
    EventTag.APPLICATION_CHANGED: "Application changed",
    EventTag.APPLICATION_IMAGES_LISTED: "Images for customers listed",
    EventTag.APPLICATION_DELETED: "Application deleted",
    EventTag.APPLICATION_ARCHIVED: "Application archived",
    EventTag.APPLICATION_RESTORED: "Application restored",
    EventTag.CHANNEL_CREATED: "Channel added",
    EventTag.CHANNEL_CHANGED: "Channel changed",
    EventTag.CHANNEL_DELETED: "Channel deleted",
    EventTag.SERVICE_ACCOUNT_CREATED: "Service account added",
    EventTag.SERVICE_ACCOUNT_CHANGED: "Service account changed",
    EventTag.SERVICE_ACCOUNT_DELETED: "Service account deleted",
    EventTag.API_TOKEN_CREATED: "API token created",
    EventTag.API_TOKEN_REVOKED: "API token revoked",
    EventTag.LICENSE_FIELD_CREATED: "License field added",
    EventTag.LICENSE_FIELD_CHANGED: "License field changed",
    EventTag.LICENSE_FIELD_DELETED: "License field deleted",
    EventTag.CUSTOMER_CREATED: "Customer added",
    EventTag.CUSTOMER_CHANGED: "Customer changed",
    EventTag.CUSTOMER_ARCHIVED: "Customer archived",
    EventTag.CUSTOMER_RESTORED: "Customer restored",
    EventTag.CUSTOMER_DELETED: "Customer deleted",
    EventTag.CUSTOMER_VIEWED: "Customer's pages viewed",
    EventTag.CONTACT_ADDED: "Contact added",
    EventTag.CONTACT_CHANGED: "Contact changed",
    EventTag.CONTACT_REMOVED: "Contact removed",
    EventTag.CONTACT_SIGNED_IN: "Contact signed in",
    EventTag.CUSTOMER_LINK_SENT: "Link sent to contact",
    EventTag.CUSTOMER_LINK_WITHDRAWN: "Link to contact withdrawn",
    EventTag.CUSTOMER_LINK_USED: "Link to contact used",
    EventTag.LOOK_CHANGED: "Look for customers changed",
    EventTag.CONTACT_MAILS_CHOSEN: "E-mails to contacts chosen",
    EventTag.CONTACT_UNSUBSCRIBED: "Contact unsubscribed from e-mails",
    EventTag.CONTACT_SUBSCRIBED: "Contact subscribed to e-mails again",
    EventTag.LICENSE_ISSUED: "License issued",
    EventTag.LICENSE_CHANGED: "License changed",
    EventTag.LICENSE_REVOKED: "License revoked",
    EventTag.LICENSE_REINSTATED: "License reinstated",
    EventTag.LICENSE_ARCHIVED: "License archived",
    EventTag.LICENSE_RESTORED: "License restored",
    EventTag.LICENSE_DELETED: "License deleted",
    EventTag.LICENSE_FILE_DOWNLOADED: "License file downloaded",
    EventTag.LICENSE_ID_REVEALED: "License ID shown",
    EventTag.LICENSE_ID_REPLACED: "License ID replaced",
    EventTag.PULL_CREDENTIAL_CREATED: "Pull credential created",
    EventTag.PULL_CREDENTIAL_CHANGED: "Pull credential changed",
    EventTag.PULL_CREDENTIAL_ROTATED: "Pull credential rotated",
    EventTag.PULL_CREDENTIAL_REVOKED: "Pull credential revoked",
    EventTag.TRUSTED_IDENTITY_ADDED: "Trusted identity added",
    EventTag.TRUSTED_IDENTITY_CHANGED: "Trusted identity changed",
    EventTag.TRUSTED_IDENTITY_REMOVED: "Trusted identity removed",
    EventTag.SECRET_LEAKED: "Secret reported as leaked",
    EventTag.LICENSE_KEY_CREATED: "License file key created",
    EventTag.LICENSE_KEY_RE_SIGNED: "License file key signed by another root",
    EventTag.REGISTRY_CONNECTED: "External registry added",
    EventTag.REGISTRY_CHANGED: "External registry changed",
    EventTag.REGISTRY_DELETED: "External registry deleted",
    EventTag.REGISTRY_CREDENTIAL_REPLACED: "External registry's credential replaced",
    EventTag.IMAGE_PUSHED: "Image pushed",
    EventTag.IMAGE_DELETED: "Image deleted",
    EventTag.IMAGE_TAG_DELETED: "Image tag deleted",
    EventTag.IMAGE_REPOSITORY_DELETED: "Image repository deleted",
    EventTag.WEBHOOK_CREATED: "Webhook added",
    EventTag.WEBHOOK_CHANGED: "Webhook changed",
    EventTag.WEBHOOK_SECRET_REPLACED: "Webhook's secret replaced",
    EventTag.WEBHOOK_ENABLED: "Webhook enabled",
    EventTag.WEBHOOK_DISABLED: "Webhook disabled",
    EventTag.WEBHOOK_TESTED: "Webhook tested",
    EventTag.WEBHOOK_DELETED: "Webhook deleted",
    EventTag.ALERT_ACKNOWLEDGED: "Alert acknowledged",
    EventTag.SUBSCRIPTION_CHANGED: "Mail alerts changed",
}


def describe(tag: str) -> str:
    """Return the tag in plain words; a tag of a later version is returned unchanged."""
    return _WORDS.get(tag, tag)
