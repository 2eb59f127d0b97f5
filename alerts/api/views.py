from __future__ import annotations

import uuid
from typing import ClassVar

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
from alerts.filters import AlertFilter, DeliveryFilter
from alerts.models import Alert, Delivery, Webhook
from alerts.selectors import (
    alerts_for_team,
    deliveries_of_webhook,
    webhooks_for_team,
)
from portal.crypto.secrets import Secret
from teams.api.base import TeamView, find
from teams.api.idempotency import idempotent
from teams.permissions import Permission


class AlertsView(TeamView):
    filterset_class: ClassVar[type[AlertFilter]] = AlertFilter

    def get_queryset(self) -> QuerySet[Alert]:
        return alerts_for_team(self.team_id)

    @extend_schema(operation_id="alerts_list", responses=AlertSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the team's alerts of the last 90 days."""
        self.require(Permission.TEAM_READ)
        return self.page(AlertSerializer)


class _WebhooksOfTeam(TeamView):
    def get_queryset(self) -> QuerySet[Webhook]:
        return webhooks_for_team(self.team_id)

    def find(self, webhook_id: uuid.UUID) -> Webhook:
        return find(webhooks_for_team(self.team_id), pk=webhook_id)

    def with_secret(self, webhook: Webhook, secret: Secret, status: int) -> Response:
        """Respond with the webhook and its secret, which is shown only once."""
        context = {**self.get_serializer_context(), "secret": secret}
        serializer = CreatedWebhookSerializer(webhook, context=context)
        return Response(serializer.data, status)


class WebhooksView(_WebhooksOfTeam):
    @extend_schema(operation_id="webhooks_list", responses=WebhookSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the team's webhooks, without their secrets."""
        self.require(Permission.WEBHOOK_MANAGE)
        return self.page(WebhookSerializer)

    @extend_schema(
        operation_id="webhooks_create",
        request=NewWebhookSerializer,
        responses={201: CreatedWebhookSerializer},
    )
    @idempotent(Permission.WEBHOOK_MANAGE)
    def post(self, request: Request) -> Response:
        """Add a webhook. `secret` verifies signatures and is shown only once."""
        values = self.validated(NewWebhookSerializer)
        webhook, secret = services.create_webhook(
            actor=self.actor, team=self.team, **values
        )
        return self.with_secret(webhook, secret, 201)


class WebhookView(_WebhooksOfTeam):
    @extend_schema(operation_id="webhooks_read", responses=WebhookSerializer)
    def get(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Read a webhook, without its secret."""
        self.require(Permission.WEBHOOK_MANAGE)
        return self.shown(WebhookSerializer, self.find(webhook_id))

    @extend_schema(
        operation_id="webhooks_change",
        request=WebhookChangesSerializer,
        responses=WebhookSerializer,
    )
    def patch(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Change name, URL or events."""
        webhook = self.find(webhook_id)
        self.require(Permission.WEBHOOK_MANAGE)
        changes = self.validated(WebhookChangesSerializer)
        webhook = services.change_webhook(
            actor=self.actor, webhook=webhook, changes=changes
        )
        return self.shown(WebhookSerializer, webhook)

    @extend_schema(operation_id="webhooks_delete", responses={204: None})
    def delete(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Delete a webhook with its log of deliveries."""
        services.delete_webhook(actor=self.actor, webhook=self.find(webhook_id))
        return Response(status=204)


class WebhookSecretView(_WebhooksOfTeam):
    @extend_schema(
        operation_id="webhooks_replace_secret",
        request=None,
        responses=CreatedWebhookSerializer,
    )
    @idempotent(Permission.WEBHOOK_MANAGE)
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Replace the secret, shown only once; the old one signs for another day."""
        secret = services.replace_webhook_secret(
            actor=self.actor, webhook=self.find(webhook_id)
        )
        return self.with_secret(self.find(webhook_id), secret, 200)


class WebhookEnableView(_WebhooksOfTeam):
    @extend_schema(
        operation_id="webhooks_enable", request=None, responses=WebhookSerializer
    )
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Enable a webhook again. Alerts that it missed are not sent."""
        webhook = services.enable_webhook(
            actor=self.actor, webhook=self.find(webhook_id)
        )
        return self.shown(WebhookSerializer, webhook)


class WebhookDisableView(_WebhooksOfTeam):
    @extend_schema(
        operation_id="webhooks_disable", request=None, responses=WebhookSerializer
    )
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Disable a webhook, and give up its pending deliveries."""
        webhook = services.disable_webhook(
            actor=self.actor,
            webhook=self.find(webhook_id),
            reason=f"Disabled by {self.actor.label}.",
        )
        return self.shown(WebhookSerializer, webhook)


class WebhookTestView(_WebhooksOfTeam):
    @extend_schema(
        operation_id="webhooks_test", request=None, responses={202: DeliverySerializer}
    )
    @idempotent(Permission.WEBHOOK_MANAGE)
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Send a test alert, even to a disabled webhook; at most ten per minute."""
        delivery = services.send_test(actor=self.actor, webhook=self.find(webhook_id))
        return self.shown(DeliverySerializer, delivery, 202)


class WebhookDeliveriesView(TeamView):
    filterset_class: ClassVar[type[DeliveryFilter]] = DeliveryFilter

    def get_queryset(self) -> QuerySet[Delivery]:
        if getattr(self, "swagger_fake_view", False):
            return Delivery.objects.none()
        webhook = find(webhooks_for_team(self.team_id), pk=self.kwargs["webhook_id"])
        return deliveries_of_webhook(webhook)

    @extend_schema(
        operation_id="webhooks_deliveries", responses=DeliverySerializer(many=True)
    )
    def get(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """List the deliveries to a webhook with their results."""
        self.require(Permission.WEBHOOK_MANAGE)
        return self.page(DeliverySerializer)


class WebhookDeliveryRetryView(_WebhooksOfTeam):
    @extend_schema(
        operation_id="webhooks_deliveries_retry",
        request=None,
        responses={202: DeliverySerializer},
    )
    def post(
        self, request: Request, webhook_id: uuid.UUID, delivery_id: uuid.UUID
    ) -> Response:
        """Retry a delivery that was given up."""
        rows = deliveries_of_webhook(self.find(webhook_id))
        services.send_again(actor=self.actor, delivery=find(rows, pk=delivery_id))
        return self.shown(DeliverySerializer, find(rows, pk=delivery_id), 202)
