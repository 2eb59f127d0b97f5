from __future__ import annotations

import uuid

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from licenses import services
from licenses.api.serializers import (
    ApplicationChangesSerializer,
    ApplicationSerializer,
    ChannelChangesSerializer,
    ChannelSerializer,
    NewApplicationSerializer,
    NewChannelSerializer,
)
from licenses.models import Application, Channel
from licenses.selectors import applications_for_team, channels_for_application
from teams.api.base import TeamView, find, find_by_id_or_slug
from teams.api.idempotency import idempotent
from teams.permissions import Permission


class ApplicationsView(TeamView):
    def get_queryset(self) -> QuerySet[Application]:
        return applications_for_team(self.team_id)

    @extend_schema(
        operation_id="applications_list", responses=ApplicationSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """List the team's applications."""
        self.require(Permission.APPLICATION_READ)
        return self.page(ApplicationSerializer)

    @extend_schema(
        operation_id="applications_create",
        request=NewApplicationSerializer,
        responses={201: ApplicationSerializer},
    )
    @idempotent(Permission.APPLICATION_MANAGE)
    def post(self, request: Request) -> Response:
        """Create an application, with a default channel."""
        values = self.validated(NewApplicationSerializer)
        application = services.create_application(
            actor=self.actor, team=self.team, **values
        )
        return self.shown(ApplicationSerializer, application, 201)


class ApplicationView(TeamView):
    @extend_schema(operation_id="applications_read", responses=ApplicationSerializer)
    def get(self, request: Request, application: str) -> Response:
        """Read an application, by ID or slug."""
        self.require(Permission.APPLICATION_READ)
        return self.shown(ApplicationSerializer, self._find(application))

    @extend_schema(
        operation_id="applications_change",
        request=ApplicationChangesSerializer,
        responses=ApplicationSerializer,
    )
    def patch(self, request: Request, application: str) -> Response:
        """Rename an application. Its slug is fixed."""
        row = self._find(application)
        self.require(Permission.APPLICATION_MANAGE)
        values = self.validated(ApplicationChangesSerializer)
        services.change_application(
            actor=self.actor, application=row, name=values.get("name", row.name)
        )
        return self.shown(ApplicationSerializer, row)

    @extend_schema(operation_id="applications_delete", responses={204: None})
    def delete(self, request: Request, application: str) -> Response:
        """Delete an application that has no licenses."""
        services.delete_application(
            actor=self.actor, application=self._find(application)
        )
        return Response(status=204)

    def _find(self, application: str) -> Application:
        return find_by_id_or_slug(applications_for_team(self.team_id), application)


class ApplicationChildView(TeamView):
    """A view of objects of the application that the URL names."""

    @property
    def application(self) -> Application:
        if getattr(self, "swagger_fake_view", False):
            return Application(team_id=self.team_id)
        return find_by_id_or_slug(
            applications_for_team(self.team_id), self.kwargs["application"]
        )


class ChannelsView(ApplicationChildView):
    def get_queryset(self) -> QuerySet[Channel]:
        return channels_for_application(self.application)

    @extend_schema(operation_id="channels_list", responses=ChannelSerializer(many=True))
    def get(self, request: Request, application: str) -> Response:
        """List an application's channels."""
        self.require(Permission.APPLICATION_READ)
        return self.page(ChannelSerializer)

    @extend_schema(
        operation_id="channels_create",
        request=NewChannelSerializer,
        responses={201: ChannelSerializer},
    )
    @idempotent(Permission.APPLICATION_MANAGE)
    def post(self, request: Request, application: str) -> Response:
        """Add a channel; a new default replaces the current one."""
        owner = self.application
        channel = services.create_channel(
            actor=self.actor, application=owner, **self.validated(NewChannelSerializer)
        )
        return self.shown(ChannelSerializer, channel, 201)


class ChannelView(ApplicationChildView):
    @extend_schema(operation_id="channels_read", responses=ChannelSerializer)
    def get(
        self, request: Request, application: str, channel_id: uuid.UUID
    ) -> Response:
        """Read a channel."""
        self.require(Permission.APPLICATION_READ)
        return self.shown(ChannelSerializer, self._find(channel_id))

    @extend_schema(
        operation_id="channels_change",
        request=ChannelChangesSerializer,
        responses=ChannelSerializer,
    )
    def patch(
        self, request: Request, application: str, channel_id: uuid.UUID
    ) -> Response:
        """Rename a channel, or make it the default."""
        channel = self._find(channel_id)
        self.require(Permission.APPLICATION_MANAGE)
        changes = self.validated(ChannelChangesSerializer)
        channel = services.change_channel(
            actor=self.actor, channel=channel, changes=changes
        )
        return self.shown(ChannelSerializer, channel)

    @extend_schema(operation_id="channels_delete", responses={204: None})
    def delete(
        self, request: Request, application: str, channel_id: uuid.UUID
    ) -> Response:
        """Delete a channel that is not the default and has no licenses."""
        services.delete_channel(actor=self.actor, channel=self._find(channel_id))
        return Response(status=204)

    def _find(self, channel_id: uuid.UUID) -> Channel:
        return find(channels_for_application(self.application), pk=channel_id)
