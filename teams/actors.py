"""Who acts in a team, and with which permissions."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from portal.errors import NotAllowed
from teams.permissions import Permission, Role, may_assign, permissions_of

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request

    from teams.models import ApiToken, Membership, Team


class ActorKind(StrEnum):
    USER = "user"
    SERVICE_ACCOUNT = "service_account"
    TEAM_TOKEN = "team_token"  # noqa: S105 -- a kind
    CONTACT = "contact"
    LICENSE = "license"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from."""

    address: str | None = None
    request_id: str = ""

    @classmethod
    def of(cls, request: HttpRequest | Request) -> Origin:
        return cls(
            address=request.META["BERTH_CLIENT_ADDRESS"],
            request_id=request.META["BERTH_REQUEST_ID"],
        )


NO_REQUEST = Origin()


@dataclass(frozen=True, slots=True)
class Actor:
    """Someone acting in exactly one team.

    ``person_id`` is the user who acts, or who made the token that acts. With
    ``customer_id`` or ``license_id``, the actor is on the customer's side and acts on
    what belongs to that customer or license only.
    """

    kind: ActorKind
    id: uuid.UUID | None
    label: str
    team_id: uuid.UUID
    role: Role
    permissions: frozenset[Permission]
    read_only: bool = False
    api_token_id: uuid.UUID | None = None
    person_id: uuid.UUID | None = None
    customer_id: uuid.UUID | None = None
    license_id: uuid.UUID | None = None
    expires_at: datetime | None = None
    address: str | None = None
    request_id: str = ""

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(
        self,
        permission: Permission,
        *,
        team_id: uuid.UUID,
        customer_id: uuid.UUID | None = None,
        license_id: uuid.UUID | None = None,
    ) -> None:
        """Check that the actor has the permission, and in this team.

        ``customer_id`` and ``license_id`` are those that the object belongs to. An
        actor on the customer's side has no permission for objects without them.

        Raises:
            NotAllowed: it does not.
        """
        is_within = (
            team_id == self.team_id
            and self.customer_id in {None, customer_id}
            and self.license_id in {None, license_id}
        )
        if not is_within or permission not in self.permissions:
            raise NotAllowed(
                "permission_denied",
                f"Your role does not include the permission {permission.value!r}. "
                "Ask an owner or admin of the team.",
            )

    def require_assignable(self, role: str) -> None:
        """Check that the actor may give and take this role, else raise NotAllowed."""
        is_of_customer = self.customer_id is not None or self.license_id is not None
        if is_of_customer or not may_assign(assigner=self.role, role=role):
            raise NotAllowed(
                "role_not_assignable",
                f"Your role cannot give or take the role {role!r}.",
            )

    def is_user(self, user_id: uuid.UUID | None) -> bool:
        """Return whether this is the user, and not through a read-only token."""
        return self.kind is ActorKind.USER and self.id == user_id and not self.read_only

    def at_origin(self, origin: Origin) -> Actor:
        """Return the same actor in one request."""
        return replace(self, address=origin.address, request_id=origin.request_id)


def member_actor(membership: Membership) -> Actor:
    """Return a member with all permissions of their role."""
    return Actor(
        kind=ActorKind.USER,
        id=membership.user_id,
        label=membership.user.email,
        team_id=membership.team_id,
        role=Role(membership.role),
        permissions=permissions_of(membership.role),
        person_id=membership.user_id,
    )


def api_token_actor(api_token: ApiToken, role: str) -> Actor:
    """Return the token's holder, whose current role is ``role``."""
    if api_token.user is not None:
        kind, holder_id = ActorKind.USER, api_token.user_id
        label = api_token.user.email
    elif api_token.service_account is not None:
        kind, holder_id = ActorKind.SERVICE_ACCOUNT, api_token.service_account_id
        label = api_token.service_account.name
    else:
        kind, holder_id, label = ActorKind.TEAM_TOKEN, api_token.pk, api_token.name
    return Actor(
        kind=kind,
        id=holder_id,
        label=label,
        team_id=api_token.team_id,
        role=Role(role),
        permissions=permissions_of(role, read_only=api_token.read_only),
        read_only=api_token.read_only,
        api_token_id=api_token.pk,
        person_id=api_token.user_id or api_token.created_by_id,
        expires_at=api_token.expires_at,
    )


def customer_actor(
    *,
    kind: ActorKind,
    id: uuid.UUID,
    label: str,
    team_id: uuid.UUID,
    customer_id: uuid.UUID,
    license_id: uuid.UUID | None = None,
) -> Actor:
    """Return someone on a customer's side, who manages the customer's credentials.

    With ``license_id`` only those of that license. The role in the team is nominal:
    no permission of it is given.
    """
    return Actor(
        kind=kind,
        id=id,
        label=label,
        team_id=team_id,
        role=Role.READ_ONLY,
        permissions=frozenset({Permission.CREDENTIAL_MANAGE}),
        customer_id=customer_id,
        license_id=license_id,
    )


def system_actor(team: Team, label: str = "Berth") -> Actor:
    """Return Berth itself, acting for operators and tasks."""
    return Actor(
        kind=ActorKind.SYSTEM,
        id=None,
        label=label,
        team_id=team.pk,
        role=Role.OWNER,
        permissions=permissions_of(Role.OWNER),
    )
