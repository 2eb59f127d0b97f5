from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Lower
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from licenses import services
from licenses.api.serializers import (
    ArchivedLicenseSerializer,
    IssuedLicenseSerializer,
    LicenseChangesSerializer,
    LicenseSearchSerializer,
    LicenseSerializer,
    NewLicenseSerializer,
    PullCredentialSerializer,
    RevocationSerializer,
)
from licenses.filters import LicenseFilter
from licenses.models import NEVER, Application, Channel, Customer, License
from licenses.selectors import (
    applications_for_team,
    channels_for_application,
    customers_for_team,
    licenses_for_team,
    licenses_with_id,
)
from portal.crypto.secrets import Secret
from portal.errors import Invalid
from teams.api.base import TeamView, by_id_or_name, find
from teams.api.conditions import conditional
from teams.api.idempotency import idempotent
from teams.permissions import Permission

# YAML is sent as plain text. Generated clients leave application/yaml out, or parse it
# as if it were one value; and the text is what was signed.
TEXT = "text/plain"
TEXT_TYPE = f"{TEXT}; charset=utf-8"
LICENSE_KEPT = (
    "This license was handed over or pulled with, so it is kept for the record: "
    "archived instead of deleted, revoked, and left out of lists."
)


class LicenseDetail(TeamView[License]):
    """A view of the team's licenses."""

    serializer_class = LicenseSerializer

    def get_queryset(self) -> QuerySet[License]:
        return licenses_for_team(self.team_id)

    def channel_named(
        self, application: Application, text: str | None
    ) -> Channel | None:
        """Return an application's channel with this ID or slug; None for none.

        Raises:
            Invalid: the application has no such channel.
        """
        if text is None:
            return None
        channel = by_id_or_name(channels_for_application(application), text)
        if channel is None:
            message = "Choose a channel of the license's application."
            raise Invalid({"channel": [message]})
        return channel


