from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from portal.crypto.secrets import Secret
from portal.errors import Conflict, Invalid, NotAllowed
from teams.actors import Actor, member_actor
from teams.invitations import (
    accept_invitation,
    accept_with_new_account,
    invite,
    renew_invitation,
    withdraw_invitation,
)
from teams.models import Invitation, Membership, Team, User
from teams.permissions import Role
from teams.selectors import invitation_by_secret, invitations_of_team
from teams.services import change_member_role, remove_member
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    PASSWORD,
    InvitationFactory,
    MembershipFactory,
    UserFactory,
)

ADA = "ada@acme.example"


@pytest.fixture
def invitation(actor: Actor, team: Team) -> Invitation:
    return invite(actor=actor, team=team, email=ADA, role=Role.SUPPORT)[0]


def test_invite_stores_a_digest_and_no_secret(
    actor: Actor, team: Team, owner: Membership
) -> None:
    before = timezone.now()

    made, secret = invite(actor=actor, team=team, email=f" {ADA} ", role=Role.SALES)

    stored = Invitation.objects.filter(pk=made.pk).values().get()
    assert (stored["email"], stored["role"]) == (ADA, "sales")
    assert stored["invited_by_id"] == owner.user_id
    assert timedelta(0) <= stored["expires_at"] - before - timedelta(days=7)
    assert secret.reveal() not in str(stored)
    assert len(secret.reveal()) == 43
    assert invitation_by_secret(secret) == made
    assert invitation_by_secret(Secret("x" * 43)) is None


@pytest.mark.parametrize("email", ["owner@acme.example", "Owner@ACME.example"])
def test_invite_refuses_who_is_a_member(email: str, actor: Actor, team: Team) -> None:
    with pytest.raises(Invalid) as caught:
        invite(actor=actor, team=team, email=email, role=Role.SALES)

    assert list(caught.value.fields) == ["email"]
    assert not Invitation.objects.exists()


def test_invite_refuses_who_is_invited(
    invitation: Invitation, actor: Actor, team: Team
) -> None:
    with pytest.raises(Invalid) as caught:
        invite(actor=actor, team=team, email=ADA.upper(), role=Role.SALES)

    assert list(caught.value.fields) == ["email"]
    assert Invitation.objects.get().role == "support"


def test_invite_again_after_the_first_one_was_accepted_and_ended(
    invitation: Invitation, actor: Actor, team: Team
) -> None:
    accept_invitation(invitation=invitation, user=UserFactory(email=ADA)).delete()

    invite(actor=actor, team=team, email=ADA, role=Role.SALES)

    assert invitations_of_team(team.pk).get().role == "sales"


@pytest.mark.parametrize("email", ["", "ada", "a@b@c", "a\x00@acme.example"])
def test_invite_refuses_what_is_no_address(
    email: str, actor: Actor, team: Team
) -> None:
    with pytest.raises((ValidationError, Invalid)):
        invite(actor=actor, team=team, email=email, role=Role.SALES)
    assert not Invitation.objects.exists()


def test_who_may_not_give_a_role_neither_invites_renews_nor_withdraws(
    team: Team, owner: Membership
) -> None:
    admin = member_actor(MembershipFactory(team=team, role="admin"))
    theirs = InvitationFactory(team=team, role="owner")

    with pytest.raises(NotAllowed):
        invite(actor=admin, team=team, email=ADA, role=Role.OWNER)
    with pytest.raises(NotAllowed):
        renew_invitation(actor=admin, invitation=theirs)
    with pytest.raises(NotAllowed):
        withdraw_invitation(actor=admin, invitation=theirs)

    assert (
        Invitation.objects.values().get()
        == Invitation.objects.filter(pk=theirs.pk, digest=theirs.digest).values().get()
    )


@pytest.mark.parametrize("role", ["developer", "support", "sales", "read-only"])
def test_inviting_needs_the_permission(
    role: str, team: Team, invitation: Invitation
) -> None:
    actor = member_actor(MembershipFactory(team=team, role=role))

    for attempt in (
        lambda: invite(
            actor=actor, team=team, email="b@acme.example", role=Role.READ_ONLY
        ),
        lambda: renew_invitation(actor=actor, invitation=invitation),
        lambda: withdraw_invitation(actor=actor, invitation=invitation),
    ):
        with pytest.raises(NotAllowed):
            attempt()
    assert Invitation.objects.get().digest == invitation.digest


