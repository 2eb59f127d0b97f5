from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from licenses import services
from licenses.api.serializers import (
    ApplicationChangesSerializer,
    ApplicationSerializer,
    ArchivedApplicationSerializer,
    ChannelChangesSerializer,
    ChannelSerializer,
    NewApplicationSerializer,
    NewChannelSerializer,
)
from licenses.filters import ApplicationFilter
from licenses.models import Application, Channel
from licenses.selectors import all_applications_of_team, channels_for_application
from teams.api.base import CONFIRM, ModelT, TeamView, find_by_id_or_name, refuse_unknown
from teams.api.conditions import conditional
from teams.api.idempotency import idempotent
from teams.permissions import Permission

APPLICATION_KEPT = (
    "Licenses of this application are kept for the record, so it is archived instead "
    "of deleted. It is left out of lists, its images cannot be pulled or pushed, and "
    "its slug stays reserved."
)


class ApplicationsView(TeamView[Application]):
    orderings = ("created_at", "updated_at", "name", "slug")
    serializer_class = ApplicationSerializer
    filterset_class = ApplicationFilter

    def get_queryset(self) -> QuerySet[Application]:
        return all_applications_of_team(self.team_id)

    def get(self, request: Request) -> Response:
        """List the team's applications."""
        self.require(Permission.APPLICATION_READ)
        return self.page()

    @extend_schema(request=NewApplicationSerializer)
    @idempotent(Permission.APPLICATION_MANAGE)
    def post(self, request: Request) -> Response:
        """Create an application, with a default channel."""
        values = self.validated(NewApplicationSerializer)
        application = services.create_application(
            actor=self.actor, team=self.team, **values
        )
        return self.shown(application, 201)


class ApplicationChildView(TeamView[ModelT]):
    """A view of the application that the URL names, or of what belongs to it."""

    @property
    def application(self) -> Application:
        if getattr(self, "swagger_fake_view", False):
            return Application(team_id=self.team_id)
        return find_by_id_or_name(
            all_applications_of_team(self.team_id), self.kwargs["application"]
        )


class ApplicationView(ApplicationChildView[Application]):
    serializer_class = ApplicationSerializer

    def target(self) -> Application:
        return self.application

    def get(self, request: Request, application: str) -> Response:
        """Read an application, by ID or slug."""
        self.require(Permission.APPLICATION_READ)
        return self.shown(self.application)

    @extend_schema(
        request=ApplicationChangesSerializer,
        parameters=[
            OpenApiParameter(
                CONFIRM,
                description="The current slug, to change it though licenses use it",
            )
        ],
    )
    @conditional(Permission.APPLICATION_MANAGE)
    @transaction.atomic
    def patch(self, request: Request, application: str) -> Response:
        """Rename an application, or change its slug.

        Image names begin with the slug: pulls by the old ones are refused within a
        second, and license files have to be downloaded again. With active licenses
        this is 409, with their number, unless `confirm` is the current slug. No other
        team can ever take the old slug. With images in the private registry, a slug
        cannot be changed.
        """
        refuse_unknown("parameter", request.query_params, {CONFIRM})
        row = self.application
        self.require(Permission.APPLICATION_MANAGE)
        values = self.validated(ApplicationChangesSerializer)
        services.change_application(
            actor=self.actor, application=row, name=values.get("name", row.name)
        )
        if "slug" in values:
            row = services.change_slug(
                actor=self.actor,
                application=row,
                slug=values["slug"],
                confirmed=request.query_params.get(CONFIRM, ""),
            )
        return self.shown(row)

    @extend_schema(responses={200: ArchivedApplicationSerializer, 204: None})
    @conditional(Permission.APPLICATION_MANAGE)
    def delete(self, request: Request, application: str) -> Response:
        """Delete an application that has no licenses.

        One that had licenses that are archived is archived too, and returned: images
        by its name are unknown from then on, and its slug stays reserved.
        """
        archived = services.delete_application(
            actor=self.actor, application=self.application
        )
        if archived is None:
            return Response(status=204)
        return self.stored(detail=APPLICATION_KEPT)


class ApplicationRestoreView(ApplicationChildView[Application]):
    serializer_class = ApplicationSerializer

    def target(self) -> Application:
        return self.application

    @conditional(Permission.APPLICATION_MANAGE)
    def post(self, request: Request, application: str) -> Response:
        """Undo archiving. Licenses stay archived until they are restored too."""
        services.restore_application(actor=self.actor, application=self.application)
        return self.stored()


class _Channels(ApplicationChildView[Channel]):
    serializer_class = ChannelSerializer

    def get_queryset(self) -> QuerySet[Channel]:
        return channels_for_application(self.application)


class ChannelsView(_Channels):
    orderings = ("created_at", "updated_at", "name", "slug")

    def get(self, request: Request, application: str) -> Response:
        """List an application's channels."""
        self.require(Permission.APPLICATION_READ)
        return self.page()

    @extend_schema(request=NewChannelSerializer)
    @idempotent(Permission.APPLICATION_MANAGE)
    def post(self, request: Request, application: str) -> Response:
        """Add a channel; a new default replaces the current one."""
        channel = services.create_channel(
            actor=self.actor,
            application=self.application,
            **self.validated(NewChannelSerializer),
        )
        return self.shown(channel, 201)


class ChannelView(_Channels):
    def get(self, request: Request, application: str, channel: str) -> Response:
        """Read a channel, by ID or slug."""
        self.require(Permission.APPLICATION_READ)
        return self.shown(self.find(channel))

    @extend_schema(request=ChannelChangesSerializer)
    @conditional(Permission.APPLICATION_MANAGE)
    def patch(self, request: Request, application: str, channel: str) -> Response:
        """Rename a channel, or make it the default."""
        row = self.find(channel)
        self.require(Permission.APPLICATION_MANAGE)
        changes = self.validated(ChannelChangesSerializer)
        services.change_channel(actor=self.actor, channel=row, changes=changes)
        return self.stored()

    @conditional(Permission.APPLICATION_MANAGE)
    def delete(self, request: Request, application: str, channel: str) -> Response:
        """Delete a channel that is not the default and has no licenses."""
        services.delete_channel(actor=self.actor, channel=self.find(channel))
        return Response(status=204)
