"""API tokens of users, service accounts and teams."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from audit.services import record
from audit.tags import EventTag
from portal.crypto.fields import lookup_keyring
from portal.crypto.secrets import Secret
from portal.errors import Invalid, NotAllowed
from teams.actors import Actor, ActorKind, Origin
from teams.locks import lock_members
from teams.models import LAST_USED_PRECISION, ApiToken, ServiceAccount, Team, User
from teams.permissions import Permission, Role
from teams.selectors import actor_in_team, actor_of_api_token, api_token_by_id
from teams.tokens import PURPOSE, generate_api_token


@transaction.atomic
def create_api_token(
    *,
    actor: Actor,
    team: Team,
    name: str,
    kind: ApiToken.Kind,
    user: User | None = None,
    service_account: ServiceAccount | None = None,
    role: Role | None = None,
    read_only: bool = False,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, Secret]:
    """Create a token; return it with its text, which is not stored.

    Users create tokens for themselves. Tokens of service accounts and of the team
    need the permission to manage tokens, and never exceed the actor's role. A token
    created with another token does not outlive it.
    """
    actor.require(Permission.API_TOKEN_CREATE, team_id=team.pk)
    # Otherwise the removal of its maker might not see the new token.
    lock_members(team.pk)
    actor = _as_of_now(actor)
    actor.require(Permission.API_TOKEN_CREATE, team_id=team.pk)
    _require_token_holder(actor, kind, user, service_account, role)
    expires_at = _checked_expiry(actor, expires_at)
    new = generate_api_token(kind)
    api_token = ApiToken(
        team=team,
        kind=kind,
        name=name,
        user=user,
        service_account=service_account,
        role=role or "",
        read_only=read_only,
        expires_at=expires_at,
        created_by_id=actor.person_id,
        created_with_id=actor.api_token_id,
        key=new.key,
        digest=lookup_keyring().digest(new.text.reveal(), purpose=PURPOSE),
    )
    api_token.full_clean()
    api_token.save()
    record(actor, EventTag.API_TOKEN_CREATED, api_token, kind=kind, read_only=read_only)
    return api_token, new.text


def _require_token_holder(
    actor: Actor,
    kind: ApiToken.Kind,
    user: User | None,
    service_account: ServiceAccount | None,
    role: Role | None,
) -> None:
    if kind == ApiToken.Kind.USER:
        if user is None or actor.kind is not ActorKind.USER or actor.id != user.pk:
            raise NotAllowed(
                "not_your_token", "Users create their user tokens themselves."
            )
        return
    actor.require(Permission.API_TOKEN_MANAGE, team_id=actor.team_id)
    if kind == ApiToken.Kind.SERVICE_ACCOUNT:
        if service_account is None or service_account.team_id != actor.team_id:
            raise Invalid({"service_account": ["Choose a service account."]})
        actor.require_assignable(service_account.role)
    elif role is None:
        raise Invalid({"role": ["A team token needs a role."]})
    else:
        actor.require_assignable(role)


def _as_of_now(actor: Actor) -> Actor:
    """Return the actor with the role that they have now, while members are locked."""
    if actor.api_token_id is not None:
        api_token = api_token_by_id(actor.api_token_id)
        now = actor_of_api_token(api_token) if api_token else None
        if now is None:
            raise NotAllowed("api_token_unknown", "This API token has been revoked.")
    elif actor.kind is ActorKind.USER and actor.id is not None:
        now = actor_in_team(actor.id, actor.team_id)
        if now is None:
            raise NotAllowed("permission_denied", "You are no longer in this team.")
    else:
        return actor
    return now.at_origin(Origin(actor.address, actor.request_id))


def _checked_expiry(actor: Actor, expires_at: datetime | None) -> datetime | None:
    if expires_at is None:
        return actor.expires_at
    if expires_at <= timezone.now():
        raise Invalid({"expires_at": ["Choose an instant in the future."]})
    if actor.expires_at is not None and expires_at > actor.expires_at:
        latest = actor.expires_at.isoformat()
        raise Invalid({"expires_at": [f"The token you are using expires at {latest}."]})
    return expires_at


@transaction.atomic
def revoke_api_token(*, actor: Actor, api_token: ApiToken) -> ApiToken:
    """Stop a token, and those created with it, at once. Revoking again is a no-op.

    Users may revoke their own tokens; others need the permission to manage tokens.
    """
    own = actor.is_user(api_token.user_id)
    if not own or api_token.team_id != actor.team_id:
        actor.require(Permission.API_TOKEN_MANAGE, team_id=api_token.team_id)
    api_tokens = ApiToken.objects.for_team(api_token.team_id)
    stop_api_tokens(actor, api_tokens.filter(pk=api_token.pk))
    api_token.refresh_from_db(fields=["revoked_at"])
    return api_token


def stop_api_tokens(
    actor: Actor, api_tokens: QuerySet[ApiToken], kept: Collection[uuid.UUID] = ()
) -> list[ApiToken]:
    """Revoke tokens, and recursively those created with them, except ``kept``.

    Returns those that were not revoked before.
    """
    # The team first, as where a member is removed: the order of the recursion differs.
    lock_members(actor.team_id)
    now = timezone.now()
    all_stopped: list[ApiToken] = []
    while stopped := list(
        api_tokens.filter(revoked_at__isnull=True).select_for_update().order_by("pk")
    ):
        for api_token in stopped:
            api_token.revoked_at = now
            api_token.save(update_fields=["revoked_at"])
            record(actor, EventTag.API_TOKEN_REVOKED, api_token)
        all_stopped += stopped
        made = ApiToken.objects.filter(created_with__in=stopped)
        api_tokens = made.exclude(pk__in=kept)
    return all_stopped


def was_used_long_ago(last_used_at: datetime | None) -> bool:
    """Return whether the stored last use of a token is too old to be kept."""
    return last_used_at is None or last_used_at <= timezone.now() - LAST_USED_PRECISION


def touch_api_token(team_id: uuid.UUID, api_token_id: uuid.UUID) -> None:
    """Store that a token was used, at most once a minute.

    Deliberately imprecise: a token in heavy use must not become a hot row.
    """
    now = timezone.now()
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - LAST_USED_PRECISION)
    ApiToken.objects.for_team(team_id).filter(stale, pk=api_token_id).update(
        last_used_at=now
    )
