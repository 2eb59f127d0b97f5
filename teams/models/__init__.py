from __future__ import annotations

from teams.models.changes import Changing, notes_changes
from teams.models.idempotency import IdempotencyRecord
from teams.models.mails import StoredMail
from teams.models.sessions import Session, SessionKeyField, StoredKey, stored_key
from teams.models.teams import (
    LAST_USED_PRECISION,
    ROLES,
    ApiToken,
    ApiTokenQuerySet,
    Invitation,
    LowerCaseEmailField,
    Made,
    Membership,
    OwnedT_co,
    ServiceAccount,
    Team,
    TeamOwned,
    TeamOwnedQuerySet,
    User,
    UserManager,
    available_time_zones,
    validate_printable,
    validate_slug,
    validate_time_zone,
)

__all__ = [
    "LAST_USED_PRECISION",
    "ROLES",
    "ApiToken",
    "ApiTokenQuerySet",
    "Changing",
    "IdempotencyRecord",
    "Invitation",
    "LowerCaseEmailField",
    "Made",
    "Membership",
    "OwnedT_co",
    "ServiceAccount",
    "Session",
    "SessionKeyField",
    "StoredKey",
    "StoredMail",
    "Team",
    "TeamOwned",
    "TeamOwnedQuerySet",
    "User",
    "UserManager",
    "available_time_zones",
    "notes_changes",
    "stored_key",
    "validate_printable",
    "validate_slug",
    "validate_time_zone",
]
