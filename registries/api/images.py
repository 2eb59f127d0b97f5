"""Images in the private registry, below the application whose slug names them."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from registries.filters import ImageFilter, ImageManifestFilter, ImageTagFilter
from registries.models import ImageManifest, ImageRepository, ImageTag
from registries.private_registry import services
from registries.private_registry.selectors import (
    image_repositories_for_team,
    images_of_repository,
    repositories_of_application,
    tags_of_repository,
)
from teams.api.base import find
from teams.api.views import ApplicationChildView
from teams.permissions import Permission

_DELETED: dict[Any, Any] = {
    204: None,
    (502, "application/problem+json"): OpenApiResponse(
        {"$ref": "#/components/schemas/Problem"},
        description="The private registry failed",
    ),
}
_HOST_HELP = "Null where the installation does not say what its registry is called"
_PUSHED_BY_HELP = (
    "`api-token:` or `user:` with its ID; empty if the registry did not tell"
)


class ImageSerializer(serializers.ModelSerializer[ImageRepository]):
    """An image with all its tags: a repository of the private registry."""

    repository = serializers.CharField(
        source="full_name", help_text="The application's slug and the name"
    )
    image = serializers.SerializerMethodField(
        help_text=f"What customers pull, without a tag. {_HOST_HELP}"
    )
    tags = serializers.IntegerField(source="tag_count", help_text="How many")
    storage_bytes = serializers.IntegerField(
        source="storage", help_text="A layer that several of its images share is one"
    )
    last_pushed_at = serializers.DateTimeField(allow_null=True)
    last_pulled_at = serializers.DateTimeField(allow_null=True)

    class Meta:
        model = ImageRepository
        fields = [
            "id",
            "name",
            "repository",
            "image",
            "tags",
            "storage_bytes",
            "last_pushed_at",
            "last_pulled_at",
            "created_at",
        ]
        read_only_fields = fields

    def get_image(self, repository: ImageRepository) -> str | None:
        return _pull_name(repository)


class ImageTagSerializer(serializers.ModelSerializer[ImageTag]):
    """A tag, and the image that it names now."""

    reference = serializers.SerializerMethodField(
        help_text=f"What customers pull. {_HOST_HELP}"
    )
    digest = serializers.CharField(source="manifest.digest")
    media_type = serializers.CharField(source="manifest.media_type")
    platforms = serializers.ListField(
        source="manifest.platforms", child=serializers.CharField()
    )
    size_bytes = serializers.IntegerField(
        source="manifest.size",
        allow_null=True,
        help_text="For all platforms; null until the image was read",
    )
    pushed_by = serializers.CharField(help_text=_PUSHED_BY_HELP)

    class Meta:
        model = ImageTag
        fields = [
            "id",
            "name",
            "reference",
            "digest",
            "media_type",
            "platforms",
            "size_bytes",
            "pushed_at",
            "pushed_by",
            "last_pulled_at",
        ]
        read_only_fields = fields

    def get_reference(self, tag: ImageTag) -> str | None:
        return _pull_name(tag.repository, f":{tag.name}")


class ImageManifestSerializer(serializers.ModelSerializer[ImageManifest]):
    """An image or an index by its digest, with tags or without."""

    reference = serializers.SerializerMethodField(
        help_text=f"What pulls exactly this. {_HOST_HELP}"
    )
    size_bytes = serializers.IntegerField(
        source="size",
        allow_null=True,
        help_text="For all platforms; null until the image was read",
    )
    tags = serializers.SerializerMethodField(help_text="Names of all that name it")
    pushed_by = serializers.CharField(help_text=_PUSHED_BY_HELP)

    class Meta:
        model = ImageManifest
        fields = [
            "id",
            "digest",
            "reference",
            "media_type",
            "platforms",
            "size_bytes",
            "tags",
            "pushed_at",
            "pushed_by",
            "last_pulled_at",
        ]
        read_only_fields = fields

    def get_reference(self, manifest: ImageManifest) -> str | None:
        return _pull_name(manifest.repository, f"@{manifest.digest}")

    def get_tags(self, manifest: ImageManifest) -> list[str]:
        return sorted(tag.name for tag in manifest.tags.all())


def _pull_name(repository: ImageRepository, suffix: str = "") -> str | None:
    host = settings.BERTH_REGISTRY_HOST
    return f"{host}/{repository.full_name}{suffix}" if host else None


class ImagesView(ApplicationChildView):
    filterset_class: ClassVar[type[ImageFilter]] = ImageFilter

    def get_queryset(self) -> QuerySet[ImageRepository]:
        return image_repositories_for_team(self.team_id).filter(
            application=self.application
        )

    @extend_schema(operation_id="images_list", responses=ImageSerializer(many=True))
    def get(self, request: Request, application: str) -> Response:
        """List an application's images in the private registry."""
        self.require(Permission.REGISTRY_READ)
        return self.page(ImageSerializer)


