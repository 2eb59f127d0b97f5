from __future__ import annotations

from django.contrib import admin

from licenses.models import Application, Channel, Customer, License, LicenseField
from portal.http.admin import ReadOnlyAdmin


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    list_display = ("name", "team", "email", "archived_at")
    search_fields = ("name", "email", "custom_id")
    fields = ("id", "team", "name", "email", "custom_id", "archived_at", "created_at")


@admin.register(LicenseField)
class LicenseFieldAdmin(ReadOnlyAdmin):
    list_display = ("name", "application", "type")
    # Without "default", which may hold a secret.
    fields = (
        "id",
        "team",
        "application",
        "name",
        "title",
        "type",
        "required",
        "hidden",
        "options",
    )


@admin.register(License)
class LicenseAdmin(ReadOnlyAdmin):
    list_display = ("customer", "application", "type", "expires_at", "revoked_at")
    # Without "field_values", which may hold passwords.
    fields = (
        "id",
        "team",
        "customer",
        "application",
        "channel",
        "type",
        "expires_at",
        "revoked_at",
        "revoked_by",
        "revoke_reason",
        "sequence",
        "created_at",
    )


@admin.register(Application)
class ApplicationAdmin(ReadOnlyAdmin):
    list_display = ("slug", "name", "team")
    search_fields = ("slug", "name")
    fields = ("id", "team", "name", "slug", "created_at")


@admin.register(Channel)
class ChannelAdmin(ReadOnlyAdmin):
    list_display = ("application", "slug", "is_default")
    fields = ("id", "team", "application", "name", "slug", "is_default", "created_at")
