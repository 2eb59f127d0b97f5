"""Every kind of audited change.

Grammar: ``subject:action``, the action in the past tense. Tags are stored, so they
are never renamed; a changed meaning gets a new tag.
"""

from __future__ import annotations

from enum import StrEnum


class EventTag(StrEnum):
    TEAM_CREATED = "team:created"
    TEAM_CHANGED = "team:changed"
    INVITATION_SENT = "invitation:sent"
    INVITATION_RENEWED = "invitation:renewed"
    INVITATION_WITHDRAWN = "invitation:withdrawn"
    INVITATION_ACCEPTED = "invitation:accepted"
    MEMBER_ADDED = "member:added"
    MEMBER_ROLE_CHANGED = "member:role-changed"
    MEMBER_REMOVED = "member:removed"
    APPLICATION_CREATED = "application:created"
    APPLICATION_CHANGED = "application:changed"
    APPLICATION_DELETED = "application:deleted"
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
    LICENSE_ISSUED = "license:issued"
    LICENSE_CHANGED = "license:changed"
    LICENSE_REVOKED = "license:revoked"
    LICENSE_REINSTATED = "license:reinstated"
    LICENSE_FILE_DOWNLOADED = "license:file-downloaded"
    LICENSE_ID_REVEALED = "license:id-revealed"
    REGISTRY_CONNECTED = "registry:connected"
    REGISTRY_CHANGED = "registry:changed"
    REGISTRY_DELETED = "registry:deleted"
    REGISTRY_CREDENTIAL_REPLACED = "registry:credential-replaced"
