from __future__ import annotations

from django.urls import URLPattern, path

from registries.web import (
    dashboard,
    manifest,
    private_image_changes,
    private_images,
    pulls,
    why,
)
from registries.web import (
    registries as images,
)
from registries.web import (
    registry_changes as image_changes,
)

urlpatterns: list[URLPattern] = [
    path("", dashboard.dashboard, name="dashboard"),
    path("images", images.images, name="images"),
    path("images/add", image_changes.add_registry, name="images-add"),
    path("images/<uuid:registry_id>", images.registry_detail, name="images-detail"),
    path("images/<uuid:registry_id>/check", images.check, name="images-check"),
    path(
        "images/<uuid:registry_id>/edit",
        image_changes.edit_registry,
        name="images-edit",
    ),
    path(
        "images/<uuid:registry_id>/credential",
        image_changes.replace,
        name="images-credential",
    ),
    path(
        "images/<uuid:registry_id>/duplicate",
        image_changes.duplicate,
        name="images-duplicate",
    ),
    path(
        "images/<uuid:registry_id>/delete",
        image_changes.delete,
        name="images-delete",
    ),
    path("images/private", private_images.private_images, name="images-private"),
    path(
        "images/private/<uuid:image_id>",
        private_images.private_image,
        name="images-private-detail",
    ),
    path(
        "images/private/<uuid:image_id>/delete",
        private_image_changes.delete_private_image,
        name="images-private-delete",
    ),
    path(
        "images/private/<uuid:image_id>/tags/<uuid:tag_id>",
        private_images.private_tag,
        name="images-private-tag",
    ),
    path(
        "images/private/<uuid:image_id>/tags/<uuid:tag_id>/delete",
        private_image_changes.delete_private_tag,
        name="images-private-tag-delete",
    ),
    path(
        "images/private/<uuid:image_id>/untagged/<uuid:manifest_id>/delete",
        private_image_changes.delete_private_untagged,
        name="images-private-untagged-delete",
    ),
    path("pulls", pulls.pulls, name="pulls"),
    path("why", why.why, name="why"),
    path("manifest", manifest.manifest, name="manifest"),
]
