from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from licenses import services
from licenses.api.applications import ApplicationChildView
from licenses.api.serializers import (
    LicenseFieldChangesSerializer,
    LicenseFieldSerializer,
    NewLicenseFieldSerializer,
)
from licenses.models import LicenseField
from licenses.selectors import (
    license_fields_for_application,
)
from teams.api.conditions import conditional
from teams.api.idempotency import idempotent
from teams.permissions import Permission


class _LicenseFields(ApplicationChildView[LicenseField]):
    serializer_class = LicenseFieldSerializer
    known_by = "name"

    def get_queryset(self) -> QuerySet[LicenseField]:
        return license_fields_for_application(self.application)


class LicenseFieldsView(_LicenseFields):
    orderings = ("created_at", "updated_at", "name")

    def get(self, request: Request, application: str) -> Response:
        """List the license fields of an application."""
        self.require(Permission.APPLICATION_READ)
        return self.page()

    @extend_schema(request=NewLicenseFieldSerializer)
    @idempotent(Permission.APPLICATION_MANAGE)
    def post(self, request: Request, application: str) -> Response:
        """Add a license field to an application."""
        owner = self.application
        values = self.validated(NewLicenseFieldSerializer)
        field = services.create_license_field(
            actor=self.actor, application=owner, values=values
        )
        return self.shown(field, 201)


class LicenseFieldView(_LicenseFields):
    def get(self, request: Request, application: str, field: str) -> Response:
        """Read a license field, by ID or name."""
        self.require(Permission.APPLICATION_READ)
        return self.shown(self.find(field))

    @extend_schema(request=LicenseFieldChangesSerializer)
    @conditional(Permission.APPLICATION_MANAGE)
    def patch(self, request: Request, application: str, field: str) -> Response:
        """Change a field's title, default, options or flags."""
        row = self.find(field)
        self.require(Permission.APPLICATION_MANAGE)
        changes = self.validated(LicenseFieldChangesSerializer)
        services.change_license_field(actor=self.actor, field=row, changes=changes)
        return self.stored()

    @conditional(Permission.APPLICATION_MANAGE)
    def delete(self, request: Request, application: str, field: str) -> Response:
        """Delete a license field and its values in all licenses."""
        services.delete_license_field(actor=self.actor, field=self.find(field))
        return Response(status=204)
