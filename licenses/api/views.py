from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import ClassVar

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from licenses import services
from licenses.api.applications import ApplicationChildView
from licenses.api.serializers import (
    CustomerChangesSerializer,
    CustomerSerializer,
    LicenseChangesSerializer,
    LicenseFieldChangesSerializer,
    LicenseFieldSerializer,
    LicenseSearchSerializer,
    LicenseSerializer,
    NewCustomerSerializer,
    NewLicenseFieldSerializer,
    NewLicenseSerializer,
    RevocationSerializer,
)
from licenses.filters import CustomerFilter, LicenseFilter
from licenses.models import Application, Channel, Customer, License, LicenseField
from licenses.selectors import (
    applications_for_team,
    channels_for_application,
    customers_for_team,
    license_by_secret,
    license_fields_for_application,
    licenses_for_team,
)
from portal.crypto.secrets import Secret
from portal.errors import Invalid
from teams.api.base import TeamView, by_id_or_slug, find
from teams.api.idempotency import idempotent
from teams.permissions import Permission


class CustomersView(TeamView):
    filterset_class: ClassVar[type[CustomerFilter]] = CustomerFilter

    def get_queryset(self) -> QuerySet[Customer]:
        return customers_for_team(self.team_id)

    @extend_schema(
        operation_id="customers_list", responses=CustomerSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """List the team's customers."""
        self.require(Permission.CUSTOMER_READ)
        return self.page(CustomerSerializer)

    @extend_schema(
        operation_id="customers_create",
        request=NewCustomerSerializer,
        responses={201: CustomerSerializer},
    )
    @idempotent(Permission.CUSTOMER_MANAGE)
    def post(self, request: Request) -> Response:
        """Add a customer."""
        values = self.validated(NewCustomerSerializer)
        customer = services.create_customer(actor=self.actor, team=self.team, **values)
        return self.shown(CustomerSerializer, customer, 201)


class CustomerView(TeamView):
    @extend_schema(operation_id="customers_read", responses=CustomerSerializer)
    def get(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Read a customer."""
        self.require(Permission.CUSTOMER_READ)
        customer = find(customers_for_team(self.team_id), pk=customer_id)
        return self.shown(CustomerSerializer, customer)

    @extend_schema(
        operation_id="customers_change",
        request=CustomerChangesSerializer,
        responses=CustomerSerializer,
    )
    def patch(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Change name, e-mail address or custom ID."""
        customer = find(customers_for_team(self.team_id), pk=customer_id)
        self.require(Permission.CUSTOMER_MANAGE)
        changes = self.validated(CustomerChangesSerializer)
        customer = services.change_customer(
            actor=self.actor, customer=customer, changes=changes
        )
        return self.shown(CustomerSerializer, customer)


class CustomerArchiveView(TeamView):
    @extend_schema(
        operation_id="customers_archive", request=None, responses=CustomerSerializer
    )
    def post(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Stop all pulls with the customer's licenses."""
        customer = find(customers_for_team(self.team_id), pk=customer_id)
        customer = services.archive_customer(actor=self.actor, customer=customer)
        return self.shown(CustomerSerializer, customer)


class CustomerRestoreView(TeamView):
    @extend_schema(
        operation_id="customers_restore", request=None, responses=CustomerSerializer
    )
    def post(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Undo archiving: unexpired, unrevoked licenses pull again."""
        customer = find(customers_for_team(self.team_id), pk=customer_id)
        customer = services.restore_customer(actor=self.actor, customer=customer)
        return self.shown(CustomerSerializer, customer)


class LicenseFieldsView(ApplicationChildView):
    def get_queryset(self) -> QuerySet[LicenseField]:
        return license_fields_for_application(self.application)

    @extend_schema(
        operation_id="license_fields_list", responses=LicenseFieldSerializer(many=True)
    )
    def get(self, request: Request, application: str) -> Response:
        """List the fields that licenses of an application carry."""
        self.require(Permission.APPLICATION_READ)
        return self.page(LicenseFieldSerializer)

    @extend_schema(
        operation_id="license_fields_create",
        request=NewLicenseFieldSerializer,
        responses={201: LicenseFieldSerializer},
    )
    @idempotent(Permission.APPLICATION_MANAGE)
    def post(self, request: Request, application: str) -> Response:
        """Define a field that licenses of an application carry."""
        owner = self.application
        values = self.validated(NewLicenseFieldSerializer)
        field = services.create_license_field(
            actor=self.actor, application=owner, values=values
        )
        return self.shown(LicenseFieldSerializer, field, 201)


class LicenseFieldView(ApplicationChildView):
    @extend_schema(operation_id="license_fields_read", responses=LicenseFieldSerializer)
    def get(self, request: Request, application: str, field_id: uuid.UUID) -> Response:
        """Read a license field."""
        self.require(Permission.APPLICATION_READ)
        return self.shown(LicenseFieldSerializer, self._find(field_id))

    @extend_schema(
        operation_id="license_fields_change",
        request=LicenseFieldChangesSerializer,
        responses=LicenseFieldSerializer,
    )
    def patch(
        self, request: Request, application: str, field_id: uuid.UUID
    ) -> Response:
        """Change a field's title, default, options or flags."""
        field = self._find(field_id)
        self.require(Permission.APPLICATION_MANAGE)
        changes = self.validated(LicenseFieldChangesSerializer)
        field = services.change_license_field(
            actor=self.actor, field=field, changes=changes
        )
        return self.shown(LicenseFieldSerializer, field)

    @extend_schema(operation_id="license_fields_delete", responses={204: None})
    def delete(
        self, request: Request, application: str, field_id: uuid.UUID
    ) -> Response:
        """Delete a license field; licenses lose their value of it."""
        services.delete_license_field(actor=self.actor, field=self._find(field_id))
        return Response(status=204)

    def _find(self, field_id: uuid.UUID) -> LicenseField:
        return find(license_fields_for_application(self.application), pk=field_id)


class LicensesView(TeamView):
    filterset_class: ClassVar[type[LicenseFilter]] = LicenseFilter

    def get_queryset(self) -> QuerySet[License]:
        return licenses_for_team(self.team_id)

    @extend_schema(operation_id="licenses_list", responses=LicenseSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the team's licenses."""
        self.require(Permission.LICENSE_READ)
        return self.page(LicenseSerializer)

    @extend_schema(
        operation_id="licenses_create",
        request=NewLicenseSerializer,
        responses={201: LicenseSerializer},
    )
    @idempotent(Permission.LICENSE_ISSUE)
    def post(self, request: Request) -> Response:
        """Issue a license. Its ID is in the license file."""
        values = self.validated(NewLicenseSerializer)
        application = self._application(values.pop("application"))
        license = services.issue_license(
            actor=self.actor,
            customer=self._customer(values.pop("customer")),
            application=application,
            channel=_channel(application, values.pop("channel")),
            **values,
        )
        shown = find(licenses_for_team(self.team_id), pk=license.pk)
        return self.shown(LicenseSerializer, shown, 201)

    def _application(self, text: str) -> Application:
        application = by_id_or_slug(applications_for_team(self.team_id), text)
        if application is None:
            raise Invalid({"application": ["Choose an application of your team."]})
        return application

    def _customer(self, customer_id: uuid.UUID) -> Customer:
        customer = customers_for_team(self.team_id).filter(pk=customer_id).first()
        if customer is None:
            raise Invalid({"customer": ["Choose a customer of your team."]})
        return customer


class LicenseView(TeamView):
    @extend_schema(operation_id="licenses_read", responses=LicenseSerializer)
    def get(self, request: Request, license_id: uuid.UUID) -> Response:
        """Read a license."""
        self.require(Permission.LICENSE_READ)
        license = find(licenses_for_team(self.team_id), pk=license_id)
        return self.shown(LicenseSerializer, license)

    @extend_schema(
        operation_id="licenses_change",
        request=LicenseChangesSerializer,
        responses=LicenseSerializer,
    )
    def patch(self, request: Request, license_id: uuid.UUID) -> Response:
        """Change channel, type, expiry or field values. Pulls feel it in a second."""
        license = find(licenses_for_team(self.team_id), pk=license_id)
        self.require(Permission.LICENSE_CHANGE)
        changes = self.validated(LicenseChangesSerializer)
        if "channel" in changes:
            changes["channel"] = _channel(license.application, changes["channel"])
        services.change_license(actor=self.actor, license=license, changes=changes)
        shown = find(licenses_for_team(self.team_id), pk=license_id)
        return self.shown(LicenseSerializer, shown)


class LicenseRevokeView(TeamView):
    @extend_schema(
        operation_id="licenses_revoke",
        request=RevocationSerializer,
        responses=LicenseSerializer,
    )
    def post(self, request: Request, license_id: uuid.UUID) -> Response:
        """Stop pulls within one second. Revoking twice keeps the first reason."""
        license = find(licenses_for_team(self.team_id), pk=license_id)
        self.require(Permission.LICENSE_REVOKE)
        reason = self.validated(RevocationSerializer)["reason"]
        services.revoke_license(actor=self.actor, license=license, reason=reason)
        shown = find(licenses_for_team(self.team_id), pk=license_id)
        return self.shown(LicenseSerializer, shown)


class LicenseReinstateView(TeamView):
    @extend_schema(
        operation_id="licenses_reinstate", request=None, responses=LicenseSerializer
    )
    def post(self, request: Request, license_id: uuid.UUID) -> Response:
        """Undo a revocation."""
        license = find(licenses_for_team(self.team_id), pk=license_id)
        services.reinstate_license(actor=self.actor, license=license)
        shown = find(licenses_for_team(self.team_id), pk=license_id)
        return self.shown(LicenseSerializer, shown)


class LicenseSearchView(TeamView):
    @extend_schema(
        operation_id="licenses_search",
        request=LicenseSearchSerializer,
        responses=LicenseSerializer,
    )
    def post(self, request: Request) -> Response:
        """Find a license by its ID, which as a secret never goes into an address."""
        self.require(Permission.LICENSE_READ)
        license_id = self.validated(LicenseSearchSerializer)["license_id"]
        found = license_by_secret(Secret(license_id))
        if found is None:
            raise Http404
        shown = find(licenses_for_team(self.team_id), pk=found.pk)
        return self.shown(LicenseSerializer, shown)


class FirstRenderer(BaseContentNegotiation):
    """Ignores ``Accept``: there is one form of the answer."""

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


class LicenseFileView(TeamView):
    # A HEAD request would note a download that nobody got.
    http_method_names: Sequence[str] = ["get"]
    content_negotiation_class = FirstRenderer

    @extend_schema(
        operation_id="licenses_file",
        responses={(200, "application/yaml"): OpenApiResponse(OpenApiTypes.OBJECT)},
    )
    def get(self, request: Request, license_id: uuid.UUID) -> HttpResponse:
        """Download the license file, which holds the license ID. It is audited."""
        license = find(licenses_for_team(self.team_id), pk=license_id)
        text = services.download_license_file(actor=self.actor, license=license)
        name = f"license-{license.application.slug}.yaml"
        return HttpResponse(
            text,
            content_type="application/yaml",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _channel(application: Application, channel_id: uuid.UUID | None) -> Channel | None:
    if channel_id is None:
        return None
    channel = channels_for_application(application).filter(pk=channel_id).first()
    if channel is None:
        raise Invalid({"channel": ["Choose a channel of the license's application."]})
    return channel
