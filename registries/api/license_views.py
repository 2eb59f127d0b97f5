"""The API for license holders: what an installer needs, with a license alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpResponse
from django.utils.http import parse_etags
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from licenses.api.licenses import FirstRenderer
from licenses.files.license_file import license_file
from licenses.models import License
from portal.errors import Conflict
from registries.api.license_authentication import (
    LicenseAuthentication,
    SignedInLicense,
)
from registries.api.license_serializers import (
    HeldLicenseSerializer,
    ImagesToResolveSerializer,
    ResolvedImagesSerializer,
)
from registries.preview.license_images import resolve_images
from registries.pulls.pull_secret import check_namespace, pull_secret_of
from teams.api.base import refuse_unknown

YAML = "application/yaml"


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
        return response


class HeldLicenseView(LicenseHolderView):
    serializer_class = HeldLicenseSerializer

    def get(self, request: Request) -> Response:
        """Read your license."""
        return Response(self.get_serializer(self.license).data)


class HeldLicenseFileView(LicenseHolderView):
    content_negotiation_class = FirstRenderer

    @extend_schema(
        operation_id="license_file",
        parameters=[
            OpenApiParameter(
                "If-None-Match",
                str,
                OpenApiParameter.HEADER,
                description="The `ETag` of your copy",
            )
        ],
        responses={
            (200, YAML): OpenApiResponse(OpenApiTypes.OBJECT),
            304: OpenApiResponse(description="Not modified"),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        """Download your license file, signed and current.

        Its `licenseID` is what you sent as the password.
        """
        file = license_file(self.license, self.signed_in.secret)
        tag = f'"{file.tag}"'
        if _has(request, tag):
            return HttpResponse(status=304, headers={"ETag": tag})
        return HttpResponse(
            file.text(),
            content_type=YAML,
            headers={
                "Content-Disposition": f'attachment; filename="{file.name}"',
                "ETag": tag,
            },
        )


class PullSecretView(LicenseHolderView):
    content_negotiation_class = FirstRenderer
    parameters = frozenset({"namespace"})

    @extend_schema(
        operation_id="license_pull_secret",
        parameters=[
            OpenApiParameter(
                "namespace",
                str,
                description="Namespace of the Secret; without it the Secret names none",
            )
        ],
        responses={(200, YAML): OpenApiResponse(OpenApiTypes.OBJECT)},
    )
    def get(self, request: Request) -> HttpResponse:
        """Get the Kubernetes pull secret, with what you sent as the password."""
        namespace = request.query_params.get("namespace")
        if namespace is not None:
            check_namespace(namespace)
        application = self.license.application
        text = pull_secret_of(application, self.signed_in.secret, _hosts(), namespace)
        return HttpResponse(text, content_type=YAML)


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