class IssuingView(LicenseDetail):
    """A view that issues licenses."""

    def terms(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the terms that a body names, as services take them."""
        application = self.application_named(values["application"])
        return {
            "customer": self.customer_named(values["customer"]),
            "application": application,
            "channel": self.channel_named(application, values["channel"]),
            "type": values["type"],
            "expires_at": values["expires_at"],
            "field_values": values["field_values"],
        }

    def application_named(self, text: str) -> Application:
        application = by_id_or_name(applications_for_team(self.team_id), text)
        if application is None:
            raise Invalid({"application": ["Choose an application of your team."]})
        return application

    def customer_named(self, text: str) -> Customer:
        customer = by_id_or_name(customers_for_team(self.team_id), text, "custom_id")
        if customer is None:
            raise Invalid({"customer": ["Choose a customer of your team."]})
        return customer


class LicensesView(IssuingView):
    orderings = ("created_at", "updated_at", "expires_at", "customer_name")
    order_by: ClassVar[Mapping[str, Combinable]] = {
        "expires_at": Coalesce("expires_at", Value(NEVER)),
        "customer_name": Lower("customer__name"),
    }
    filterset_class = LicenseFilter

    def get(self, request: Request) -> Response:
        """List the team's licenses."""
        self.require(Permission.LICENSE_READ)
        return self.page()

    @extend_schema(
        request=NewLicenseSerializer, responses={201: IssuedLicenseSerializer}
    )
    @idempotent(Permission.LICENSE_ISSUE)
    @transaction.atomic
    def post(self, request: Request) -> Response:
        """Issue a license, with a pull credential if you ask for one.

        The license ID and the credential's text are shown only now.
        """
        values = self.validated(NewLicenseSerializer)
        wanted = values.get("pull_credential")
        license = services.issue_license(actor=self.actor, **self.terms(values))
        secret = services.reveal_license_id(actor=self.actor, license=license)
        return self.shown(
            self.find(license.pk),
            201,
            license_id=secret.reveal(),
            pull_credential=wanted and self._first_credential(license, wanted),
        )

    def _first_credential(
        self, license: License, wanted: dict[str, Any]
    ) -> dict[str, Any]:
        credential, secret = services.create_pull_credential(
            actor=self.actor, license=license, **wanted
        )
        shown = PullCredentialSerializer(credential, context={"view": self}).data
        return {**shown, "credential": secret.reveal()}


class LicenseView(LicenseDetail):
    def get(self, request: Request, license_id: uuid.UUID) -> Response:
        """Read a license."""
        self.require(Permission.LICENSE_READ)
        return self.stored()

    @extend_schema(request=LicenseChangesSerializer)
    @conditional(Permission.LICENSE_CHANGE)
    def patch(self, request: Request, license_id: uuid.UUID) -> Response:
        """Change channel, type, expiry or field values. Pulls follow in a second.

        Field values that are left out stay, and null removes one.
        """
        license = self.find(license_id)
        self.require(Permission.LICENSE_CHANGE)
        changes = self.validated(LicenseChangesSerializer)
        if "channel" in changes:
            changes["channel"] = self.channel_named(
                license.application, changes["channel"]
            )
        services.change_license(
            actor=self.actor, license=license, changes=changes, merges_values=True
        )
        return self.stored()

    @extend_schema(responses={200: ArchivedLicenseSerializer, 204: None})
    @conditional(Permission.LICENSE_REVOKE)
    def delete(self, request: Request, license_id: uuid.UUID) -> Response:
        """Delete a license; its pulls stop within one second.

        One that was handed over or pulled with is archived and revoked, and returned.
        """
        archived = services.delete_license(
            actor=self.actor, license=self.find(license_id)
        )
        if archived is None:
            return Response(status=204)
        return self.stored(detail=LICENSE_KEPT)


class LicenseRestoreView(LicenseDetail):
    @conditional(Permission.LICENSE_REVOKE)
    def post(self, request: Request, license_id: uuid.UUID) -> Response:
        """Undo archiving. The license stays revoked until it is reinstated."""
        services.restore_license(actor=self.actor, license=self.find(license_id))
        return self.stored()


class LicenseRevokeView(LicenseDetail):
    @extend_schema(request=RevocationSerializer)
    @conditional(Permission.LICENSE_REVOKE)
    def post(self, request: Request, license_id: uuid.UUID) -> Response:
        """Stop pulls within one second. Revoking twice keeps the first reason."""
        license = self.find(license_id)
        self.require(Permission.LICENSE_REVOKE)
        reason = self.validated(RevocationSerializer)["reason"]
        services.revoke_license(actor=self.actor, license=license, reason=reason)
        return self.stored()


class LicenseReinstateView(LicenseDetail):
    @conditional(Permission.LICENSE_REVOKE)
    def post(self, request: Request, license_id: uuid.UUID) -> Response:
        """Undo a revocation."""
        services.reinstate_license(actor=self.actor, license=self.find(license_id))
        return self.stored()


class LicenseSearchView(LicenseDetail):
    @extend_schema(request=LicenseSearchSerializer)
    def post(self, request: Request) -> Response:
        """Find a license by its ID, a secret that must not be part of a URL."""
        self.require(Permission.LICENSE_READ)
        license_id = self.validated(LicenseSearchSerializer)["license_id"]
        license = find(licenses_with_id(self.team_id, Secret(license_id)))
        return self.shown(license)


class FirstRenderer(BaseContentNegotiation):
    """Ignores ``Accept``, because there is only one representation."""

    def select_parser(
        self, request: Request, parsers: Iterable[BaseParser]
    ) -> BaseParser | None:
        return next(iter(parsers), None)

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type or ""


class LicenseFileView(LicenseDetail):
    # A HEAD request would be audited as a download.
    http_method_names: Sequence[str] = ["get"]
    content_negotiation_class = FirstRenderer

    @extend_schema(
        operation_id="licenses_file",
        responses={(200, TEXT): OpenApiResponse(OpenApiTypes.STR)},
    )
    def get(self, request: Request, license_id: uuid.UUID) -> HttpResponse:
        """Download the license file, which contains the license ID. Audited."""
        license = self.find(license_id)
        text = services.download_license_file(actor=self.actor, license=license)
        name = f"license-{license.application.slug}.yaml"
        return HttpResponse(
            text,
            content_type=TEXT_TYPE,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
