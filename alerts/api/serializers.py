from __future__ import annotations

from typing import Any

from rest_framework import serializers

from alerts.events import CHOOSABLE, LISTED, Event
from alerts.models import Alert, Delivery, DeliveryState, Webhook
from teams.api.base import InputSerializer, RowSerializer

# The names of events for programs, not the descriptions for people.
EVENTS = [(event.value, event.value) for event in Event]
LISTED_EVENTS = [(event.value, event.value) for event in LISTED]
CHOOSABLE_EVENTS = [(event.value, event.value) for event in CHOOSABLE]


class ChosenEventsField(serializers.ListField):
    """One or more of the events that webhooks can get."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            child=serializers.ChoiceField(choices=CHOOSABLE_EVENTS),
            allow_empty=False,
            max_length=100,
            help_text="Alerts for people, and events for programs, which only webhooks "
            "get",
            **options,
        )


class AlertSerializer(RowSerializer[Alert]):
    event = serializers.ChoiceField(choices=LISTED_EVENTS)
    data = serializers.DictField(  # type: ignore[assignment]  # not Serializer.data
        child=serializers.JSONField(allow_null=True),
        help_text="Further details, depending on the event; never a secret",
    )
    acknowledged_by = serializers.CharField(
        help_text="Who acknowledged it for the team; empty if nobody has"
    )

    class Meta:
        model = Alert
        fields = [
            "id",
            "event",
            "subject_id",
            "subject_label",
            "message",
            "data",
            "acknowledged_at",
            "acknowledged_by",
            "created_at",
        ]


class WebhookSerializer(RowSerializer[Webhook]):
    """A webhook without its secret, which is shown only once."""

    events = ChosenEventsField()
    failures = serializers.IntegerField(
        help_text="Consecutive alerts that could not be delivered"
    )
    previous_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="Until then the previous secret signs too"
    )

    class Meta:
        model = Webhook
        fields = [
            "id",
            "name",
            "url",
            "events",
            "failures",
            "disabled_at",
            "disabled_reason",
            "previous_secret_until",
            "created_by_id",
            "created_at",
            "updated_at",
        ]
        not_in_etag = ("failures",)


class CreatedWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(
        read_only=True, help_text="Verifies signatures; shown only once"
    )

    class Meta(WebhookSerializer.Meta):
        fields = [*WebhookSerializer.Meta.fields, "secret"]


class NewWebhookSerializer(InputSerializer):
    name = serializers.CharField(max_length=150)
    url = serializers.CharField(max_length=2000, help_text="Must begin with https://")
    events = ChosenEventsField()


class WebhookChangesSerializer(InputSerializer):
    name = serializers.CharField(max_length=150, required=False)
    url = serializers.CharField(max_length=2000, required=False)
    events = ChosenEventsField(required=False)


class DeliverySerializer(RowSerializer[Delivery]):
    event = serializers.ChoiceField(source="alert.event", choices=EVENTS)
    state = serializers.ChoiceField(choices=DeliveryState.choices)
    due_at = serializers.DateTimeField(
        source="next_attempt_at",
        allow_null=True,
        help_text="Time of the next attempt; null if there is none",
    )

    class Meta:
        model = Delivery
        fields = [
            "id",
            "alert_id",
            "event",
            "state",
            "attempts",
            "due_at",
            "finished_at",
            "http_status",
            "detail",
            "created_at",
        ]
