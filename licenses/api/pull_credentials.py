"""Pull credentials of a license, its ID, and secrets that have leaked."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from licenses import services
from licenses.api.licenses import LicenseDetail
from licenses.api.serializers import (
    CreatedPullCredentialSerializer,
    LeakedCredentialSerializer,
    NewPullCredentialSerializer,
    PullCredentialChangesSerializer,
    PullCredentialSerializer,
    ReplacedLicenseSerializer,
    ReplacementSerializer,
)
from licenses.filters import PullCredentialFilter
from licenses.models import License, PullCredential
from licenses.selectors import licenses_for_team, pull_credentials_of_license
from portal.crypto.secrets import Secret
from portal.errors import TooMany
from portal.http.api.rate_limits import note_request, tell_limit
from portal.http.client_address import neighbourhood_of
from portal.limits.minute_counts import count, seconds_left
from teams.actors import Origin
from teams.api.base import TeamView, find
from teams.api.conditions import conditional
from teams.api.idempotency import idempotent
from teams.permissions import Permission

REPORTS_PER_MINUTE = 30


class _PullCredentials(TeamView[PullCredential]):
    serializer_class = PullCredentialSerializer

    @property
    def license(self) -> License:
        if getattr(self, "swagger_fake_view", False):
            return License(team_id=self.team_id)
        return find(licenses_for_team(self.team_id), pk=self.kwargs["license_id"])

    def get_queryset(self) -> QuerySet[PullCredential]:
        return pull_credentials_of_license(self.license)

    def lock(self, row: PullCredential) -> None:
        # What changes a license's credentials locks the license alone.
        super().lock(self.license)

    def made(self, credential: PullCredential, secret: Secret) -> Response:
        return self.shown(credential, 201, credential=secret.reveal())


class PullCredentialsView(_PullCredentials):
    orderings = ("created_at", "updated_at", "name")
    filterset_class = PullCredentialFilter

    def get(self, request: Request, license_id: uuid.UUID) -> Response:
        """List a license's pull credentials, those that ended too."""
        self.require(Permission.LICENSE_READ)
        return self.page()

    @extend_schema(
        request=NewPullCredentialSerializer,
        responses={201: CreatedPullCredentialSerializer},
    )
    @idempotent(Permission.CREDENTIAL_MANAGE)
    def post(self, request: Request, license_id: uuid.UUID) -> Response:
        """Create a pull credential. Its text is shown only once."""
        license = self.license
        values = self.validated(NewPullCredentialSerializer)
        return self.made(
            *services.create_pull_credential(
                actor=self.actor, license=license, **values
            )
        )


class PullCredentialView(_PullCredentials):
    def get(
        self, request: Request, license_id: uuid.UUID, credential_id: uuid.UUID
    ) -> Response:
        """Read a pull credential."""
        self.require(Permission.LICENSE_READ)
        return self.shown(self.find(credential_id))

    @extend_schema(request=PullCredentialChangesSerializer)
    @conditional(Permission.CREDENTIAL_MANAGE)
    def patch(
        self, request: Request, license_id: uuid.UUID, credential_id: uuid.UUID
    ) -> Response:
        """Change name, expiry or networks. Pulls follow in a second."""
        credential = self.find(credential_id)
        self.require(Permission.CREDENTIAL_MANAGE)
        changes = self.validated(PullCredentialChangesSerializer)
        services.change_pull_credential(
            actor=self.actor, credential=credential, changes=changes
        )
        return self.stored()


class PullCredentialRotateView(_PullCredentials):
    def location(self, created: Model) -> str:
        return f"{self.request.path.rsplit('/', 2)[0]}/{created.pk}"

    @extend_schema(
        request=ReplacementSerializer, responses={201: CreatedPullCredentialSerializer}
    )
    @idempotent(Permission.CREDENTIAL_MANAGE)
    @conditional(Permission.CREDENTIAL_MANAGE)
    def post(
        self, request: Request, license_id: uuid.UUID, credential_id: uuid.UUID
    ) -> Response:
        """Make a new secret; the old one stays valid for a while."""
        credential = self.find(credential_id)
        values = self.validated(ReplacementSerializer)
        return self.made(
            *services.rotate_pull_credential(
                actor=self.actor, credential=credential, **values
            )
        )


class PullCredentialRevokeView(_PullCredentials):
    @extend_schema(request=None)
    @conditional(Permission.CREDENTIAL_MANAGE)
    def post(
        self, request: Request, license_id: uuid.UUID, credential_id: uuid.UUID
    ) -> Response:
        """Stop pulls with it within one second; other credentials go on."""
        credential = self.find(credential_id)
        services.revoke_pull_credential(actor=self.actor, credential=credential)
        return self.stored()


class LicenseReplaceIdView(LicenseDetail):
    def location(self, created: Model) -> str:
        return self.request.path.rpartition("/")[0]

    @extend_schema(
        operation_id="licenses_replace_id",
        request=ReplacementSerializer,
        responses={201: ReplacedLicenseSerializer},
    )
    @idempotent(Permission.CREDENTIAL_MANAGE)
    @conditional(Permission.CREDENTIAL_MANAGE)
    def post(self, request: Request, license_id: uuid.UUID) -> Response:
        """Give a license another ID; the old one stays valid for a while."""
        license = self.find(license_id)
        values = self.validated(ReplacementSerializer)
        secret = services.replace_license_id(
            actor=self.actor, license=license, **values
        )
        return self.stored(201, license_id=secret.reveal())


class LeakedCredentialView(GenericAPIView[Any]):
    """For whoever has found a secret where it should not be."""

    http_method_names: Sequence[str] = ["post"]
    authentication_classes: Sequence[type[BaseAuthentication]] = ()
    permission_classes: Sequence[type[BasePermission]] = ()
    serializer_class = LeakedCredentialSerializer

    @extend_schema(
        operation_id="leaked_credential_report",
        auth=[],
        responses={204: OpenApiResponse(description="The same for unknown secrets")},
    )
    def post(self, request: Request) -> Response:
        """Report a leaked secret, which stops at once; needs no login.

        The vendor is told. The answer does not say whether the secret was known.
        """
        reports = count(f"leak-reports:{neighbourhood_of(request)}")
        note_request(request, "reports", quota=REPORTS_PER_MINUTE, used=reports)
        if reports > REPORTS_PER_MINUTE:
            seconds = seconds_left()
            raise TooMany(
                "too_many_requests",
                f"Too many reports from your network. Try again in {seconds} seconds.",
                seconds,
            )
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        presented = Secret(serializer.validated_data["credential"].strip())
        services.revoke_leaked(presented, Origin.of(request))
        return Response(status=204)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        tell_limit(request, response)
        return response
