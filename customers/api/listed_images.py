"""The images that a vendor lists for the customers of an application, by API."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.pulling.listed_images import ShownImage, listed_images
from customers.services.listed_images import (
    MAX_LISTED,
    list_images,
    lock_application,
)
from licenses.api.applications import ApplicationChildView
from licenses.models import Application
from teams.api.base import InputSerializer
from teams.api.conditions import conditional
from teams.permissions import Permission

_API = {
    "image": "quay.io/my-org/api:v1.0.1",
    "description": "The API server",
}
_REQUEST = OpenApiExample("Images", {"images": [_API]}, request_only=True)
_RESPONSE = OpenApiExample(
    "Images",
    {
        "images": [
            {
                "image": "images.example.com/proxy/my-app/quay.io/my-org/api:v1.0.1",
                "description": "The API server",
                "problem": "",
            }
        ]
    },
    response_only=True,
)


class ListedImageSerializer(serializers.Serializer[ShownImage]):
    image = serializers.CharField(help_text="The name to pull it by")
    description = serializers.CharField()
    problem = serializers.CharField(
        help_text="Why customers are not shown it; empty if they are"
    )


class ListedImagesSerializer(serializers.Serializer[dict[str, object]]):
    images = ListedImageSerializer(many=True)


class ImageToListSerializer(InputSerializer):
    image = serializers.CharField(
        max_length=1000,
        help_text="The name in your registry, or the name to pull it by; without a "
        "tag, `latest`",
    )
    description = serializers.CharField(
        max_length=200, required=False, allow_blank=True, default=""
    )


class ImagesToListSerializer(InputSerializer):
    images = serializers.ListField(
        child=ImageToListSerializer(),
        max_length=MAX_LISTED,
        help_text="In the order to show them in",
    )


class ListedImagesView(ApplicationChildView[Application]):
    serializer_class = ListedImagesSerializer
    is_paged = False

    def target(self) -> dict[str, object]:
        return {"images": listed_images(self.application)}

    def lock(self, row: object) -> None:
        lock_application(self.application)

    @extend_schema(examples=[_RESPONSE])
    def get(self, request: Request, application: str) -> Response:
        """Read which images customers of an application are shown first."""
        self.require(Permission.APPLICATION_READ)
        return self._stored()

    @extend_schema(request=ImagesToListSerializer, examples=[_REQUEST, _RESPONSE])
    @conditional(Permission.APPLICATION_MANAGE)
    def put(self, request: Request, application: str) -> Response:
        """Replace the images that customers of an application are shown first.

        Each must be one that the application may pull.
        """
        row = self.application
        self.require(Permission.APPLICATION_MANAGE)
        images = [
            (each["image"], each["description"])
            for each in self.validated(ImagesToListSerializer)["images"]
        ]
        list_images(actor=self.actor, application=row, images=images)
        return self._stored()

    def _stored(self) -> Response:
        images = self.target()
        return Response(
            self.get_serializer(images).data, headers={"ETag": self.etag(images)}
        )
