from __future__ import annotations

from django.contrib import admin

from alerts.models import Alert, Delivery, Webhook
from portal.http.admin import ReadOnlyAdmin


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "team", "event", "subject_label")
    fields = (
        "id",
        "team",
        "event",
        "subject_id",
        "subject_label",
        "message",
        "data",
        "is_for_programs",
        "created_at",
        "dispatched_at",
    )


@admin.register(Webhook)
class WebhookAdmin(ReadOnlyAdmin):
    list_display = ("name", "team", "url", "failures", "disabled_at")
    fields = (
        "id",
        "team",
        "name",
        "url",
        "events",
        "failures",
        "disabled_at",
        "disabled_reason",
        "created_at",
    )


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "team", "alert", "state", "attempts")
    fields = (
        "id",
        "team",
        "alert",
        "webhook",
        "user",
        "state",
        "attempts",
        "due_at",
        "finished_at",
        "http_status",
        "detail",
        "created_at",
    )