def test_outsider_changes_no_invitation(
    outsider: Membership, invitation: Invitation, team: Team
) -> None:
    actor = member_actor(outsider)

    with pytest.raises(NotAllowed):
        invite(actor=actor, team=team, email="b@acme.example", role=Role.SALES)
    with pytest.raises(NotAllowed):
        renew_invitation(actor=actor, invitation=invitation)
    with pytest.raises(NotAllowed):
        withdraw_invitation(actor=actor, invitation=invitation)
    assert Invitation.objects.get().digest == invitation.digest


def test_renew_gives_another_week_to_an_expired_one(
    actor: Actor, team: Team, invitation: Invitation
) -> None:
    Invitation.objects.update(expires_at=timezone.now() - timedelta(days=30))

    secret = renew_invitation(actor=actor, invitation=invitation)

    stored = invitation_by_secret(secret)
    assert stored is not None
    assert stored.is_open()
    assert stored.digest != invitation.digest
    assert audited(team)[1:] == [("invitation:renewed", ADA)]


def test_accept_makes_a_member_with_the_role(
    team: Team, invitation: Invitation
) -> None:
    user = UserFactory(email=ADA)

    membership = accept_invitation(invitation=invitation, user=user)

    assert (membership.team, membership.user, membership.role) == (
        team,
        user,
        "support",
    )
    assert not invitations_of_team(team.pk).exists()
    assert audited(team)[1:] == [("invitation:accepted", ADA)]


def test_accept_refuses_another_user(
    team: Team, invitation: Invitation, outsider: Membership
) -> None:
    with pytest.raises(NotAllowed) as caught:
        accept_invitation(invitation=invitation, user=outsider.user)

    assert caught.value.code == "not_your_invitation"
    assert not Membership.objects.filter(team=team, user=outsider.user).exists()


@pytest.mark.parametrize("end", ["accepted", "expired", "renewed", "withdrawn"])
def test_accept_refuses_an_invitation_that_has_ended(
    end: str, actor: Actor, team: Team, invitation: Invitation
) -> None:
    user = UserFactory(email=ADA)
    if end == "accepted":
        Invitation.objects.update(accepted_at=timezone.now())
    elif end == "expired":
        Invitation.objects.update(expires_at=timezone.now())
    elif end == "renewed":
        renew_invitation(actor=actor, invitation=invitation)
    else:
        withdraw_invitation(actor=actor, invitation=invitation)

    with pytest.raises(Conflict) as caught:
        accept_invitation(invitation=invitation, user=user)

    assert caught.value.code == "invitation_over"
    assert not Membership.objects.filter(user=user).exists()


@pytest.mark.parametrize("change", [renew_invitation, withdraw_invitation])
def test_accepted_invitation_is_neither_renewed_nor_withdrawn(
    change: object, actor: Actor, invitation: Invitation
) -> None:
    accept_invitation(invitation=invitation, user=UserFactory(email=ADA))
    assert callable(change)

    with pytest.raises(Conflict):
        change(actor=actor, invitation=invitation)
    assert Invitation.objects.get().accepted_at is not None


def test_accept_refuses_who_is_a_member_already(
    team: Team, invitation: Invitation
) -> None:
    member = MembershipFactory(team=team, user__email=ADA, role="sales")

    with pytest.raises(Conflict) as caught:
        accept_invitation(invitation=invitation, user=member.user)

    assert caught.value.code == "member_already"
    member.refresh_from_db()
    assert member.role == "sales"


def test_accept_with_new_account(invitation: Invitation) -> None:
    user = accept_with_new_account(
        invitation=invitation, name="Ada", password=Secret(PASSWORD)
    )

    assert (user.email, user.name, user.is_staff, user.is_superuser) == (
        ADA,
        "Ada",
        False,
        False,
    )
    assert user.check_password(PASSWORD)
    assert Membership.objects.get(user=user).role == "support"


def test_accept_with_new_account_refuses_where_there_is_one(
    invitation: Invitation,
) -> None:
    user = UserFactory(email=ADA.upper())

    with pytest.raises(Conflict) as caught:
        accept_with_new_account(
            invitation=invitation, name="Eve", password=Secret(PASSWORD)
        )

    assert caught.value.code == "account_exists"
    user.refresh_from_db()
    assert not user.check_password(PASSWORD)
    assert not Membership.objects.filter(user=user).exists()


