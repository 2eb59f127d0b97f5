"""Who may do what: one catalog of permissions, and the roles that hold them.

Grammar: ``subject:action``. A permission always applies within one team.
"""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    TEAM_READ = "team:read"
    TEAM_MANAGE = "team:manage"
    TEAM_EXPORT = "team:export"
    MEMBER_MANAGE = "member:manage"
    AUDIT_READ = "audit:read"
    APPLICATION_READ = "application:read"
    APPLICATION_MANAGE = "application:manage"
    REGISTRY_READ = "registry:read"
    REGISTRY_MANAGE = "registry:manage"
    CUSTOMER_READ = "customer:read"
    CUSTOMER_MANAGE = "customer:manage"
    CONTACT_MANAGE = "contact:manage"
    LICENSE_READ = "license:read"
    LICENSE_ISSUE = "license:issue"
    LICENSE_CHANGE = "license:change"
    LICENSE_REVOKE = "license:revoke"
    LICENSE_REVEAL = "license:reveal"
    CREDENTIAL_MANAGE = "credential:manage"
    SERVICE_ACCOUNT_READ = "service-account:read"
    SERVICE_ACCOUNT_MANAGE = "service-account:manage"
    API_TOKEN_CREATE = "api-token:create"  # noqa: S105 -- a permission
    API_TOKEN_MANAGE = "api-token:manage"  # noqa: S105 -- a permission
    WEBHOOK_MANAGE = "webhook:manage"
    ALERT_ACKNOWLEDGE = "alert:acknowledge"
    PULL_AUTHORIZE = "pull:authorize"
    IMAGE_PULL = "image:pull"
    IMAGE_PUSH = "image:push"
    IMAGE_DELETE = "image:delete"


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    SUPPORT = "support"
    SALES = "sales"
    READ_ONLY = "read-only"


P = Permission

_READ = frozenset(
    {
        P.TEAM_READ,
        P.APPLICATION_READ,
        P.REGISTRY_READ,
        P.CUSTOMER_READ,
        P.LICENSE_READ,
        P.SERVICE_ACCOUNT_READ,
    }
)

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: frozenset(Permission) - {P.TEAM_EXPORT},
    Role.DEVELOPER: _READ
    | {
        P.APPLICATION_MANAGE,
        P.REGISTRY_MANAGE,
        P.WEBHOOK_MANAGE,
        P.ALERT_ACKNOWLEDGE,
        P.API_TOKEN_CREATE,
        P.PULL_AUTHORIZE,
        P.IMAGE_PULL,
        P.IMAGE_PUSH,
        P.IMAGE_DELETE,
    },
    Role.SUPPORT: _READ
    | {
        P.AUDIT_READ,
        P.CUSTOMER_MANAGE,
        P.CONTACT_MANAGE,
        P.LICENSE_CHANGE,
        P.LICENSE_REVOKE,
        P.LICENSE_REVEAL,
        P.CREDENTIAL_MANAGE,
        P.ALERT_ACKNOWLEDGE,
        P.API_TOKEN_CREATE,
        P.PULL_AUTHORIZE,
    },
    Role.SALES: _READ
    | {
        P.CUSTOMER_MANAGE,
        P.CONTACT_MANAGE,
        P.LICENSE_ISSUE,
        P.LICENSE_CHANGE,
        P.LICENSE_REVEAL,
        P.CREDENTIAL_MANAGE,
        P.ALERT_ACKNOWLEDGE,
        P.API_TOKEN_CREATE,
    },
    Role.READ_ONLY: _READ,
}

# The permissions that a read-only token keeps of its holder's.
READ_ONLY_TOKEN = _READ | {P.AUDIT_READ, P.IMAGE_PULL}


def permissions_of(role: str, *, read_only: bool = False) -> frozenset[Permission]:
    """Return the permissions of a role, or of its read-only tokens."""
    permissions = PERMISSIONS[Role(role)]
    return permissions & READ_ONLY_TOKEN if read_only else permissions


def may_invite(*, inviter: str, role: str) -> bool:
    """Return whether a member with role ``inviter`` may invite people to ``role``."""
    manages_members = Permission.MEMBER_MANAGE in permissions_of(inviter)
    return manages_members and may_assign(assigner=inviter, role=role)


def may_assign(*, assigner: str, role: str) -> bool:
    """Return whether a member with role ``assigner`` may give or take ``role``.

    Only owners give and take the role owner. Nobody grants more than they have.
    """
    if Role(role) is Role.OWNER:
        return Role(assigner) is Role.OWNER
    return PERMISSIONS[Role(role)] <= PERMISSIONS[Role(assigner)]
