from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.db.models import Q

from audit.services import record
from audit.tags import EventTag
from portal.crypto.secrets import Secret
from portal.database.uniqueness import save_valid
from portal.errors import Conflict, NotAllowed
from teams.actors import NO_REQUEST, Actor, Origin, member_actor, system_actor
from teams.api_tokens import stop_api_tokens
from teams.locks import lock_members
from teams.models import (
    ApiToken,
    Changing,
    Invitation,
    Membership,
    ServiceAccount,
    Team,
    User,
)
from teams.permissions import Permission, Role, may_assign, may_invite
from teams.selectors import (
    memberships_of_user,
    tokens_left_by_member,
)

SET_UP_LOCK = 0x6265727468  # any number that nothing else takes

ModelT = TypeVar("ModelT", bound=models.Model)


def apply_changes(instance: ModelT, changes: Mapping[str, object]) -> list[str]:
    """Validate and save the named attributes; return those that changed.

    Raises:
        ValidationError: values are invalid.
        Taken: another row has a value that must be unique.
    """
    changed = [name for name, new in changes.items() if getattr(instance, name) != new]
    for name in changed:
        setattr(instance, name, changes[name])
    if changed:
        save_valid(instance, update_fields=changed)
        if isinstance(instance, Changing):
            instance.refresh_from_db(fields=["updated_at"])
    return changed


@transaction.atomic
def create_team(
    *, name: str, slug: str, owner: User, origin: Origin = NO_REQUEST
) -> Team:
    """Create a team with its first owner."""
    team = Team(name=name, slug=slug)
    team.full_clean()
    team.save()
    actor = system_actor(team).at_origin(origin)
    record(actor, EventTag.TEAM_CREATED, team, team.pk)
    add_member(actor=actor, team=team, user=owner, role=Role.OWNER)
    return team


@transaction.atomic
def set_up(
    *,
    team_name: str,
    team_slug: str,
    email: str,
    password: Secret,
    origin: Origin = NO_REQUEST,
) -> User:
    """Create the first user, who owns the first team and operates the installation.

    Raises:
        Conflict: a user exists.
    """
    with connection.cursor() as cursor:
        # Two people who set up a new installation at once must not both own it.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SET_UP_LOCK])
    if User.objects.exists():
        raise Conflict(
            "set_up_already", "This installation is already set up. Sign in."
        )
    user = User(email=email, is_staff=True, is_superuser=True)
    set_strong_password(user, password)
    user.full_clean()
    user.save()
    create_team(name=team_name, slug=team_slug, owner=user, origin=origin)
    return user


def set_strong_password(user: User, password: Secret) -> None:
    """Set an unsaved user's password, or raise ValidationError if it is weak."""
    try:
        validate_password(password.reveal(), user)
    except ValidationError as error:
        raise ValidationError({"password": error.messages}) from error
    user.set_password(password.reveal())


@transaction.atomic
def change_team(*, actor: Actor, team: Team, changes: Mapping[str, object]) -> Team:
    """Change a team's name, time zone, or what its members and customers may do.

    Its slug, a part of URLs, is fixed.
    """
    actor.require(Permission.TEAM_MANAGE, team_id=team.pk)
    changed = apply_changes(team, changes)
    if changed:
        new = {name: changes[name] for name in changed}
        record(actor, EventTag.TEAM_CHANGED, team, team.pk, **new)
    return team


@transaction.atomic
def add_member(*, actor: Actor, team: Team, user: User, role: Role) -> Membership:
    """Make a user a member of the team."""
    actor.require(Permission.MEMBER_MANAGE, team_id=team.pk)
    actor.require_assignable(role)
    membership = Membership(team=team, user=user, role=role)
    membership.full_clean()
    membership.save()
    _record_member(actor, EventTag.MEMBER_ADDED, membership, role=role)
    return membership


