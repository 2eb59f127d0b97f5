from __future__ import annotations

from django.urls import URLPattern, path

from images.web import deletions, images, overview, why

urlpatterns: list[URLPattern] = [
    path("images", overview.overview, name="images"),
    path("private-registry", images.images, name="private-registry"),
    path("private-registry.csv", images.export_images, name="private-registry-export"),
    path("images/<uuid:image_id>", images.image_detail, name="images-detail"),
    path("images/<uuid:image_id>/delete", deletions.delete_image, name="images-delete"),
    path(
        "images/<uuid:image_id>/tags/<uuid:tag_id>",
        images.tag_detail,
        name="images-tag",
    ),
    path(
        "images/<uuid:image_id>/tags/<uuid:tag_id>/delete",
        deletions.delete_image_tag,
        name="images-tag-delete",
    ),
    path(
        "images/<uuid:image_id>/untagged/<uuid:manifest_id>/delete",
        deletions.delete_untagged,
        name="images-untagged-delete",
    ),
    path("why", why.why, name="why"),
]
