from __future__ import annotations

from django.urls import URLPattern, path

from registries.web import (
    dashboard,
    image_changes,
    images,
    manifest,
    pulls,
    why,
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
    path("pulls", pulls.pulls, name="pulls"),
    path("why", why.why, name="why"),
    path("manifest", manifest.manifest, name="manifest"),
]
