from __future__ import annotations

from django.conf import settings
from rest_framework import serializers

from images.models import ImageManifest, ImageRepository, ImageTag
from teams.api.base import RowSerializer

_HOST_HELP = "Null if no host of the private registry is configured"
_PUSHED_BY_HELP = "`api-token:` or `user:` with its ID; empty if unknown"
_SIZE_HELP = "For all platforms; null until the image has been read"


class ImageSerializer(RowSerializer[ImageRepository]):
    """An image with all its tags: a repository of the private registry."""

    repository = serializers.CharField(
        source="full_name", help_text="The application's slug and the name"
    )
    image = serializers.SerializerMethodField(
        help_text=f"The name that customers pull, without a tag. {_HOST_HELP}"
    )
    tags = serializers.IntegerField(source="tag_count", help_text="Number of tags")
    storage_bytes = serializers.IntegerField(
        source="storage",
        help_text="A layer shared by several of its images counts once",
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

    def get_image(self, repository: ImageRepository) -> str | None:
        return pull_name(repository)


class ImageTagSerializer(RowSerializer[ImageTag]):
    """A tag, and the image that it currently names."""

    reference = serializers.SerializerMethodField(
        help_text=f"The name that customers pull. {_HOST_HELP}"
    )
    digest = serializers.CharField(source="manifest.digest")
    media_type = serializers.CharField(source="manifest.media_type")
    platforms = serializers.ListField(
        source="manifest.platforms", child=serializers.CharField()
    )
    size_bytes = serializers.IntegerField(
        source="manifest.size",
        allow_null=True,
        help_text=_SIZE_HELP,
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

    def get_reference(self, tag: ImageTag) -> str | None:
        return pull_name(tag.repository, f":{tag.name}")


class ImageManifestSerializer(RowSerializer[ImageManifest]):
    """An image or an index by its digest, tagged or not."""

    reference = serializers.SerializerMethodField(
        help_text=f"The name to pull exactly this one. {_HOST_HELP}"
    )
    size_bytes = serializers.IntegerField(
        source="size",
        allow_null=True,
        help_text=_SIZE_HELP,
    )
    tags = serializers.SerializerMethodField(help_text="All tags that name it")
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

    def get_reference(self, manifest: ImageManifest) -> str | None:
        return pull_name(manifest.repository, f"@{manifest.digest}")

    def get_tags(self, manifest: ImageManifest) -> list[str]:
        return sorted(tag.name for tag in manifest.tags.all())


def pull_name(repository: ImageRepository, suffix: str = "") -> str | None:
    host = settings.BERTH_REGISTRY_HOST
    return f"{host}/{repository.full_name}{suffix}" if host else None
