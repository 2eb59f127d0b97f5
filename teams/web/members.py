"""Pages of members and invitations."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from portal.crypto.secrets import Secret
from portal.http.dialogs import confirm, render_dialog
from portal.http.display.times import in_words
from portal.http.forms import CreateForm, EditForm, edit, refusals_in
from portal.http.keyset import keyset_page
from portal.http.pages import go_to, render_page
from portal.http.values import parse_id
from teams.invitations import (
    invite,
    mailed_link,
    renew_invitation,
    withdraw_invitation,
)
from teams.locks import lock_members
from teams.mail import send_invitation
from teams.models import ApiToken, Invitation, Membership
from teams.permissions import Permission, Role
from teams.selectors import (
    accounts_opened_by_links_of,
    invitations_of_team,
    members_of_team,
    members_with_second_factor,
    secrets_known_to_member,
    tokens_left_by_member,
    usable_tokens_of_member,
)
from teams.services import (
    change_member_role,
    remove_member,
)
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.forms import RoleField, assignable_roles
from teams.web.once import once


class InviteForm(CreateForm):
    repeated = (
        "This invitation has already been sent, and its link was shown once. For a new "
        "link, renew the invitation."
    )
    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        help_text="Only this address can accept the invitation.",
    )
    role = RoleField()

    def __init__(self, *args: Any, assigner: Role, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].offer(assigner)  # type: ignore[attr-defined]  # a RoleField


class RenewForm(CreateForm):
    repeated = (
        "This invitation has already been renewed, and its link was shown once. For a "
        "new link, renew it again."
    )


class _AnyOf(forms.MultipleChoiceField):
    """Takes any choice: a token that is gone by now is no mistake of the user's."""

    def valid_value(self, value: str) -> bool:
        return True


class EndMembershipForm(forms.Form):
    """Asks which tokens that the member made stop with the membership.

    ``shown`` lists all that the page offered: a token made since stops too.
    """

    shown = forms.CharField(widget=forms.HiddenInput, required=False)
    revoke = _AnyOf(
        required=False,
        label="Revoke these API tokens that they created",
        widget=forms.CheckboxSelectMultiple,
        help_text="Their maker may have a copy. Clear a box only if the token must "
        "keep working, and replace it soon.",
    )

    def __init__(self, data: QueryDict | None, *, tokens: Iterable[ApiToken]) -> None:
        choices = [(str(token.pk), _describe(token)) for token in tokens]
        ids = [pk for pk, _ in choices]
        super().__init__(data, initial={"shown": ",".join(ids), "revoke": ids})
        self.fields["revoke"].choices = choices  # type: ignore[attr-defined]  # it has them
        if not choices:
            del self.fields["revoke"]

    @property
    def kept(self) -> set[uuid.UUID]:
        """Return the tokens that were shown and are not to be revoked."""
        return _kept(self.cleaned_data)


class RoleForm(EditForm):
    """Asks for a role, and which tokens that the member made stop if it is smaller.

    ``shown`` is as in :class:`EndMembershipForm`.
    """

    role = RoleField()
    shown = forms.CharField(widget=forms.HiddenInput, required=False)
    revoke = _AnyOf(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Revoke these API tokens that they created, if the new role may do less",
        help_text="Their maker may have a copy. Clear a box only if the token must "
        "keep working, and replace it soon.",
    )

    def __init__(
        self,
        *args: Any,
        assigner: Role,
        tokens: Iterable[ApiToken],
        is_own: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].offer(assigner)  # type: ignore[attr-defined]  # a RoleField
        choices = [(str(token.pk), _describe(token)) for token in tokens]
        ids = [pk for pk, _ in choices]
        self.fields["shown"].initial = ",".join(ids)
        revoke = self.fields["revoke"]
        revoke.choices, revoke.initial = choices, ids  # type: ignore[attr-defined]  # it has them
        if is_own:
            revoke.disabled = True
            revoke.help_text = "Only somebody else can keep what you created working."
        if not choices:
            del self.fields["revoke"]

    def differing(self) -> list[str]:
        """Return only the role: the tokens of a second submission are revoked."""
        return [name for name in super().differing() if name == "role"]


def _kept(entered: dict[str, Any]) -> set[uuid.UUID]:
    shown = entered["shown"].split(",")
    kept = set(shown) - set(entered.get("revoke", shown))
    return {pk for text in kept if (pk := parse_id(text))}


def _describe(token: ApiToken) -> str:
    account = token.service_account
    holder = f"service account {account.name}" if account else "team"
    used = f"last used {in_words(at)}" if (at := token.last_used_at) else "never used"
    return f"{token.name} ({holder}, {token.fixed_role}), {used}"


@require_safe
@team_page(Permission.TEAM_READ)
def members(request: TeamRequest) -> HttpResponse:
    """List the team's members and open invitations."""
    people = members_with_second_factor(request.team.pk)
    invited = invitations_of_team(request.team.pk)
    context = {
        "page": keyset_page(people, request.GET.get("page", "")),
        "invited": keyset_page(invited, request.GET.get("invited", "")),
        "assignable": [value for value, _ in assignable_roles(request.actor.role)],
    }
    return render_page(request, "teams/members.html", context)


@team_page(Permission.MEMBER_MANAGE)
def invite_member(request: TeamRequest) -> HttpResponse:
    """Invite a person by e-mail, and show the link once."""
    form = InviteForm(request.POST or None, assigner=request.actor.role)
    if form.is_valid():
        with refusals_in(request, form):
            with once(request, form) as submission:
                invitation, secret = invite(
                    actor=request.actor,
                    team=request.team,
                    email=form.cleaned_data["email"],
                    role=Role(form.cleaned_data["role"]),
                )
                submission.address = team_url(request, "members")
            return _invited(request, invitation, secret)
    return render_dialog(
        request,
        form=form,
        title="Invite member",
        submit="Send invitation",
        back=team_url(request, "members"),
    )


