"""Counted pulls, and the bytes sent with licenses."""

from __future__ import annotations

import uuid

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from licenses.models import License
from licenses.selectors import licenses_for_team
from registries.api.serializers import LicenseTrafficSerializer, PullSerializer
from registries.api.views import RegistryView
from registries.filters import PullFilter, TrafficFilter
from registries.models import LicenseTraffic, PullEvent
from registries.selectors import pulls_for_team, traffic_for_team
from teams.api.base import ModelT, TeamView, find
from teams.permissions import Permission


class PullsView(TeamView[PullEvent]):
    serializer_class = PullSerializer
    ordering = ("-last_at", "-id")
    orderings = ("last_at",)
    filterset_class = PullFilter

    def get_queryset(self) -> QuerySet[PullEvent]:
        return pulls_for_team(self.team_id)

    def get(self, request: Request) -> Response:
        """List pulls, allowed and refused, the latest first."""
        self.require(Permission.LICENSE_READ)
        return self.page()


class RegistryPullsView(RegistryView[PullEvent]):
    serializer_class = PullSerializer
    ordering = ("-last_at", "-id")
    orderings = ("last_at",)
    filterset_class = PullFilter

    def get_queryset(self) -> QuerySet[PullEvent]:
        return pulls_for_team(self.team_id).filter(registry_id=self.registry.pk)

    def get(self, request: Request, registry: str) -> Response:
        """List pulls through one registry, the latest first."""
        self.require(Permission.REGISTRY_READ)
        return self.page()


class OfLicenseView(TeamView[ModelT]):
    """A view of what belongs to one license."""

    @property
    def license(self) -> License:
        if getattr(self, "swagger_fake_view", False):
            return License(team_id=self.team_id)
        return find(licenses_for_team(self.team_id), pk=self.kwargs["license_id"])


class LicensePullsView(OfLicenseView[PullEvent]):
    serializer_class = PullSerializer
    ordering = ("-last_at", "-id")
    orderings = ("last_at",)
    filterset_class = PullFilter

    def get_queryset(self) -> QuerySet[PullEvent]:
        return pulls_for_team(self.team_id).filter(license=self.license)

    def get(self, request: Request, license_id: uuid.UUID) -> Response:
        """List pulls with one license, the latest first."""
        self.require(Permission.LICENSE_READ)
        return self.page()


class LicenseTrafficView(OfLicenseView[LicenseTraffic]):
    serializer_class = LicenseTrafficSerializer
    ordering = ("-day", "-id")
    orderings = ("day",)
    filterset_class = TrafficFilter

    def get_queryset(self) -> QuerySet[LicenseTraffic]:
        return traffic_for_team(self.team_id).filter(license=self.license)

    def get(self, request: Request, license_id: uuid.UUID) -> Response:
        """List the bytes sent with one license by day, the latest first."""
        self.require(Permission.LICENSE_READ)
        return self.page()
