"""Invitations to join a team: writes, each with its audit event."""

from __future__ import annotations

import secrets
import uuid
from datetime import timedelta
from urllib.parse import urlencode

from django.db import transaction
from django.utils import timezone

from audit.services import record
from audit.tags import EventTag
from portal.crypto.fields import lookup_keyring
from portal.crypto.secrets import Secret
from portal.errors import Conflict, NotAllowed, Taken
from teams.actors import NO_REQUEST, Actor, ActorKind, Origin, member_actor
from teams.locks import lock_members
from teams.models import Invitation, Membership, Team, User
from teams.permissions import Permission, Role
from teams.selectors import (
    INVITATION_PURPOSE,
    has_account,
    invitations_of_team,
    is_vouched_for,
    members_of_team,
)
from teams.services import set_strong_password

LIFETIME = timedelta(days=7)
MAILED_PURPOSE = "mailed-invitation"


def mailed_link(link: str, secret: Secret) -> str:
    """Return the link to mail, which proves to :func:`is_mailed` that it was mailed.

    The inviter sees only ``link``, and cannot derive this one from it.
    """
    proof = lookup_keyring().digest(secret.reveal(), purpose=MAILED_PURPOSE)
    return f"{link}?{urlencode({'mailed': proof})}"


def is_mailed(secret: Secret, proof: str) -> bool:
    """Return whether the parameter ``mailed`` of a link belongs to its secret."""
    return lookup_keyring().matches(proof, secret.reveal(), purpose=MAILED_PURPOSE)


@transaction.atomic
def invite(
    *, actor: Actor, team: Team, email: str, role: Role
) -> tuple[Invitation, Secret]:
    """Invite somebody to a role; return the invitation with its secret, not stored.

    Raises:
        Taken: the person is already a member, or already invited.
        ValidationError: the e-mail address is invalid.
    """
    actor.require(Permission.MEMBER_MANAGE, team_id=team.pk)
    actor.require_assignable(role)
    secret = _new_secret()
    invitation = Invitation(
        team=team,
        email=email.strip(),
        role=role,
        digest=_digest(secret),
        invited_by_id=actor.person_id,
        sent_with_id=_automation(actor),
        expires_at=timezone.now() + LIFETIME,
    )
    invitation.clean_fields()
    _require_uninvited(team, invitation.email)
    invitation.full_clean()
    invitation.save()
    record(actor, EventTag.INVITATION_SENT, invitation, role=role)
    return invitation, secret


def _require_uninvited(team: Team, email: str) -> None:
    member = members_of_team(team.pk).filter(user__email__iexact=email).first()
    if member is not None:
        message = "This person is already a member."
        raise Taken("already_member", {"email": [message]}, member.pk)
    invitation = invitations_of_team(team.pk).filter(email__iexact=email).first()
    if invitation is not None:
        message = "This person is already invited. Renew that invitation."
        raise Taken("already_invited", {"email": [message]}, invitation.pk)


@transaction.atomic
def renew_invitation(*, actor: Actor, invitation: Invitation) -> Secret:
    """Give an invitation another week and a new link; the old link stops working.

    The actor, who now knows the link, becomes the inviter.
    """
    actor.require(Permission.MEMBER_MANAGE, team_id=invitation.team_id)
    actor.require_assignable(invitation.role)
    invitation = _locked(invitation)
    secret = _new_secret()
    invitation.digest = _digest(secret)
    invitation.expires_at = timezone.now() + LIFETIME
    invitation.invited_by_id = actor.person_id
    invitation.sent_with_id = _automation(actor)
    invitation.save(update_fields=["digest", "expires_at", "invited_by", "sent_with"])
    record(actor, EventTag.INVITATION_RENEWED, invitation)
    return secret


@transaction.atomic
def withdraw_invitation(*, actor: Actor, invitation: Invitation) -> None:
    """Withdraw an invitation; its link stops working."""
    actor.require(Permission.MEMBER_MANAGE, team_id=invitation.team_id)
    actor.require_assignable(invitation.role)
    invitation = _locked(invitation)
    record(actor, EventTag.INVITATION_WITHDRAWN, invitation)
    invitation.delete()


@transaction.atomic
def accept_invitation(
    *, invitation: Invitation, user: User, origin: Origin = NO_REQUEST
) -> Membership:
    """Make a signed-in user a member, if the invitation was sent to them.

    Raises:
        NotAllowed: it was sent to another address, or the user's is not proven.
        Conflict: it is no longer valid, the inviter may no longer invite to this role,
            or the user is already a member.
    """
    if not invitation.is_for(user):
        raise NotAllowed(
            "not_your_invitation",
            f"This invitation is for {invitation.email}. Sign in with that address.",
        )
    if not user.is_address_proven:
        raise NotAllowed(
            "address_not_proven",
            f"Your account has never shown that {user.email} is yours. Choose a new "
            "password by e-mail, then follow the invitation again.",
        )
    return _join(invitation, user, origin)


def _join(invitation: Invitation, user: User, origin: Origin) -> Membership:
    presented = invitation.digest
    # Locked first, as when a member is removed: the inviter must not leave now.
    lock_members(invitation.team_id)
    invitation = _locked(invitation)
    # If the invitation was renewed since, the link that was followed is invalid.
    is_open = invitation.is_open() and invitation.digest == presented
    if not is_open or not is_vouched_for(invitation):
        raise Conflict(
            "invitation_over",
            "This invitation is no longer valid. Ask for a new one.",
        )
    if members_of_team(invitation.team_id).filter(user=user).exists():
        raise Conflict("member_already", "You are already a member of this team.")
    membership = Membership(team_id=invitation.team_id, user=user, role=invitation.role)
    membership.full_clean()
    membership.save()
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at"])
    actor = member_actor(membership).at_origin(origin)
    record(actor, EventTag.INVITATION_ACCEPTED, invitation, role=invitation.role)
    return membership


@transaction.atomic
def accept_with_new_account(
    *,
    invitation: Invitation,
    name: str,
    password: Secret,
    is_mailed: bool = False,
    origin: Origin = NO_REQUEST,
) -> User:
    """Create the invited person's account, and make them a member.

    Only the mailed link proves their address: the inviter saw the other one.

    Raises:
        Conflict: an account with this address exists; its owner must sign in.
        ValidationError: the password is too weak.
    """
    if has_account(invitation.email):
        raise Conflict(
            "account_exists", "You already have an account. Sign in to accept."
        )
    email = User.objects.normalize_email(invitation.email)
    user = User(email=email, name=name, is_address_proven=is_mailed)
    set_strong_password(user, password)
    user.full_clean()
    user.save()
    _join(invitation, user, origin)
    return user


def _automation(actor: Actor) -> uuid.UUID | None:
    """Return the token that sends, unless it acts as a member."""
    return None if actor.kind is ActorKind.USER else actor.api_token_id


def _new_secret() -> Secret:
    return Secret(secrets.token_urlsafe(32))


def _digest(secret: Secret) -> str:
    return lookup_keyring().digest(secret.reveal(), purpose=INVITATION_PURPOSE)


def _locked(invitation: Invitation) -> Invitation:
    locked = (
        Invitation.objects.for_team(invitation.team_id)
        .select_for_update(of=("self",))
        .filter(pk=invitation.pk, accepted_at__isnull=True)
        .first()
    )
    if locked is None:
        raise Conflict(
            "invitation_over", "This invitation has been accepted or withdrawn."
        )
    return locked
