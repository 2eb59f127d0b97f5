"""The API for license holders: what an installer needs, with a license alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpResponse
from django.utils.http import parse_etags
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from licenses.api.licenses import TEXT, TEXT_TYPE, FirstRenderer
from licenses.api.serializers import (
    CreatedPullCredentialSerializer,
    NewPullCredentialSerializer,
    PullCredentialSerializer,
    ReplacementSerializer,
)
from licenses.files.license_file import license_file
from licenses.models import License, PullCredential
from licenses.services import create_pull_credential, rotate_pull_credential
from portal.crypto.secrets import Secret
from portal.errors import Conflict, NotAllowed
from portal.http.api.rate_limits import tell_limit
from registries.api.license_authentication import (
    LicenseAuthentication,
    SignedInLicense,
)
from registries.api.license_serializers import (
    HeldLicenseSerializer,
    ImagesToResolveSerializer,
    RenamedRegistriesSerializer,
    ResolvedImagesSerializer,
)
from registries.preview.license_images import renamed_registries, resolve_images
from registries.pulls.pull_secret import check_namespace, pull_secret_of
from teams.actors import Actor
from teams.api.base import refuse_unknown
from teams.api.idempotency import idempotent
from teams.permissions import Permission


class LicenseHolderView(GenericAPIView[Any]):
    """A view for a license holder; it shows only that license."""

    http_method_names: Sequence[str] = ["get", "head", "post"]
    authentication_classes: Sequence[type[BaseAuthentication]] = (
        LicenseAuthentication,
    )
    parameters: ClassVar[frozenset[str]] = frozenset()

    @property
    def signed_in(self) -> SignedInLicense:
        signed_in = self.request.user
        assert isinstance(signed_in, SignedInLicense)  # noqa: S101 -- narrows
        return signed_in

    @property
    def license(self) -> License:
        return self.signed_in.license

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        refuse_unknown("parameter", request.query_params, self.parameters)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        # Responses contain private data of the customer, even the license ID.
        response.headers["Cache-Control"] = "no-store"
        tell_limit(request, response)
        return response


class HeldLicenseView(LicenseHolderView):
    serializer_class = HeldLicenseSerializer

    def get(self, request: Request) -> Response:
        """Read your license."""
        return Response(self.get_serializer(self.license).data)


class HeldLicenseFileView(LicenseHolderView):
    content_negotiation_class = FirstRenderer

    @extend_schema(
        operation_id="held_license_file",
        parameters=[
            OpenApiParameter(
                "If-None-Match",
                str,
                OpenApiParameter.HEADER,
                description="The `ETag` of your copy",
            )
        ],
        responses={
            (200, TEXT): OpenApiResponse(OpenApiTypes.STR),
            304: OpenApiResponse(description="Not modified"),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        """Download your license file, signed and current.

        Its `licenseID` is the pull credential that you sent, or the current license ID.
        """
        file = license_file(self.license, self.signed_in.secret)
        tag = f'"{file.tag}"'
        if _has(request, tag):
            return HttpResponse(status=304, headers={"ETag": tag})
        return HttpResponse(
            file.text(),
            content_type=TEXT_TYPE,
            headers={
                "Content-Disposition": f'attachment; filename="{file.name}"',
                "ETag": tag,
            },
        )


class PullSecretView(LicenseHolderView):
    content_negotiation_class = FirstRenderer
    parameters = frozenset({"namespace"})

    @extend_schema(
        operation_id="held_license_pull_secret",
        parameters=[
            OpenApiParameter(
                "namespace",
                str,
                description="Namespace of the Secret; without it the Secret names none",
            )
        ],
        responses={(200, TEXT): OpenApiResponse(OpenApiTypes.STR)},
    )
    def get(self, request: Request) -> HttpResponse:
        """Get the Kubernetes pull secret, with the pull credential or license ID."""
        namespace = request.query_params.get("namespace")
        if namespace is not None:
            check_namespace(namespace)
        application = self.license.application
        text = pull_secret_of(application, self.signed_in.secret, _hosts(), namespace)
        return HttpResponse(text, content_type=TEXT_TYPE)


class _MakingView(LicenseHolderView):
    """A view that makes secrets, if the vendor lets its customers."""

    serializer_class = PullCredentialSerializer

    @property
    def actor(self) -> Actor:
        return self.signed_in.actor

    def require(self, permission: Permission) -> None:
        if not self.license.team.customers_make_credentials:
            raise NotAllowed(
                "pull_credentials_not_offered",
                "Your vendor does not let licenses make pull credentials. Ask them for "
                "one.",
            )

    def prepare(self) -> None:
        """Prepare nothing: all is one transaction."""

    def validated(
        self, serializer_class: type[serializers.Serializer[Any]]
    ) -> dict[str, Any]:
        serializer = serializer_class(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def made(self, credential: PullCredential, secret: Secret) -> Response:
        shown = self.get_serializer(credential).data
        return Response({**shown, "credential": secret.reveal()}, 201)


class HeldPullCredentialsView(_MakingView):
    @extend_schema(
        operation_id="held_license_pull_credentials_create",
        request=NewPullCredentialSerializer,
        responses={201: CreatedPullCredentialSerializer},
    )
    @idempotent(Permission.CREDENTIAL_MANAGE)
    def post(self, request: Request) -> Response:
        """Create a pull credential of your license, if the vendor lets you.

        Made with another one, it does not outlive that, and is for its networks.
        """
        return self.made(
            *create_pull_credential(
                actor=self.actor,
                license=self.license,
                created_with=self.signed_in.credential,
                **self.validated(NewPullCredentialSerializer),
            )
        )


class HeldPullCredentialRotateView(_MakingView):
    @extend_schema(
        operation_id="held_license_pull_credential_rotate",
        request=ReplacementSerializer,
        responses={201: CreatedPullCredentialSerializer},
    )
    @idempotent(Permission.CREDENTIAL_MANAGE)
    def post(self, request: Request) -> Response:
        """Replace the pull credential that you sent, if the vendor lets you.

        The old one stays valid for a while.
        """
        credential = self.signed_in.credential
        if credential is None:
            raise Conflict(
                "not_a_pull_credential",
                "Send the pull credential to rotate as the password, not the license "
                "ID.",
            )
        return self.made(
            *rotate_pull_credential(
                actor=self.actor,
                credential=credential,
                created_with=credential,
                **self.validated(ReplacementSerializer),
            )
        )


class ResolveImagesView(LicenseHolderView):
    serializer_class = ResolvedImagesSerializer

    @extend_schema(request=ImagesToResolveSerializer)
    def post(self, request: Request) -> Response:
        """Return the names to pull images by with your license; asks no registry."""
        body = ImagesToResolveSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        images = body.validated_data["images"]
        resolved = resolve_images(self.license.application, images)
        return Response(self.get_serializer({"images": resolved}).data)


class HeldRegistriesView(LicenseHolderView):
    serializer_class = RenamedRegistriesSerializer
    is_paged = False

    @extend_schema(operation_id="held_license_registries")
    def get(self, request: Request) -> Response:
        """List registries whose images you pull through the proxy, and by which names.

        For a cluster that renames images itself; asks no registry.
        """
        registries = renamed_registries(self.license.application)
        return Response(self.get_serializer({"registries": registries}).data)


def _has(request: Request, tag: str) -> bool:
    """Return whether the client already has it (RFC 9110 section 13.1.2)."""
    presented = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in presented or tag in {value.removeprefix("W/") for value in presented}


def _hosts() -> list[str]:
    hosts = [settings.BERTH_PROXY_HOST, settings.BERTH_REGISTRY_HOST]
    configured = [host for host in dict.fromkeys(hosts) if host]
    if not configured:
        raise Conflict(
            "hosts_not_set_up",
            "No host to pull images from is configured. The operator must set "
            "BERTH_PROXY_HOST.",
        )
    return configured
