from __future__ import annotations

from django_filters import rest_framework as filters

from alerts.events import LISTED
from alerts.models import DeliveryState
from portal.http.values import CreatedFilter


class AlertFilter(CreatedFilter):
    event = filters.ChoiceFilter(
        choices=[(event.value, event.value) for event in LISTED]
    )
    subject_id = filters.UUIDFilter()


class DeliveryFilter(CreatedFilter):
    state = filters.ChoiceFilter(choices=DeliveryState.choices)