@transaction.atomic
def change_member_role(
    *,
    actor: Actor,
    membership: Membership,
    role: Role,
    kept: Collection[uuid.UUID] = (),
) -> Membership:
    """Give a member another role; a team's last owner keeps theirs.

    Open invitations they sent to roles they may no longer give are withdrawn. Tokens
    they made for others that may do more than the new role are revoked, except
    ``kept``. Whoever changes their own role keeps none.
    """
    actor.require(Permission.MEMBER_MANAGE, team_id=membership.team_id)
    membership = _locked_membership(membership)
    actor.require_assignable(membership.role)
    actor.require_assignable(role)
    if membership.role == role:
        return membership
    if role is not Role.OWNER:
        _require_another_owner(membership)
    previous = membership.role
    apply_changes(membership, {"role": role.value})
    larger = [
        token
        for token in tokens_left_by_member(membership)
        if not may_assign(assigner=role, role=token.fixed_role)
    ]
    if actor.person_id == membership.user_id:
        kept = ()
    kept_names = [token.name for token in larger if token.pk in kept]
    data = {"kept_api_tokens": kept_names} if kept_names else {}
    _record_member(
        actor,
        EventTag.MEMBER_ROLE_CHANGED,
        membership,
        role=role,
        previous=previous,
        **data,
    )
    _stop_all_but(actor, larger, kept)
    _withdraw_sent(actor, membership, role)
    return membership


def _stop_all_but(
    actor: Actor, tokens: list[ApiToken], kept: Collection[uuid.UUID]
) -> None:
    kept_ids = {token.pk for token in tokens if token.pk in kept}
    stopped = {token.pk for token in tokens} - kept_ids
    api_tokens = ApiToken.objects.for_team(actor.team_id).filter(pk__in=stopped)
    stop_api_tokens(actor, api_tokens, kept_ids)


@transaction.atomic
def remove_member(
    *, actor: Actor, membership: Membership, kept: Collection[uuid.UUID] = ()
) -> None:
    """Remove a member from the team.

    At once stop their user tokens for it, the tokens they made for service accounts and
    the team, except ``kept``, and the open invitations they sent.

    Raises:
        NotAllowed: the actor may not remove the member, or not keep tokens. Members who
            leave keep none.
    """
    membership = _locked_membership(membership)
    leaves = actor.is_user(membership.user_id)
    if not leaves or membership.team_id != actor.team_id:
        actor.require(Permission.MEMBER_MANAGE, team_id=membership.team_id)
        actor.require_assignable(membership.role)
    if kept:
        _require_may_keep(actor, membership)
    _require_another_owner(membership)
    left = list(tokens_left_by_member(membership).filter(pk__in=kept))
    kept_ids = {token.pk for token in left}
    own = Q(user_id=membership.user_id) | Q(created_by_id=membership.user_id)
    api_tokens = ApiToken.objects.for_team(membership.team_id).filter(own)
    stopped = stop_api_tokens(actor, api_tokens.exclude(pk__in=kept_ids), kept_ids)
    _record_member(
        actor,
        EventTag.MEMBER_REMOVED,
        membership,
        role=membership.role,
        revoked=_named(stopped),
        kept=_named(left),
    )
    _withdraw_sent(actor, membership, None)
    membership.delete()


def _require_may_keep(actor: Actor, membership: Membership) -> None:
    # The person, because a token that the member made may act for them.
    if actor.person_id == membership.user_id:
        raise NotAllowed(
            "leaver_keeps_nothing",
            "If you leave, all API tokens that you created stop. Ask an owner or admin "
            "to remove you and to keep the tokens that the team needs.",
        )
    actor.require(Permission.API_TOKEN_MANAGE, team_id=membership.team_id)


def _named(api_tokens: Iterable[ApiToken]) -> list[dict[str, str]]:
    return [{"id": str(token.pk), "name": token.name} for token in api_tokens]