@pytest.mark.parametrize("password", ["short", "password123", "314159265358"])
def test_accept_with_new_account_refuses_a_weak_password(
    password: str, invitation: Invitation
) -> None:
    with pytest.raises(ValidationError) as caught:
        accept_with_new_account(
            invitation=invitation, name="", password=Secret(password)
        )

    assert list(caught.value.message_dict) == ["password"]
    assert not User.objects.filter(email=ADA).exists()


def test_an_invalid_invitation_creates_no_account(
    actor: Actor, invitation: Invitation
) -> None:
    withdraw_invitation(actor=actor, invitation=invitation)

    with pytest.raises(Conflict):
        accept_with_new_account(
            invitation=invitation, name="", password=Secret(PASSWORD)
        )
    assert not User.objects.filter(email=ADA).exists()


def admin_and_invitation(team: Team, role: Role) -> tuple[Membership, Invitation]:
    admin = MembershipFactory(team=team, role="admin")
    sent, _ = invite(actor=member_actor(admin), team=team, email=ADA, role=role)
    return admin, sent


@pytest.mark.parametrize("is_expired", [False, True])
def test_removed_admins_invitations_are_withdrawn(
    is_expired: bool, actor: Actor, team: Team
) -> None:
    admin, _ = admin_and_invitation(team, Role.READ_ONLY)
    if is_expired:
        Invitation.objects.update(expires_at=timezone.now())
    kept, _ = invite(actor=actor, team=team, email="b@acme.example", role=Role.SALES)

    remove_member(actor=actor, membership=admin)

    assert list(invitations_of_team(team.pk)) == [kept]
    assert audited(team)[2:] == [
        ("member:removed", admin.user.email),
        ("invitation:withdrawn", ADA),
    ]


def test_what_a_removed_admin_invited_to_and_was_accepted_stays(
    actor: Actor, team: Team
) -> None:
    admin, sent = admin_and_invitation(team, Role.SALES)
    joined = accept_invitation(invitation=sent, user=UserFactory(email=ADA))

    remove_member(actor=actor, membership=admin)

    assert Membership.objects.filter(pk=joined.pk).exists()
    assert Invitation.objects.filter(pk=sent.pk).exists()


@pytest.mark.parametrize("role", ["developer", "support", "sales", "read-only"])
def test_demoted_admins_invitations_are_withdrawn(
    role: str, actor: Actor, team: Team
) -> None:
    admin, _ = admin_and_invitation(team, Role.READ_ONLY)

    change_member_role(actor=actor, membership=admin, role=Role(role))

    assert not invitations_of_team(team.pk).exists()
    assert audited(team)[-1] == ("invitation:withdrawn", ADA)


def test_owner_who_becomes_admin_keeps_the_invitations_an_admin_sends(
    actor: Actor, team: Team
) -> None:
    second = MembershipFactory(team=team, role="owner")
    sender = member_actor(second)
    invite(actor=sender, team=team, email="o@acme.example", role=Role.OWNER)
    kept, _ = invite(actor=sender, team=team, email=ADA, role=Role.ADMIN)

    change_member_role(actor=actor, membership=second, role=Role.ADMIN)

    assert list(invitations_of_team(team.pk)) == [kept]


@pytest.mark.parametrize("end", ["left", "demoted", "switched off"])
def test_accept_refuses_if_the_sender_may_invite_no_longer(
    end: str, team: Team
) -> None:
    admin, sent = admin_and_invitation(team, Role.ADMIN)
    user = UserFactory(email=ADA)
    # Past the services, as two changes at the same moment might.
    if end == "left":
        admin.delete()
    elif end == "demoted":
        Membership.objects.filter(pk=admin.pk).update(role="developer")
    else:
        User.objects.filter(pk=admin.user_id).update(is_active=False)

    with pytest.raises(Conflict) as caught:
        accept_invitation(invitation=sent, user=user)

    assert "Ask for a new one." in caught.value.message
    assert not Membership.objects.filter(user=user).exists()


def test_accept_takes_invitations_that_no_member_sent(team: Team) -> None:
    sent = InvitationFactory(team=team, email=ADA, invited_by=None)

    accept_invitation(invitation=sent, user=UserFactory(email=ADA))

    assert Membership.objects.filter(team=team, user__email=ADA).exists()


def test_who_renews_an_invitation_answers_for_it(
    actor: Actor, team: Team, owner: Membership
) -> None:
    admin, sent = admin_and_invitation(team, Role.SALES)

    renew_invitation(actor=actor, invitation=sent)
    remove_member(actor=actor, membership=admin)

    assert invitations_of_team(team.pk).get().invited_by == owner.user
