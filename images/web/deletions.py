"""Dialogs that delete from the private registry, after showing what breaks."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpResponse

from images.client import PrivateRegistryProblem
from images.manifest import INDEXES
from images.models import ImageManifest, ImageRepository, ImageTag
from images.selectors import (
    ImageUse,
    image_repositories_for_team,
    images_of_repository,
    tags_of_repository,
    untagged_images,
    use_of_image,
    use_of_repository,
    use_of_tag,
)
from images.services import delete_manifest, delete_repository, delete_tag
from images.web.images import image_url, pull_name
from portal.http.dialogs import confirm
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url


class _DeleteForm(forms.Form):
    """``digest`` is the image that the dialog shows, if it shows only one."""

    digest = forms.CharField(widget=forms.HiddenInput, required=False)


@team_page(Permission.IMAGE_DELETE)
def delete_image(request: TeamRequest, image_id: uuid.UUID) -> HttpResponse:
    """Delete an image repository with all its tags."""
    image = find(image_repositories_for_team(request.team.pk), image_id)

    def delete() -> None:
        try:
            delete_repository(actor=request.actor, repository=image)
        except PrivateRegistryProblem as error:
            raise PrivateRegistryProblem(
                error.code,
                f"{error.message} Some of the images may already be deleted.",
            ) from error

    return _delete(
        request,
        image,
        delete,
        title=f"Delete {image.full_name}?",
        details="images/image_delete.html",
        submit="Delete image",
        done=f"{image.full_name} was deleted.",
        use=use_of_repository(image),
    )


@team_page(Permission.IMAGE_DELETE)
def delete_image_tag(
    request: TeamRequest, image_id: uuid.UUID, tag_id: uuid.UUID
) -> HttpResponse:
    """Delete a tag, and its image if no other tag and no index needs it."""
    image = find(image_repositories_for_team(request.team.pk), image_id)
    tag: ImageTag = find(tags_of_repository(image), tag_id)
    return _delete(
        request,
        image,
        lambda: delete_tag(actor=request.actor, tag=tag),
        title=f"Delete {image.full_name}:{tag.name}?",
        details="images/tag_delete.html",
        submit="Delete tag",
        done=f"{image.full_name}:{tag.name} was deleted.",
        back=team_url(request, "images-tag", image_id=image.pk, tag_id=tag.pk),
        digest=tag.manifest.digest,
        tag=tag,
        **_consequences(image, tag.manifest, use_of_tag(tag)),
    )


@team_page(Permission.IMAGE_DELETE)
def delete_untagged(
    request: TeamRequest, image_id: uuid.UUID, manifest_id: uuid.UUID
) -> HttpResponse:
    """Delete an untagged image."""
    image = find(image_repositories_for_team(request.team.pk), image_id)
    manifest: ImageManifest = find(untagged_images(image), manifest_id)
    return _delete(
        request,
        image,
        lambda: delete_manifest(actor=request.actor, manifest=manifest),
        title=f"Delete an untagged image of {image.full_name}?",
        details="images/untagged_delete.html",
        submit="Delete image",
        done=f"An untagged image of {image.full_name} was deleted.",
        digest=manifest.digest,
        manifest=manifest,
        **_consequences(image, manifest, use_of_image(manifest)),
    )


def _consequences(
    image: ImageRepository, manifest: ImageManifest, use: ImageUse
) -> dict[str, Any]:
    """Return the image's use, and what decides whether it is deleted too.

    This may be seconds out of date; the deletion itself asks the registry.
    """
    indexes = images_of_repository(image).filter(children__contains=[manifest.digest])
    return {
        "use": use,
        "is_in_index": indexes.exists(),
        "is_index": manifest.media_type in INDEXES,
        "is_unread": manifest.size is None,
    }


def _delete(
    request: TeamRequest,
    image: ImageRepository,
    delete: Callable[[], None],
    *,
    digest: str = "",
    back: str = "",
    **dialog: Any,
) -> HttpResponse:
    return confirm(
        request,
        delete,
        form=_form(request, digest),
        back=back or image_url(request, image),
        after=lambda: _after(request, image),
        image=image,
        name=pull_name(image),
        **dialog,
    )


def _form(request: TeamRequest, digest: str) -> _DeleteForm:
    """Return the form, with an error if the dialog showed another image."""
    if request.method != "POST":
        return _DeleteForm(initial={"digest": digest})
    form = _DeleteForm({"digest": digest})
    if request.POST.get("digest", "") != digest:
        form.add_error(
            None,
            "Nothing was deleted, because another image was pushed. The details "
            "below now show that image.",
        )
    return form


def _after(request: TeamRequest, image: ImageRepository) -> str:
    """Return the image's page, or the list if no image is left."""
    remaining = image_repositories_for_team(request.team.pk).filter(pk=image.pk)
    if remaining.exists():
        return image_url(request, image)
    return team_url(request, "private-registry")
