"""Pages of service accounts."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.http import HttpResponse
from django.views.decorators.http import require_safe

from portal.http.dialogs import confirm, edit_dialog, render_dialog
from portal.http.forms import CreateForm, EditForm, refusals_in
from portal.http.keyset import keyset_page
from portal.http.pages import render_page
from teams.models import ServiceAccount
from teams.permissions import Permission, Role
from teams.selectors import service_accounts_with_use
from teams.services import (
    change_service_account,
    create_service_account,
    delete_service_account,
)
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.forms import RoleField, assignable_roles
from teams.web.once import once


class _AccountFields(forms.Form):
    name = forms.CharField(max_length=150, help_text="What it is for, such as CI.")
    role = RoleField()

    def __init__(self, *args: Any, assigner: Role, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].offer(assigner)  # type: ignore[attr-defined]  # a RoleField


class NewAccountForm(_AccountFields, CreateForm):
    pass


class AccountForm(_AccountFields, EditForm):
    pass


@require_safe
@team_page(Permission.SERVICE_ACCOUNT_READ)
def service_accounts(request: TeamRequest) -> HttpResponse:
    """List the team's identities for automation."""
    accounts = service_accounts_with_use(request.team.pk)
    context = {
        "page": keyset_page(accounts, request.GET.get("page", "")),
        "assignable": [value for value, _ in assignable_roles(request.actor.role)],
    }
    return render_page(request, "teams/service_accounts.html", context)


@team_page(Permission.SERVICE_ACCOUNT_MANAGE)
def add_service_account(request: TeamRequest) -> HttpResponse:
    """Add a service account."""
    form = NewAccountForm(request.POST or None, assigner=request.actor.role)
    if form.is_valid():
        with refusals_in(request, form, _NAMES), once(request, form) as submission:
            account = create_service_account(
                actor=request.actor,
                team=request.team,
                name=form.cleaned_data["name"],
                role=Role(form.cleaned_data["role"]),
            )
            return submission.done(
                team_url(request, "service-accounts"),
                f"{account.name} is added. Next, create an API token for it.",
            )
    return render_dialog(
        request,
        form=form,
        title="Add service account",
        submit="Add service account",
        back=team_url(request, "service-accounts"),
    )


@team_page(Permission.SERVICE_ACCOUNT_MANAGE)
def edit_service_account(
    request: TeamRequest, service_account_id: uuid.UUID
) -> HttpResponse:
    """Change a service account's name or role."""
    account = _find_manageable(request, service_account_id)

    def save(row: ServiceAccount, changes: dict[str, Any]) -> object:
        return change_service_account(
            actor=request.actor, service_account=row, changes=changes
        )

    return edit_dialog(
        request,
        AccountForm,
        account,
        values=lambda row: {"name": row.name, "role": row.role},
        save=save,
        names=_NAMES,
        options={"assigner": request.actor.role},
        title=f"Edit {account.name}",
        text="A new role takes effect for its API tokens immediately.",
        done="The service account is saved.",
        back=team_url(request, "service-accounts"),
    )


@team_page(Permission.SERVICE_ACCOUNT_MANAGE)
def remove_service_account(
    request: TeamRequest, service_account_id: uuid.UUID
) -> HttpResponse:
    """Delete a service account, after showing what that stops."""
    account = _find_manageable(request, service_account_id)
    return confirm(
        request,
        lambda: delete_service_account(actor=request.actor, service_account=account),
        title=f"Delete {account.name}?",
        details="teams/service_account_delete.html",
        submit="Delete",
        done=f"{account.name} is deleted.",
        back=team_url(request, "service-accounts"),
        account=account,
    )


# The model reports a taken name as an error of the whole row.
_NAMES = {"__all__": "name"}


def _find_manageable(request: TeamRequest, account_id: uuid.UUID) -> ServiceAccount:
    accounts = service_accounts_with_use(request.team.pk)
    account: ServiceAccount = find(accounts, account_id)
    request.actor.require_assignable(account.role)
    return account
