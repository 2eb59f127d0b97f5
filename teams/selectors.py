from __future__ import annotations

import uuid

from django.apps import apps
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from portal.crypto.fields import lookup_keyring
from portal.crypto.secrets import Secret
from teams.actors import Actor, ActorKind, api_token_actor, member_actor
from teams.models import (
    ApiToken,
    Invitation,
    Made,
    Membership,
    ServiceAccount,
    User,
)
from teams.permissions import Permission, may_invite
from teams.second_factor import has_second_factor, second_factors
from teams.tokens import PURPOSE, api_token_key

INVITATION_PURPOSE = "invitation"
UNKNOWN_DIGEST = "none:" + "0" * 64


def members_of_team(team_id: uuid.UUID) -> QuerySet[Membership]:
    return (
        Membership.objects.for_team(team_id)
        .select_related("user")
        .order_by("-created_at", "-id")
    )


def members_with_second_factor(team_id: uuid.UUID) -> QuerySet[Membership]:
    """Return members with ``has_second_factor``."""
    factors = second_factors().filter(user_id=OuterRef("user_id"))
    return members_of_team(team_id).annotate(has_second_factor=Exists(factors))


def service_accounts_with_use(team_id: uuid.UUID) -> QuerySet[ServiceAccount]:
    """Return service accounts with ``usable_tokens`` and ``last_used_at``."""
    usable = ApiToken.objects.for_team(team_id).usable()
    return service_accounts_for_team(team_id).annotate(
        # Both are subqueries: next to a join, one would run for every token.
        usable_tokens=usable.count_per("service_account"),
        last_used_at=Subquery(
            ApiToken.objects.for_team(team_id)
            .filter(service_account=OuterRef("pk"), last_used_at__isnull=False)
            .order_by("-last_used_at")
            .values("last_used_at")[:1]
        ),
    )


def usable_tokens_made_with(api_token: ApiToken) -> list[ApiToken]:
    """Return the tokens that stop with this one, because it created them."""
    usable = ApiToken.objects.for_team(api_token.team_id).usable()
    descendants: list[ApiToken] = []
    created = [api_token]
    while created := list(usable.filter(created_with__in=created)):
        descendants += created
    return descendants


def usable_tokens_of_member(membership: Membership) -> QuerySet[ApiToken]:
    """Return the tokens that stop if this member leaves the team."""
    tokens = ApiToken.objects.for_team(membership.team_id).usable()
    return tokens.filter(user_id=membership.user_id)


def usable_tokens_of_user(user: User) -> QuerySet[ApiToken]:
    """Return the user tokens that a person has, in all their teams."""
    return ApiToken.objects.usable().filter(user=user).order_by("name", "id")


def usable_tokens_made_by_user(user: User) -> QuerySet[ApiToken]:
    """Return the tokens that a person made for their teams and service accounts."""
    teams = Membership.objects.filter(user=user).values("team")
    made = ApiToken.objects.usable().filter(created_by=user, user=None, team__in=teams)
    return made.select_related("team", "service_account").order_by("name", "id")


def tokens_left_by_member(membership: Membership) -> QuerySet[ApiToken]:
    """Return usable tokens that a member made for others than themselves.

    The member may have kept them, so they are revoked too, unless somebody decides
    otherwise.
    """
    tokens = ApiToken.objects.for_team(membership.team_id).usable()
    made = tokens.filter(created_by_id=membership.user_id, user=None)
    return made.select_related("service_account").order_by("name", "id")


def accounts_opened_by_links_of(membership: Membership) -> list[str]:
    """Return the team's unproven addresses that a member invited."""
    invited = Invitation.objects.for_team(membership.team_id).filter(
        invited_by_id=membership.user_id, accepted_at__isnull=False
    )
    addresses = {email.lower() for email in invited.values_list("email", flat=True)}
    unproven = members_of_team(membership.team_id).filter(
        user__is_address_proven=False, user__email__in=addresses
    )
    return sorted(unproven.values_list("user__email", flat=True))


def secrets_known_to_member(membership: Membership) -> list[str]:
    """Return what else has a secret that a member made, such as webhooks."""
    rows = [
        row
        for model in apps.get_models()
        if issubclass(model, Made)
        for row in model.objects.for_team(membership.team_id).filter(
            created_by_id=membership.user_id
        )
    ]
    return sorted(row.secret_label for row in rows if row.secret_label)


def service_accounts_for_team(team_id: uuid.UUID) -> QuerySet[ServiceAccount]:
    return (
        ServiceAccount.objects.for_team(team_id)
        .select_related("created_by")
        .order_by("-created_at", "-id")
    )


def api_tokens_for_team(team_id: uuid.UUID) -> QuerySet[ApiToken]:
    """Return tokens with ``maker_has_left``."""
    members = Membership.objects.for_team(team_id).filter(
        user_id=OuterRef("created_by_id")
    )
    return (
        ApiToken.objects.for_team(team_id)
        .select_related("user", "service_account", "created_by")
        .annotate(maker_has_left=Q(created_by__isnull=False) & ~Exists(members))
        .order_by("-created_at", "-id")
    )


def api_tokens_for_actor(actor: Actor) -> QuerySet[ApiToken]:
    """Return the actor's own tokens, or the team's if the actor may manage them."""
    tokens = api_tokens_for_team(actor.team_id)
    if actor.may(Permission.API_TOKEN_MANAGE):
        return tokens
    if actor.kind is not ActorKind.USER or actor.id is None:
        return tokens.none()
    return tokens.filter(user_id=actor.id)


