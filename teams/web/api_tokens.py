"""Pages of API tokens."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.db.models.functions import Lower
from django.http import HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_filters import filters

from portal.crypto.secrets import Secret
from portal.http.dialogs import confirm, render_dialog
from portal.http.forms import CreateForm, refusals_in
from portal.http.pages import render_page
from teams.actors import Actor
from teams.api_tokens import create_api_token, revoke_api_token
from teams.filters import ApiTokenFilter
from teams.models import ApiToken, ServiceAccount
from teams.permissions import Permission, Role, may_assign, permissions_of
from teams.selectors import (
    api_tokens_for_actor,
    service_accounts_for_team,
    usable_tokens_made_with,
)
from teams.web.base import TeamRequest, find, team_page, team_url
from teams.web.forms import ExpiryField, assignable_roles
from teams.web.lists.export import export_list
from teams.web.lists.filters import PageFilter
from teams.web.lists.tables import Column, Table, instant_cell, table_list
from teams.web.once import once

Kind = ApiToken.Kind
# Tokens of service accounts and of the team work with any username.
ANY_USERNAME = "token"
_NAMES = {"role": "acts_as", "service_account": "acts_as"}


class NewTokenForm(CreateForm):
    """``acts_as`` is ``user``, or another kind and its holder."""

    repeated = (
        "This API token has already been created and was shown once. If you do not "
        "have it, revoke it and create another."
    )
    name = forms.CharField(
        max_length=150, help_text="Where you will use it, such as Laptop."
    )
    acts_as = forms.ChoiceField(
        label="Acts as",
        initial=Kind.USER.value,
        help_text="The token never has more permissions than this.",
        error_messages={"invalid_choice": "Choose one of the options."},
    )
    read_only = forms.BooleanField(
        required=False,
        help_text="The token can read and pull, but not change anything.",
    )
    expires_at = ExpiryField()

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.accounts = _assignable_accounts(actor)
        zone = timezone.get_current_timezone_name()
        self.fields[
            "expires_at"
        ].help_text = f"In the time zone {zone}. Leave empty for no expiry."
        if actor.may(Permission.API_TOKEN_MANAGE):
            self.fields["acts_as"].choices = _holders(actor, self.accounts)  # type: ignore[attr-defined]  # a ChoiceField
        else:
            del self.fields["acts_as"]

    def holder(self) -> tuple[Kind, ServiceAccount | None, Role | None]:
        """Return the chosen kind, with its service account or its role."""
        chosen = self.cleaned_data.get("acts_as", Kind.USER.value)
        kind, _, rest = chosen.partition(":")
        account = self.accounts.get(rest)
        return Kind(kind), account, Role(rest) if kind == Kind.TEAM else None


class ApiTokenPageFilter(PageFilter, ApiTokenFilter):
    shown = ("state", "kind")
    state = filters.ChoiceFilter(
        method="filter_state",
        label="Show",
        choices=[("active", "Active"), ("stopped", "Revoked or expired")],
    )
    kind = filters.ChoiceFilter(
        label="Kind",
        choices=[
            (Kind.USER, "User"),
            (Kind.SERVICE_ACCOUNT, "Service account"),
            (Kind.TEAM, "Team"),
        ],
    )


def _holder(token: ApiToken) -> str:
    """Return what a token acts as: a user, a service account or a role."""
    if token.user is not None:
        return token.user.email
    return token.service_account.name if token.service_account else token.role


TABLE = Table(
    (
        Column("name", "API token", lambda row: row.name, by=Lower("name")),
        Column("kind", cell=lambda row: row.kind),
        Column("acts_as", "Acts as", _holder),
        Column("read_only", cell=lambda row: "yes" if row.read_only else "no"),
        Column(
            "created",
            "Created",
            lambda row: instant_cell(row.created_at),
            by="created_at",
            descends=True,
        ),
        Column("expires", "Expires", lambda row: instant_cell(row.expires_at)),
        Column("used", "Last used", lambda row: instant_cell(row.last_used_at)),
        Column("state", "State", lambda row: row.state),
        Column("id", cell=lambda row: str(row.pk)),
    ),
    order="-created",
)


@require_safe
@team_page(Permission.TEAM_READ)
def api_tokens(request: TeamRequest) -> HttpResponse:
    """List your own tokens, or all of the team's if you may manage them."""
    return render_page(
        request,
        "teams/api_tokens.html",
        table_list(_filtered(request), TABLE),
        partial="teams/api_tokens_list.html",
    )


