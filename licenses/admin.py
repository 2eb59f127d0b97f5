from __future__ import annotations

from django.contrib import admin

from licenses.models import (
    Application,
    Channel,
    Customer,
    License,
    LicenseField,
    PullCredential,
    PullCredentialNetwork,
)
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
        "id_version",
        "previous_license_id_ends_at",
        "created_at",
    )


@admin.register(PullCredential)
class PullCredentialAdmin(ReadOnlyAdmin):
    list_display = ("name", "license", "expires_at", "revoked_at")
    search_fields = ("name",)
    fields = (
        "id",
        "team",
        "license",
        "name",
        "expires_at",
        "networks",
        "created_by_label",
        "created_at",
        "revoked_by_label",
        "revoked_at",
        "was_leaked",
        "replaced_by",
        "last_used_at",
        "last_used_address",
        "last_used_client",
        "unused_alerted_at",
    )


@admin.register(PullCredentialNetwork)
class PullCredentialNetworkAdmin(ReadOnlyAdmin):
    list_display = ("credential", "network", "last_used_at")
    fields = ("id", "team", "credential", "network", "created_at", "last_used_at")


@admin.register(Application)
class ApplicationAdmin(ReadOnlyAdmin):
    list_display = ("slug", "name", "team")
    search_fields = ("slug", "name")
    fields = ("id", "team", "name", "slug", "created_at")


@admin.register(Channel)
class ChannelAdmin(ReadOnlyAdmin):
    list_display = ("application", "slug", "is_default")
    fields = ("id", "team", "application", "name", "slug", "is_default", "created_at")
