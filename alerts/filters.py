from __future__ import annotations

from django.db.models import QuerySet
from django_filters import rest_framework as filters

from alerts.events import LISTED
from alerts.models import Alert, DeliveryState, Webhook
from portal.http.values import CreatedFilter


class AlertFilter(CreatedFilter):
    event = filters.ChoiceFilter(
        choices=[(event.value, event.value) for event in LISTED]
    )
    subject = filters.CharFilter(
        field_name="subject_label",
        lookup_expr="icontains",
        label="Part of the subject's label, such as a customer's name",
    )
    subject_id = filters.UUIDFilter()
    acknowledged = filters.ChoiceFilter(
        choices=[("true", "true"), ("false", "false")],
        method="filter_acknowledged",
        label="Whether a member has acknowledged it",
    )

    def filter_acknowledged(
        self, rows: QuerySet[Alert], _name: str, text: str
    ) -> QuerySet[Alert]:
        return rows.filter(acknowledged_at__isnull=text == "false")


class WebhookFilter(CreatedFilter):
    name = filters.CharFilter()
    state = filters.ChoiceFilter(
        choices=[("enabled", "enabled"), ("disabled", "disabled")],
        method="filter_state",
    )

    def filter_state(
        self, rows: QuerySet[Webhook], _name: str, state: str
    ) -> QuerySet[Webhook]:
        return rows.filter(disabled_at__isnull=state == "enabled")


class DeliveryFilter(CreatedFilter):
    state = filters.ChoiceFilter(choices=DeliveryState.choices)
