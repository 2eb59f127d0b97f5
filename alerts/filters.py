from __future__ import annotations

from django_filters import rest_framework as filters

from alerts.events import Event
from alerts.models import Alert, Delivery, DeliveryState


class AlertFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    event = filters.ChoiceFilter(
        choices=[(event.value, event.value) for event in Event]
    )
    subject_id = filters.UUIDFilter()

    class Meta:
        model = Alert
        fields: list[str] = []


class DeliveryFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    state = filters.ChoiceFilter(choices=DeliveryState.choices)

    class Meta:
        model = Delivery
        fields: list[str] = []
