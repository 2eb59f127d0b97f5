from __future__ import annotations

from django.urls import URLPattern, path

from alerts.web import alerts, deliveries, webhooks

urlpatterns: list[URLPattern] = [
    path("alerts", alerts.alerts, name="alerts"),
    path("alerts.csv", alerts.export_alerts, name="alerts-export"),
    path("alerts/acknowledge", alerts.acknowledge, name="alerts-acknowledge"),
    path("alerts/mail", alerts.mail, name="alerts-mail"),
    path(
        "alerts/mail/<uuid:member_id>", alerts.mail_of_member, name="alerts-mail-member"
    ),
    path("alerts/webhooks", webhooks.webhooks, name="alerts-webhooks"),
    path("alerts/webhooks/new", webhooks.add_webhook, name="alerts-webhook-add"),
    path(
        "alerts/webhooks/<uuid:webhook_id>",
        deliveries.webhook_detail,
        name="alerts-webhook-detail",
    ),
    path(
        "alerts/webhooks/<uuid:webhook_id>/edit",
        webhooks.edit_webhook,
        name="alerts-webhook-edit",
    ),
    path(
        "alerts/webhooks/<uuid:webhook_id>/secret",
        webhooks.replace_secret,
        name="alerts-webhook-secret",
    ),
    path(
        "alerts/webhooks/<uuid:webhook_id>/enable",
        webhooks.enable,
        name="alerts-webhook-enable",
    ),
    path(
        "alerts/webhooks/<uuid:webhook_id>/disable",
        webhooks.disable,
        name="alerts-webhook-disable",
    ),
    path(
        "alerts/webhooks/<uuid:webhook_id>/delete",
        webhooks.delete,
        name="alerts-webhook-delete",
    ),
    path(
        "alerts/webhooks/<uuid:webhook_id>/test",
        deliveries.test_webhook,
        name="alerts-webhook-test",
    ),
    path(
        "alerts/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/retry",
        deliveries.retry,
        name="alerts-webhook-retry",
    ),
]
