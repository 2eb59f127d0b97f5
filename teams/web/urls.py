from __future__ import annotations

from django.urls import URLPattern, path

from teams.web import api_tokens, audit, members, service_accounts, settings

urlpatterns: list[URLPattern] = [
    path("members", members.members, name="members"),
    path("members/invite", members.invite_member, name="members-invite"),
    path("members/leave", members.leave, name="members-leave"),
    path("members/<uuid:member_id>/role", members.change_role, name="members-role"),
    path("members/<uuid:member_id>/remove", members.remove, name="members-remove"),
    path(
        "invitations/<uuid:invitation_id>/renew",
        members.renew,
        name="members-invitation-renew",
    ),
    path(
        "invitations/<uuid:invitation_id>/withdraw",
        members.withdraw,
        name="members-invitation-withdraw",
    ),
    path(
        "service-accounts",
        service_accounts.service_accounts,
        name="service-accounts",
    ),
    path(
        "service-accounts/new",
        service_accounts.add_service_account,
        name="service-accounts-add",
    ),
    path(
        "service-accounts/<uuid:service_account_id>/edit",
        service_accounts.edit_service_account,
        name="service-accounts-edit",
    ),
    path(
        "service-accounts/<uuid:service_account_id>/delete",
        service_accounts.remove_service_account,
        name="service-accounts-delete",
    ),
    path("api-tokens", api_tokens.api_tokens, name="api-tokens"),
    path("api-tokens.csv", api_tokens.export_api_tokens, name="api-tokens-export"),
    path("api-tokens/new", api_tokens.add_api_token, name="api-tokens-add"),
    path(
        "api-tokens/<uuid:api_token_id>/revoke",
        api_tokens.revoke,
        name="api-tokens-revoke",
    ),
    path("audit", audit.audit, name="audit"),
    path("audit.csv", audit.export, name="audit-export"),
    path("settings", settings.team_settings, name="team-settings"),
]
