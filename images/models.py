"""The content of the private registry, as far as Berth knows.

The registry itself is authoritative. These rows follow its notifications, and
``images.reconciliation`` adds what those missed.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from licenses.models import Application
from teams.models import TeamOwned


class ImageRepository(TeamOwned):
    """A repository of the private registry: ``APPLICATION_SLUG/NAME``."""

    # Protected: a later owner of the slug would find these images under it.
    application = models.ForeignKey(
        Application, on_delete=models.PROTECT, related_name="image_repositories"
    )
    name = models.CharField(max_length=255)

    class Meta:
        verbose_name_plural = "image repositories"
        constraints = [
            models.UniqueConstraint(
                fields=["application", "name"], name="images_imagerepository_name"
            ),
            models.UniqueConstraint(
                fields=["team", "id"], name="images_imagerepository_team"
            ),
        ]

    def __str__(self) -> str:
        return self.full_name

    @property
    def full_name(self) -> str:
        """Return its name on the registry; queries the application."""
        return f"{self.application.slug}/{self.name}"


class ImageManifest(TeamOwned):
    """An image or an index by its digest, tagged or not.

    ``pushed_by`` and holders of pulls are subjects of registry tokens.
    """

    repository = models.ForeignKey(
        ImageRepository, on_delete=models.CASCADE, related_name="manifests"
    )
    digest = models.CharField(max_length=140)
    media_type = models.CharField(max_length=255, blank=True)
    # Everything it consists of, for all platforms, in bytes; None until it is read.
    size = models.PositiveBigIntegerField(null=True)
    platforms = ArrayField(models.CharField(max_length=100), default=list)
    # The manifests of an index: they are pushed and deleted with it.
    children = ArrayField(models.CharField(max_length=140), default=list)
    pushed_at = models.DateTimeField()
    pushed_by = models.CharField(max_length=80, blank=True)
    last_pulled_at = models.DateTimeField(null=True)
    # When the registry last confirmed it; None if unconfirmed.
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "digest"], name="images_imagemanifest_digest"
            ),
            # The target of the foreign key that keeps a tag in its repository.
            models.UniqueConstraint(
                fields=["team", "repository", "id"],
                name="images_imagemanifest_team",
            ),
        ]
        indexes = [
            models.Index(fields=["confirmed_at"], name="images_manifest_asked"),
            GinIndex(fields=["children"], name="images_manifest_children"),
        ]

    def __str__(self) -> str:
        return self.digest


class ImageTag(TeamOwned):
    """A name for a manifest; the next push may move it to another."""

    repository = models.ForeignKey(
        ImageRepository, on_delete=models.CASCADE, related_name="tags"
    )
    name = models.CharField(max_length=128)
    manifest = models.ForeignKey(
        ImageManifest, on_delete=models.CASCADE, related_name="tags"
    )
    pushed_at = models.DateTimeField()
    pushed_by = models.CharField(max_length=80, blank=True)
    last_pulled_at = models.DateTimeField(null=True)
    # When the registry last confirmed its manifest; None after a notification, which
    # may have been late.
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "name"], name="images_imagetag_name"
            )
        ]
        indexes = [
            models.Index(
                fields=["repository", "-pushed_at", "-id"],
                name="images_tag_page",
            ),
            models.Index(fields=["confirmed_at"], name="images_tag_asked"),
        ]

    def __str__(self) -> str:
        return self.name


class ImageBlob(TeamOwned):
    """A blob or manifest that a manifest needs; many share the same layers."""

    manifest = models.ForeignKey(
        ImageManifest, on_delete=models.CASCADE, related_name="blobs"
    )
    repository = models.ForeignKey(
        ImageRepository, on_delete=models.CASCADE, related_name="+"
    )
    digest = models.CharField(max_length=140)
    size = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["manifest", "digest"], name="images_imageblob_once"
            )
        ]

    def __str__(self) -> str:
        return self.digest


class RegistryNotification(models.Model):
    """The ID of a stored notification, so that it does not count twice."""

    id = models.CharField(primary_key=True, max_length=64)
    received_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.id
