from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.contrib.auth.models import Group

from portal.http.admin import ReadOnlyAdmin
from teams.models import ApiToken, Membership, ServiceAccount, Team, User

admin.site.unregister(Group)  # rights come from memberships


# The admin pages of django-allauth show secrets, and change them unaudited.
for model in (Authenticator, EmailAddress, SocialAccount, SocialApp, SocialToken):
    admin.site.unregister(model)


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    list_display = ("email", "name", "is_active", "is_staff")
    search_fields = ("email", "name")
    fields = (
        "id",
        "email",
        "name",
        "is_active",
        "is_staff",
        "created_at",
        "last_login",
    )


@admin.register(Team)
class TeamAdmin(ReadOnlyAdmin):
    list_display = ("name", "slug", "created_at")
    search_fields = ("name", "slug")
    fields = ("id", "name", "slug", "created_at")


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ("user", "team", "role")
    fields = ("id", "team", "user", "role", "created_at")


@admin.register(ServiceAccount)
class ServiceAccountAdmin(ReadOnlyAdmin):
    list_display = ("name", "team", "role")
    fields = ("id", "team", "name", "role", "created_at")


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ("name", "kind", "team", "expires_at", "revoked_at", "last_used_at")
    fields = (
        "id",
        "team",
        "kind",
        "name",
        "user",
        "service_account",
        "role",
        "read_only",
        "expires_at",
        "revoked_at",
        "last_used_at",
        "created_at",
    )
