from __future__ import annotations

from django.contrib import admin

from portal.http.admin import ReadOnlyAdmin
from registries.models import Credential, CredentialCheck, ExternalRegistry, PullEvent


@admin.register(ExternalRegistry)
class ExternalRegistryAdmin(ReadOnlyAdmin):
    list_display = ("slug", "team", "provider", "endpoint", "health")
    search_fields = ("slug", "endpoint")
    fields = (
        "id",
        "team",
        "provider",
        "endpoint",
        "slug",
        "trusted_realm",
        "shared_with_all",
        "repository_patterns",
        "health",
        "health_checked_at",
        "created_at",
    )


@admin.register(Credential)
class CredentialAdmin(ReadOnlyAdmin):
    list_display = ("registry", "auth_type", "active", "created_at")
    fields = (
        "id",
        "team",
        "registry",
        "auth_type",
        "active",
        "created_by",
        "created_at",
    )


@admin.register(CredentialCheck)
class CredentialCheckAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "registry", "outcome", "http_status", "latency_ms")
    fields = (
        "id",
        "team",
        "registry",
        "credential",
        "outcome",
        "http_status",
        "latency_ms",
        "detail",
        "created_at",
    )


@admin.register(PullEvent)
class PullEventAdmin(ReadOnlyAdmin):
    list_display = ("last_at", "team", "repository", "reference", "outcome", "count")
    fields = (
        "id",
        "team",
        "hour",
        "application_slug",
        "license",
        "holder",
        "registry_id",
        "registry_slug",
        "repository",
        "reference",
        "outcome",
        "count",
        "stale",
        "last_at",
    )