@transaction.atomic
def revoke_tokens_of_user(
    *, user: User, own: bool = True, made: bool = True, origin: Origin = NO_REQUEST
) -> None:
    """Revoke tokens in all teams of a person: their ``own``, and those they ``made``.

    The latter are of teams and service accounts. Tokens created with them stop too.
    """
    chosen = Q(pk__in=[])
    if own:
        chosen |= Q(user=user)
    if made:
        chosen |= Q(created_by=user, user=None)
    for membership in memberships_of_user(user):
        api_tokens = ApiToken.objects.for_team(membership.team_id).filter(chosen)
        stop_api_tokens(member_actor(membership).at_origin(origin), api_tokens)


def _withdraw_sent(actor: Actor, membership: Membership, role: Role | None) -> None:
    """Withdraw open invitations that ``role`` does not allow the member to send."""
    # Otherwise a removed member could return through an invitation of their own.
    sent = Invitation.objects.for_team(membership.team_id).filter(
        invited_by_id=membership.user_id, accepted_at__isnull=True
    )
    for invitation in sent.select_for_update(of=("self",)).order_by("pk"):
        if role is None or not may_invite(inviter=role, role=invitation.role):
            record(actor, EventTag.INVITATION_WITHDRAWN, invitation)
            invitation.delete()


def _locked_membership(membership: Membership) -> Membership:
    lock_members(membership.team_id)
    members = Membership.objects.for_team(membership.team_id).select_related("user")
    return members.get(pk=membership.pk)


def _require_another_owner(membership: Membership) -> None:
    if membership.role != Role.OWNER:
        return
    owners = Membership.objects.for_team(membership.team_id).filter(role=Role.OWNER)
    if owners.count() < 2:
        raise Conflict(
            "last_owner", "A team needs an owner. Make somebody else an owner first."
        )


def _record_member(
    actor: Actor, tag: EventTag, membership: Membership, **data: object
) -> None:
    record(actor, tag, membership.user, membership.team_id, **data)


@transaction.atomic
def create_service_account(
    *, actor: Actor, team: Team, name: str, role: Role
) -> ServiceAccount:
    """Create a service account, with no more permissions than the actor has."""
    actor.require(Permission.SERVICE_ACCOUNT_MANAGE, team_id=team.pk)
    actor.require_assignable(role)
    service_account = ServiceAccount(
        team=team, name=name, role=role, created_by_id=actor.person_id
    )
    save_valid(service_account)
    record(actor, EventTag.SERVICE_ACCOUNT_CREATED, service_account, role=role)
    return service_account


@transaction.atomic
def change_service_account(
    *, actor: Actor, service_account: ServiceAccount, changes: Mapping[str, object]
) -> ServiceAccount:
    """Change name or role; a role applies to existing tokens at once."""
    actor.require(Permission.SERVICE_ACCOUNT_MANAGE, team_id=service_account.team_id)
    actor.require_assignable(service_account.role)
    if "role" in changes:
        actor.require_assignable(str(changes["role"]))
    changed = apply_changes(service_account, changes)
    if changed:
        record(
            actor,
            EventTag.SERVICE_ACCOUNT_CHANGED,
            service_account,
            changed=changed,
            role=service_account.role,
        )
    return service_account


@transaction.atomic
def delete_service_account(*, actor: Actor, service_account: ServiceAccount) -> None:
    """Delete a service account with all its tokens, which stop at once.

    Open invitations that these tokens sent are withdrawn.
    """
    actor.require(Permission.SERVICE_ACCOUNT_MANAGE, team_id=service_account.team_id)
    actor.require_assignable(service_account.role)
    stop_api_tokens(actor, service_account.api_tokens.all())
    sent = Invitation.objects.for_team(service_account.team_id).filter(
        sent_with__service_account=service_account, accepted_at__isnull=True
    )
    for invitation in sent.select_for_update(of=("self",)).order_by("pk"):
        record(actor, EventTag.INVITATION_WITHDRAWN, invitation)
        invitation.delete()
    record(actor, EventTag.SERVICE_ACCOUNT_DELETED, service_account)
    service_account.delete()
