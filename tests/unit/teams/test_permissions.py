from __future__ import annotations

import uuid

import pytest

from portal.errors import NotAllowed
from teams.actors import Actor, ActorKind, customer_actor
from teams.permissions import Permission, Role, may_assign, may_invite, permissions_of

LOWER = {"admin", "developer", "support", "sales", "read-only"}
READS = {
    "team:read",
    "application:read",
    "registry:read",
    "customer:read",
    "license:read",
    "service-account:read",
}
# Written out, so that a change of what a role may do is seen twice.
TABLE = {
    "owner": {permission.value for permission in Permission},
    "admin": {permission.value for permission in Permission} - {"team:export"},
    "developer": READS
    | {
        "application:manage",
        "registry:manage",
        "webhook:manage",
        "alert:acknowledge",
        "api-token:create",
        "pull:authorize",
        "image:pull",
        "image:push",
        "image:delete",
    },
    "support": READS
    | {
        "audit:read",
        "customer:manage",
        "contact:manage",
        "license:change",
        "license:revoke",
        "license:reveal",
        "credential:manage",
        "alert:acknowledge",
        "api-token:create",
        "pull:authorize",
    },
    "sales": READS
    | {
        "customer:manage",
        "contact:manage",
        "license:issue",
        "license:change",
        "license:reveal",
        "credential:manage",
        "alert:acknowledge",
        "api-token:create",
    },
    "read-only": READS,
}


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_permissions_of_a_role(role: str) -> None:
    assert permissions_of(role) == TABLE[role]


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_permissions_of_a_read_only_token(role: str) -> None:
    kept = permissions_of(role, read_only=True)

    assert kept == TABLE[role] & (READS | {"audit:read", "image:pull"})


ORDINARY = {"admin", "developer", "support", "sales", "read-only"}


@pytest.mark.parametrize(
    ("assigner", "roles"),
    [
        ("owner", ORDINARY | {"owner"}),
        ("admin", ORDINARY),
        ("developer", {"developer", "read-only"}),
        ("support", {"support", "read-only"}),
        ("sales", {"sales", "read-only"}),
        ("read-only", {"read-only"}),
    ],
)
def test_may_assign(assigner: str, roles: set[str]) -> None:
    assignable = {
        role.value for role in Role if may_assign(assigner=assigner, role=role)
    }

    assert assignable == roles


def test_actor_is_required_to_hold_the_permission_in_the_very_team() -> None:
    team_id = uuid.uuid4()
    actor = Actor(
        kind=ActorKind.USER,
        id=uuid.uuid4(),
        label="someone",
        team_id=team_id,
        role=Role.DEVELOPER,
        permissions=permissions_of("developer"),
    )

    actor.require(Permission.REGISTRY_MANAGE, team_id=team_id)
    with pytest.raises(NotAllowed, match="license:revoke"):
        actor.require(Permission.LICENSE_REVOKE, team_id=team_id)
    with pytest.raises(NotAllowed):
        actor.require(Permission.REGISTRY_MANAGE, team_id=uuid.uuid4())


def test_actor_of_a_customer_acts_on_nothing_but_what_is_the_customers() -> None:
    team_id, customer_id = uuid.uuid4(), uuid.uuid4()
    contact = customer_actor(
        kind=ActorKind.CONTACT,
        id=uuid.uuid4(),
        label="ops@customer.example",
        team_id=team_id,
        customer_id=customer_id,
    )
    manage = Permission.CREDENTIAL_MANAGE

    contact.require(manage, team_id=team_id, customer_id=customer_id)
    for where in (
        {"team_id": team_id},
        {"team_id": team_id, "customer_id": uuid.uuid4()},
        {"team_id": uuid.uuid4(), "customer_id": customer_id},
    ):
        with pytest.raises(NotAllowed):
            contact.require(manage, **where)
    for permission in set(Permission) - {manage}:
        with pytest.raises(NotAllowed):
            contact.require(permission, team_id=team_id, customer_id=customer_id)
    with pytest.raises(NotAllowed):
        contact.require_assignable("read-only")


def test_actor_of_a_license_acts_on_nothing_but_what_is_the_licenses() -> None:
    team_id, customer_id, license_id = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    holder = customer_actor(
        kind=ActorKind.LICENSE,
        id=license_id,
        label="Customer: app",
        team_id=team_id,
        customer_id=customer_id,
        license_id=license_id,
    )
    manage = Permission.CREDENTIAL_MANAGE
    own = {"team_id": team_id, "customer_id": customer_id}

    holder.require(manage, **own, license_id=license_id)
    for other in (None, uuid.uuid4()):
        with pytest.raises(NotAllowed):
            holder.require(manage, **own, license_id=other)


@pytest.mark.parametrize(
    ("inviter", "roles"),
    [
        ("owner", {"owner", *LOWER}),
        ("admin", LOWER),
        *((role, set()) for role in ("developer", "support", "sales", "read-only")),
    ],
)
def test_owners_and_admins_invite_to_what_they_may_assign(
    inviter: str, roles: set[str]
) -> None:
    invited = {
        role.value for role in Role if may_invite(inviter=inviter, role=role.value)
    }

    assert invited == roles
