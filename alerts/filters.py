from __future__ import annotations

from django_filters import rest_framework as filters

from alerts.events import LISTED
from alerts.models import DeliveryState


class AlertFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    event = filters.ChoiceFilter(
        choices=[(event.value, event.value) for event in LISTED]
    )
    subject_id = filters.UUIDFilter()


class DeliveryFilter(filters.FilterSet):  # type: ignore[misc]  # untyped
    state = filters.ChoiceFilter(choices=DeliveryState.choices)