@team_page(Permission.MEMBER_MANAGE)
def renew(request: TeamRequest, invitation_id: uuid.UUID) -> HttpResponse:
    """Send an invitation again, with a new link that is valid for another week."""
    invitation: Invitation = find(invitations_of_team(request.team.pk), invitation_id)
    form = RenewForm(request.POST or None)
    if form.is_valid():
        with refusals_in(request, form):
            with once(request, form) as submission:
                secret = renew_invitation(actor=request.actor, invitation=invitation)
                submission.address = team_url(request, "members")
            renewed = find(invitations_of_team(request.team.pk), invitation_id)
            return _invited(request, renewed, secret)
    return render_dialog(
        request,
        form=form,
        title=f"Renew the invitation for {invitation.email}?",
        text="They receive an e-mail with a new link, valid for another week. Their "
        "current link stops working.",
        submit="Renew invitation",
        back=team_url(request, "members"),
    )


@team_page(Permission.MEMBER_MANAGE)
def withdraw(request: TeamRequest, invitation_id: uuid.UUID) -> HttpResponse:
    """Withdraw an invitation."""
    invitation: Invitation = find(invitations_of_team(request.team.pk), invitation_id)
    return confirm(
        request,
        lambda: withdraw_invitation(actor=request.actor, invitation=invitation),
        title=f"Withdraw the invitation for {invitation.email}?",
        text="Their link stops working. You can invite them again later.",
        submit="Withdraw",
        done=f"{invitation.email} is no longer invited.",
        back=team_url(request, "members"),
    )


@team_page(Permission.MEMBER_MANAGE)
def change_role(request: TeamRequest, member_id: uuid.UUID) -> HttpResponse:
    """Give a member another role."""
    member = _find_manageable(request, member_id)
    form, is_saved = _edit_role(request, member)
    if is_saved:
        role = form.cleaned_data["role"]
        messages.success(request, f"{member.user.email} now has the role {role}.")
        return go_to(request, team_url(request, "members"))
    return render_dialog(
        request,
        form=form,
        title=f"Change the role of {member.user.email}",
        details="teams/member_role.html",
        submit="Change role",
        back=team_url(request, "members"),
        sent=_sent_by(member),
    )


def _edit_role(request: TeamRequest, member: Membership) -> tuple[RoleForm, bool]:
    def save(row: Membership, changes: dict[str, Any]) -> object:
        return change_member_role(
            actor=request.actor,
            membership=row,
            role=Role(changes["role"]),
            kept=_kept(changes),
        )

    with transaction.atomic():
        if request.method == "POST":
            # Before the row, as services do, to avoid a deadlock.
            lock_members(request.team.pk)
        return edit(
            request,
            RoleForm,
            member,
            values=lambda row: {"role": row.role},
            save=save,
            assigner=request.actor.role,
            tokens=tokens_left_by_member(member),
            is_own=member.user_id == request.user.pk,
        )


@team_page(Permission.MEMBER_MANAGE)
def remove(request: TeamRequest, member_id: uuid.UUID) -> HttpResponse:
    """Remove a member from the team, after showing what that stops."""
    member = _find_manageable(request, member_id)
    if member.user_id == request.user.pk:
        return redirect("members-leave", team=request.team.slug)
    form = EndMembershipForm(
        request.POST if request.method == "POST" else None,
        tokens=tokens_left_by_member(member),
    )
    return _end_membership(
        request,
        member,
        kept=lambda: form.kept,
        form=form,
        title=f"Remove {member.user.email}?",
        details="teams/member_remove.html",
        submit="Remove",
        done=f"{member.user.email} is no longer in the team.",
    )


def _find_manageable(request: TeamRequest, member_id: uuid.UUID) -> Membership:
    member: Membership = find(members_of_team(request.team.pk), member_id)
    request.actor.require_assignable(member.role)
    return member


@team_page(Permission.TEAM_READ)
def leave(request: TeamRequest) -> HttpResponse:
    """Leave the team, after showing what that stops."""
    own = members_of_team(request.team.pk).get(user_id=request.user.pk)
    return _end_membership(
        request,
        own,
        kept=tuple,  # none
        left=[_describe(token) for token in tokens_left_by_member(own)],
        title=f"Leave {request.team.name}?",
        details="teams/member_leave.html",
        submit="Leave team",
        done=f"You have left {request.team.name}.",
        after=reverse("home"),
    )


def _end_membership(
    request: TeamRequest,
    member: Membership,
    *,
    kept: Callable[[], Collection[uuid.UUID]],
    **dialog: Any,
) -> HttpResponse:
    return confirm(
        request,
        lambda: remove_member(actor=request.actor, membership=member, kept=kept()),
        **dialog,
        back=team_url(request, "members"),
        stopping=usable_tokens_of_member(member).count(),
        sent=_sent_by(member),
        known=secrets_known_to_member(member),
        opened=accounts_opened_by_links_of(member),
    )


def _sent_by(member: Membership) -> int:
    sent = invitations_of_team(member.team_id).filter(invited_by_id=member.user_id)
    return sent.count()


def _invited(
    request: TeamRequest, invitation: Invitation, secret: Secret
) -> HttpResponse:
    """Mail a stored invitation, and show its link."""
    path = reverse("invitation", kwargs={"secret": secret.reveal()})
    link = request.build_absolute_uri(path)
    return render_dialog(
        request,
        "teams/invited.html",
        title=f"{invitation.email} is invited",
        invitation=invitation,
        link=link,
        is_mailed=send_invitation(invitation, link=mailed_link(link, secret)),
        back=team_url(request, "members"),
    )
