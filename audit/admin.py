from __future__ import annotations

from django.contrib import admin

from audit.models import AuditEvent
from portal.http.admin import ReadOnlyAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "team", "tag", "actor_label", "subject_label")
    fields = (
        "id",
        "team",
        "tag",
        "actor_kind",
        "actor_id",
        "actor_label",
        "subject_kind",
        "subject_id",
        "subject_label",
        "data",
        "address",
        "request_id",
        "created_at",
    )