class ImageChildView(ApplicationChildView):
    """A view of what belongs to the image in the address; not routed itself."""

    @property
    def repository(self) -> ImageRepository:
        if getattr(self, "swagger_fake_view", False):
            return ImageRepository(team_id=self.team_id, application=self.application)
        return find(
            repositories_of_application(self.application), pk=self.kwargs["image_id"]
        )


class ImageView(ImageChildView):
    @extend_schema(operation_id="images_read", responses=ImageSerializer)
    def get(self, request: Request, application: str, image_id: uuid.UUID) -> Response:
        """Read what there is of an image."""
        self.require(Permission.REGISTRY_READ)
        rows = image_repositories_for_team(self.team_id)
        found = find(rows, application=self.application, pk=image_id)
        return self.shown(ImageSerializer, found)

    @extend_schema(operation_id="images_delete", responses=_DELETED)
    def delete(
        self, request: Request, application: str, image_id: uuid.UUID
    ) -> Response:
        """Delete an image with all its tags. A 502 may have deleted some: repeat it."""
        services.delete_repository(actor=self.actor, repository=self.repository)
        return Response(status=204)


class ImageTagsView(ImageChildView):
    ordering = ("-pushed_at", "-id")
    filterset_class: ClassVar[type[ImageTagFilter]] = ImageTagFilter

    def get_queryset(self) -> QuerySet[ImageTag]:
        return tags_of_repository(self.repository)

    @extend_schema(
        operation_id="image_tags_list", responses=ImageTagSerializer(many=True)
    )
    def get(self, request: Request, application: str, image_id: uuid.UUID) -> Response:
        """List an image's tags, the last pushed first."""
        self.require(Permission.REGISTRY_READ)
        return self.page(ImageTagSerializer)


class ImageTagView(ImageChildView):
    @extend_schema(operation_id="image_tags_read", responses=ImageTagSerializer)
    def get(
        self,
        request: Request,
        application: str,
        image_id: uuid.UUID,
        tag_id: uuid.UUID,
    ) -> Response:
        """Read a tag, and which image it names."""
        self.require(Permission.REGISTRY_READ)
        return self.shown(ImageTagSerializer, self._find(tag_id))

    @extend_schema(operation_id="image_tags_delete", responses=_DELETED)
    def delete(
        self,
        request: Request,
        application: str,
        image_id: uuid.UUID,
        tag_id: uuid.UUID,
    ) -> Response:
        """Delete a tag, and the image with its last tag. One that moved stays."""
        services.delete_tag(actor=self.actor, tag=self._find(tag_id))
        return Response(status=204)

    def _find(self, tag_id: uuid.UUID) -> ImageTag:
        return find(tags_of_repository(self.repository), pk=tag_id)


class ImageManifestsView(ImageChildView):
    ordering = ("-pushed_at", "-id")
    filterset_class: ClassVar[type[ImageManifestFilter]] = ImageManifestFilter

    def get_queryset(self) -> QuerySet[ImageManifest]:
        return images_of_repository(self.repository).prefetch_related("tags")

    @extend_schema(
        operation_id="image_manifests_list",
        responses=ImageManifestSerializer(many=True),
    )
    def get(self, request: Request, application: str, image_id: uuid.UUID) -> Response:
        """List what was pushed by digest, also what no tag names any more."""
        self.require(Permission.REGISTRY_READ)
        return self.page(ImageManifestSerializer)


class ImageManifestView(ImageChildView):
    @extend_schema(
        operation_id="image_manifests_read", responses=ImageManifestSerializer
    )
    def get(
        self,
        request: Request,
        application: str,
        image_id: uuid.UUID,
        manifest_id: uuid.UUID,
    ) -> Response:
        """Read a manifest."""
        self.require(Permission.REGISTRY_READ)
        return self.shown(ImageManifestSerializer, self._find(manifest_id))

    @extend_schema(operation_id="image_manifests_delete", responses=_DELETED)
    def delete(
        self,
        request: Request,
        application: str,
        image_id: uuid.UUID,
        manifest_id: uuid.UUID,
    ) -> Response:
        """Delete a manifest that no tag names and no index needs; others stay."""
        services.delete_manifest(actor=self.actor, manifest=self._find(manifest_id))
        return Response(status=204)

    def _find(self, manifest_id: uuid.UUID) -> ImageManifest:
        return find(images_of_repository(self.repository), pk=manifest_id)