def membership_in_team(user: User, team_slug: str | None) -> Membership | None:
    """Return the user's membership in the named team, or in their only team."""
    memberships = Membership.objects.filter(user=user).select_related("user", "team")
    if team_slug is not None:
        return memberships.filter(team__slug=team_slug).first()
    first_two = list(memberships[:2])
    return first_two[0] if len(first_two) == 1 else None


def memberships_of_user(user: User) -> QuerySet[Membership]:
    """Return the user's memberships with their teams, ordered by team name."""
    return (
        Membership.objects.filter(user=user)
        .select_related("user", "team")
        .order_by("team__name", "team_id")
    )


def invitations_of_team(team_id: uuid.UUID) -> QuerySet[Invitation]:
    """Return invitations that are not yet accepted, including expired ones."""
    return (
        Invitation.objects.for_team(team_id)
        .filter(accepted_at__isnull=True)
        .select_related("invited_by")
        .order_by("-created_at", "-id")
    )


def invitation_by_secret(presented: Secret) -> Invitation | None:
    """Return the invitation with this secret, open or not, else None."""
    digests = lookup_keyring().candidates(
        presented.reveal(), purpose=INVITATION_PURPOSE
    )
    return (
        Invitation.objects.filter(digest__in=digests)
        .select_related("team", "invited_by", "sent_with")
        .first()
    )


def open_invitations_for_email(email: str) -> QuerySet[Invitation]:
    """Return the invitations, of any team, that this address can still accept."""
    return (
        Invitation.objects.filter(
            email__iexact=email,
            accepted_at__isnull=True,
            expires_at__gt=timezone.now(),
        )
        .select_related("team")
        .order_by("created_at", "id")
    )


def is_vouched_for(invitation: Invitation) -> bool:
    """Return whether an invitation's sender may still invite to its role.

    Always true of invitations that Berth sent.
    """
    if invitation.sent_with is not None:
        sender = actor_of_api_token(invitation.sent_with)
        is_revoked = invitation.sent_with.revoked_at is not None
        return (
            sender is not None
            and not is_revoked
            and may_invite(inviter=sender.role, role=invitation.role)
        )
    if invitation.invited_by_id is None:
        return True
    inviter = (
        Membership.objects.for_team(invitation.team_id)
        .filter(user_id=invitation.invited_by_id, user__is_active=True)
        .first()
    )
    return inviter is not None and may_invite(
        inviter=inviter.role, role=invitation.role
    )


def user_by_email(email: str) -> User | None:
    """Return the account with this e-mail address, ignoring case, else None."""
    return User.objects.filter(email=email.lower()).first()


def any_user_exists() -> bool:
    """Return whether this installation has been set up."""
    return User.objects.exists()


def has_account(email: str) -> bool:
    """Return whether an account with this address exists."""
    return User.objects.filter(email__iexact=email).exists()


def lacks_second_factor(membership: Membership) -> bool:
    """Return whether the team requires a second factor that this member lacks."""
    return membership.team.require_second_factor and not has_second_factor(
        membership.user
    )


def may_sign_in_by_mail(user: User) -> bool:
    """Return whether reading the account's mail is enough to sign in.

    Not to the account of an operator, or of a member of any team.
    """
    is_operator = user.is_staff or user.is_superuser
    return not is_operator and not memberships_of_user(user).exists()


def actor_in_team(user_id: uuid.UUID, team_id: uuid.UUID) -> Actor | None:
    """Return an active member of a team as an actor, else None.

    Also None if the member lacks a second factor that the team requires.
    """
    membership = (
        members_of_team(team_id)
        .select_related("team")
        .filter(user_id=user_id, user__is_active=True)
        .first()
    )
    if membership is None or lacks_second_factor(membership):
        return None
    return member_actor(membership)


def api_token_by_secret(presented: Secret) -> ApiToken | None:
    """Return the usable token with this text, of any team, else None.

    An unknown key takes as long as a wrong secret.
    """
    key = api_token_key(presented.reveal())
    if key is None:
        return None
    api_token = _usable_tokens().filter(key=key).first()
    digest = api_token.digest if api_token else UNKNOWN_DIGEST
    if not lookup_keyring().matches(digest, presented.reveal(), purpose=PURPOSE):
        return None
    return api_token


def api_token_by_id(api_token_id: uuid.UUID) -> ApiToken | None:
    """Return a token that is still usable, else None."""
    return _usable_tokens().filter(pk=api_token_id).first()


def actor_of_api_token(api_token: ApiToken) -> Actor | None:
    """Return a token's holder with their current role.

    None if the user left the team, was deactivated, or lacks a second factor that the
    team requires.
    """
    if api_token.user is not None:
        membership = (
            Membership.objects.for_team(api_token.team_id)
            .select_related("team", "user")
            .filter(user=api_token.user, user__is_active=True)
            .first()
        )
        if membership is None or lacks_second_factor(membership):
            return None
        return api_token_actor(api_token, membership.role)
    if api_token.service_account is not None:
        return api_token_actor(api_token, api_token.service_account.role)
    return api_token_actor(api_token, api_token.role)


def _usable_tokens() -> QuerySet[ApiToken]:
    return ApiToken.objects.usable().select_related("team", "user", "service_account")
