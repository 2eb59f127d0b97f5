"""The hours of pulls that tests make without Berth's own counting."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from factory.django import DjangoModelFactory

from registries.models import PullEvent, PullHour


class CountedFactory(DjangoModelFactory[PullEvent]):
    """Makes pulls that their hours know of."""

    class Meta:
        model = PullEvent
        abstract = True

    @classmethod
    def _create(cls, model_class: type[PullEvent], *args: Any, **values: Any) -> Any:
        pull = super()._create(model_class, *args, **values)
        add_to_hours(PullEvent.objects.filter(pk=pull.pk))
        return pull


def add_to_hours(pulls: QuerySet[PullEvent]) -> None:
    """Add new rows to the sums of their hours, as :func:`add_pulls` does."""
    refused = ~Q(outcome="allowed")
    sums = (
        pulls.order_by()
        .values("team_id", "hour")
        .annotate(
            allowed=Coalesce(Sum("count", filter=~refused), 0),
            refused=Coalesce(Sum("count", filter=refused), 0),
        )
    )
    for row in sums:
        hour, _ = PullHour.objects.get_or_create(
            team_id=row["team_id"], hour=row["hour"]
        )
        hour.allowed += row["allowed"]
        hour.refused += row["refused"]
        hour.save()