@require_safe
@team_page(Permission.TEAM_READ)
def export_api_tokens(request: TeamRequest) -> HttpResponseBase:
    """Stream the filtered tokens as CSV, without their secrets."""
    return export_list(request, _filtered(request), TABLE, "api-tokens")


def _filtered(request: TeamRequest) -> ApiTokenPageFilter:
    return ApiTokenPageFilter(request.GET, api_tokens_for_actor(request.actor))


@team_page(Permission.API_TOKEN_CREATE)
def add_api_token(request: TeamRequest) -> HttpResponse:
    """Create a token, and show its text once."""
    initial = {"acts_as": request.GET.get("acts_as", Kind.USER.value)}
    form = NewTokenForm(request.POST or None, actor=request.actor, initial=initial)
    if form.is_valid():
        kind, account, role = form.holder()
        with refusals_in(request, form, _NAMES), once(request, form) as submission:
            api_token, text = create_api_token(
                actor=request.actor,
                team=request.team,
                name=form.cleaned_data["name"],
                kind=kind,
                user=request.user if kind == Kind.USER else None,
                service_account=account,
                role=role,
                read_only=form.cleaned_data["read_only"],
                expires_at=form.cleaned_data["expires_at"],
            )
            submission.address = team_url(request, "api-tokens")
            return _created(request, api_token, text)
    return render_dialog(
        request,
        form=form,
        title="Create API token",
        submit="Create API token",
        back=team_url(request, "api-tokens"),
    )


@team_page(Permission.TEAM_READ)
def revoke(request: TeamRequest, api_token_id: uuid.UUID) -> HttpResponse:
    """Revoke a token, after showing what stops with it."""
    api_token: ApiToken = find(api_tokens_for_actor(request.actor), api_token_id)
    return confirm(
        request,
        lambda: revoke_api_token(actor=request.actor, api_token=api_token),
        title=f"Revoke {api_token.name}?",
        details="teams/api_token_revoke.html",
        submit="Revoke",
        done=f"{api_token.name} is revoked.",
        back=team_url(request, "api-tokens"),
        api_token=api_token,
        made_with=usable_tokens_made_with(api_token),
    )


def _created(request: TeamRequest, api_token: ApiToken, text: Secret) -> HttpResponse:
    is_own = api_token.kind == Kind.USER
    account = api_token.service_account
    role = request.actor.role if is_own else account.role if account else api_token.role
    allowed = permissions_of(role, read_only=api_token.read_only)
    api_address = request.build_absolute_uri("/api/v1/team")
    return render_dialog(
        request,
        "teams/api_token_created.html",
        title=f"API token created: {api_token.name}",
        token_text=text.reveal(),
        username=request.user.email if is_own else ANY_USERNAME,
        may_pull=Permission.IMAGE_PULL in allowed,
        curl="read -rs BERTH_TOKEN\n"
        f'curl -H "Authorization: Bearer $BERTH_TOKEN" {api_address}',
        back=team_url(request, "api-tokens"),
    )


def _assignable_accounts(actor: Actor) -> dict[str, ServiceAccount]:
    return {
        str(account.pk): account
        for account in service_accounts_for_team(actor.team_id).order_by("name")
        if may_assign(assigner=actor.role, role=account.role)
    }


def _holders(actor: Actor, accounts: dict[str, ServiceAccount]) -> list[Any]:
    own = (Kind.USER.value, f"{actor.label} ({actor.role}): you")
    account_choices = [
        (f"{Kind.SERVICE_ACCOUNT.value}:{pk}", f"{account.name} ({account.role})")
        for pk, account in accounts.items()
    ]
    roles = [
        (f"{Kind.TEAM.value}:{value}", label)
        for value, label in assignable_roles(actor.role)
    ]
    groups = [("The team, with its own role", roles)]
    return [
        own,
        *([("A service account", account_choices)] if account_choices else []),
        *groups,
    ]
