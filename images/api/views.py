"""Images in the private registry, under their application."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from images import services
from images.api.serializers import (
    ImageManifestSerializer,
    ImageSerializer,
    ImageTagSerializer,
)
from images.filters import ImageFilter, ImageManifestFilter, ImageTagFilter
from images.models import ImageManifest, ImageRepository, ImageTag
from images.selectors import (
    image_repositories_for_team,
    images_of_repository,
    repositories_of_application,
    tags_of_repository,
)
from licenses.api.applications import ApplicationChildView
from teams.api.base import ModelT, find
from teams.permissions import Permission

_DELETED: dict[Any, Any] = {
    204: None,
    (502, "application/problem+json"): OpenApiResponse(
        {"$ref": "#/components/schemas/Problem"},
        description="The private registry failed",
    ),
}


class ImagesView(ApplicationChildView[ImageRepository]):
    orderings = ("created_at", "name")
    serializer_class = ImageSerializer
    filterset_class = ImageFilter

    def get_queryset(self) -> QuerySet[ImageRepository]:
        return image_repositories_for_team(self.team_id).filter(
            application=self.application
        )

    def get(self, request: Request, application: str) -> Response:
        """List an application's images in the private registry."""
        self.require(Permission.REGISTRY_READ)
        return self.page()


class ImageChildView(ApplicationChildView[ModelT]):
    """Base of the views of one image; not routed itself."""

    @property
    def repository(self) -> ImageRepository:
        if getattr(self, "swagger_fake_view", False):
            return ImageRepository(team_id=self.team_id, application=self.application)
        return find(
            repositories_of_application(self.application), pk=self.kwargs["image_id"]
        )


class ImageView(ImageChildView[ImageRepository]):
    serializer_class = ImageSerializer

    def get(self, request: Request, application: str, image_id: uuid.UUID) -> Response:
        """Read an image."""
        self.require(Permission.REGISTRY_READ)
        rows = image_repositories_for_team(self.team_id)
        return self.shown(find(rows, application=self.application, pk=image_id))

    @extend_schema(responses=_DELETED)
    def delete(
        self, request: Request, application: str, image_id: uuid.UUID
    ) -> Response:
        """Delete an image with all its tags. After a 502, repeat it for the rest."""
        services.delete_repository(actor=self.actor, repository=self.repository)
        return Response(status=204)


class _Tags(ImageChildView[ImageTag]):
    serializer_class = ImageTagSerializer

    def get_queryset(self) -> QuerySet[ImageTag]:
        return tags_of_repository(self.repository)


class ImageTagsView(_Tags):
    ordering = ("-pushed_at", "-id")
    orderings = ("pushed_at", "name")
    filterset_class = ImageTagFilter

    @extend_schema(operation_id="image_tags_list")
    def get(self, request: Request, application: str, image_id: uuid.UUID) -> Response:
        """List an image's tags, the last pushed first."""
        self.require(Permission.REGISTRY_READ)
        return self.page()


class ImageTagView(_Tags):
    @extend_schema(operation_id="image_tags_read")
    def get(self, request: Request, tag_id: uuid.UUID, **parents: object) -> Response:
        """Read a tag and the image that it names."""
        self.require(Permission.REGISTRY_READ)
        return self.shown(self.find(tag_id))

    @extend_schema(operation_id="image_tags_delete", responses=_DELETED)
    def delete(
        self, request: Request, tag_id: uuid.UUID, **parents: object
    ) -> Response:
        """Delete a tag, and with its last tag the image. A moved tag stays."""
        services.delete_tag(actor=self.actor, tag=self.find(tag_id))
        return Response(status=204)


class _Manifests(ImageChildView[ImageManifest]):
    serializer_class = ImageManifestSerializer

    def get_queryset(self) -> QuerySet[ImageManifest]:
        return images_of_repository(self.repository).prefetch_related("tags")


class ImageManifestsView(_Manifests):
    ordering = ("-pushed_at", "-id")
    orderings = ("pushed_at",)
    filterset_class = ImageManifestFilter

    @extend_schema(operation_id="image_manifests_list")
    def get(self, request: Request, application: str, image_id: uuid.UUID) -> Response:
        """List images and indexes by digest, tagged and untagged."""
        self.require(Permission.REGISTRY_READ)
        return self.page()


class ImageManifestView(_Manifests):
    @extend_schema(operation_id="image_manifests_read")
    def get(
        self, request: Request, manifest_id: uuid.UUID, **parents: object
    ) -> Response:
        """Read a manifest."""
        self.require(Permission.REGISTRY_READ)
        return self.shown(self.find(manifest_id))

    @extend_schema(operation_id="image_manifests_delete", responses=_DELETED)
    def delete(
        self, request: Request, manifest_id: uuid.UUID, **parents: object
    ) -> Response:
        """Delete a manifest unless a tag or an index uses it."""
        services.delete_manifest(actor=self.actor, manifest=self.find(manifest_id))
        return Response(status=204)
