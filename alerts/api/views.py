from __future__ import annotations

import uuid

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts import services
from alerts.api.serializers import (
    AlertSerializer,
    CreatedWebhookSerializer,
    DeliverySerializer,
    NewWebhookSerializer,
    WebhookChangesSerializer,
    WebhookSerializer,
)
from alerts.filters import AlertFilter, DeliveryFilter, WebhookFilter
from alerts.models import Alert, Delivery, Webhook
from alerts.selectors import (
    alerts_for_team,
    deliveries_of_webhook,
    webhooks_for_team,
)
from teams.api.base import TeamView, find
from teams.api.conditions import conditional
from teams.api.idempotency import idempotent
from teams.permissions import Permission


class _Alerts(TeamView[Alert]):
    serializer_class = AlertSerializer

    def get_queryset(self) -> QuerySet[Alert]:
        return alerts_for_team(self.team_id)


class AlertsView(_Alerts):
    filterset_class = AlertFilter

    def get(self, request: Request) -> Response:
        """List the team's alerts of the last 90 days, without events for programs."""
        self.require(Permission.TEAM_READ)
        return self.page()


class AlertAcknowledgeView(_Alerts):
    def post(self, request: Request, alert_id: uuid.UUID) -> Response:
        """Acknowledge an alert for the whole team; again, it stays as it is."""
        alert = self.find(alert_id)
        services.acknowledge_alerts(
            actor=self.actor, team=self.team, alert_ids=[alert.pk]
        )
        return self.shown(self.find(alert_id))


class _Webhooks(TeamView[Webhook]):
    serializer_class = WebhookSerializer

    def get_queryset(self) -> QuerySet[Webhook]:
        return webhooks_for_team(self.team_id)


class WebhooksView(_Webhooks):
    filterset_class = WebhookFilter
    orderings = ("created_at", "updated_at", "name")

    def get(self, request: Request) -> Response:
        """List the team's webhooks, without their secrets."""
        self.require(Permission.WEBHOOK_MANAGE)
        return self.page()

    @extend_schema(
        request=NewWebhookSerializer, responses={201: CreatedWebhookSerializer}
    )
    @idempotent(Permission.WEBHOOK_MANAGE)
    def post(self, request: Request) -> Response:
        """Add a webhook. `secret` verifies signatures and is shown only once."""
        values = self.validated(NewWebhookSerializer)
        webhook, secret = services.create_webhook(
            actor=self.actor, team=self.team, **values
        )
        return self.shown(webhook, 201, secret=secret.reveal())


class WebhookView(_Webhooks):
    def get(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Read a webhook, without its secret."""
        self.require(Permission.WEBHOOK_MANAGE)
        return self.shown(self.find(webhook_id))

    @extend_schema(request=WebhookChangesSerializer)
    @conditional(Permission.WEBHOOK_MANAGE)
    def patch(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Change name, URL or events."""
        webhook = self.find(webhook_id)
        self.require(Permission.WEBHOOK_MANAGE)
        changes = self.validated(WebhookChangesSerializer)
        services.change_webhook(actor=self.actor, webhook=webhook, changes=changes)
        return self.stored()

    @conditional(Permission.WEBHOOK_MANAGE)
    def delete(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Delete a webhook with its log of deliveries."""
        services.delete_webhook(actor=self.actor, webhook=self.find(webhook_id))
        return Response(status=204)


class WebhookSecretView(_Webhooks):
    @extend_schema(
        operation_id="webhooks_replace_secret", responses=CreatedWebhookSerializer
    )
    @idempotent(Permission.WEBHOOK_MANAGE)
    @conditional(Permission.WEBHOOK_MANAGE)
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Replace the secret, shown only once; the old one signs for another day."""
        secret = services.replace_webhook_secret(
            actor=self.actor, webhook=self.find(webhook_id)
        )
        return self.stored(secret=secret.reveal())


class WebhookEnableView(_Webhooks):
    @conditional(Permission.WEBHOOK_MANAGE)
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Enable a webhook again. Alerts that it missed are not sent."""
        services.enable_webhook(actor=self.actor, webhook=self.find(webhook_id))
        return self.stored()


class WebhookDisableView(_Webhooks):
    @conditional(Permission.WEBHOOK_MANAGE)
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Disable a webhook, and give up its pending deliveries."""
        services.disable_webhook(
            actor=self.actor,
            webhook=self.find(webhook_id),
            reason=f"Disabled by {self.actor.label}.",
        )
        return self.stored()


class _Deliveries(TeamView[Delivery]):
    serializer_class = DeliverySerializer

    @property
    def webhook(self) -> Webhook:
        if getattr(self, "swagger_fake_view", False):
            return Webhook(team_id=self.team_id)
        return find(webhooks_for_team(self.team_id), pk=self.kwargs["webhook_id"])

    def get_queryset(self) -> QuerySet[Delivery]:
        return deliveries_of_webhook(self.webhook)


class WebhookTestView(_Deliveries):
    @extend_schema(responses={202: DeliverySerializer})
    @idempotent(Permission.WEBHOOK_MANAGE)
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Send a test alert, even to a disabled webhook; at most ten per minute."""
        delivery = services.send_test(actor=self.actor, webhook=self.webhook)
        return self.shown(delivery, 202)


class WebhookDeliveriesView(_Deliveries):
    filterset_class = DeliveryFilter

    def get(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """List the deliveries to a webhook with their results."""
        self.require(Permission.WEBHOOK_MANAGE)
        return self.page()


class WebhookDeliveryRetryView(_Deliveries):
    @extend_schema(responses={202: DeliverySerializer})
    def post(
        self, request: Request, webhook_id: uuid.UUID, delivery_id: uuid.UUID
    ) -> Response:
        """Retry a delivery that was given up."""
        services.send_again(actor=self.actor, delivery=self.find(delivery_id))
        return self.shown(self.find(delivery_id), 202)
