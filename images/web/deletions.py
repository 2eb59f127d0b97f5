"""Dialogs that delete from the private registry, after saying what that breaks."""

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
from images.web.images import image_address, name_of
from portal.http.dialogs import confirm
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page, team_url


class _DeleteForm(forms.Form):
    """``digest`` is of the image that the dialog told about, if it is one image."""

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
                f"{error.message} Of the images here, some may be deleted by now.",
            ) from error

    return _delete(
        request,
        image,
        delete,
        title=f"Delete {image.full_name}?",
        details="images/image_delete.html",
        submit="Delete image",
        done=f"{image.full_name} is deleted.",
        use=use_of_repository(image),
    )


@team_page(Permission.IMAGE_DELETE)
def delete_image_tag(
    request: TeamRequest, image_id: uuid.UUID, tag_id: uuid.UUID
) -> HttpResponse:
    """Delete a tag; its image too, if neither a tag nor an index needs it."""
    image = find(image_repositories_for_team(request.team.pk), image_id)
    tag: ImageTag = find(tags_of_repository(image), tag_id)
    return _delete(
        request,
        image,
        lambda: delete_tag(actor=request.actor, tag=tag),
        title=f"Delete {image.full_name}:{tag.name}?",
        details="images/tag_delete.html",
        submit="Delete tag",
        done=f"{tag.name} of {image.full_name} is deleted.",
        back=team_url(request, "images-tag", image_id=image.pk, tag_id=tag.pk),
        digest=tag.manifest.digest,
        tag=tag,
        **_fate(image, tag.manifest, use_of_tag(tag)),
    )


@team_page(Permission.IMAGE_DELETE)
def delete_untagged(
    request: TeamRequest, image_id: uuid.UUID, manifest_id: uuid.UUID
) -> HttpResponse:
    """Delete an image that no tag names."""
    image = find(image_repositories_for_team(request.team.pk), image_id)
    manifest: ImageManifest = find(untagged_images(image), manifest_id)
    return _delete(
        request,
        image,
        lambda: delete_manifest(actor=request.actor, manifest=manifest),
        title=f"Delete an untagged image of {image.full_name}?",
        details="images/untagged_delete.html",
        submit="Delete image",
        done=f"An untagged image of {image.full_name} is deleted.",
        digest=manifest.digest,
        manifest=manifest,
        **_fate(image, manifest, use_of_image(manifest)),
    )


def _fate(
    image: ImageRepository, manifest: ImageManifest, use: ImageUse
) -> dict[str, Any]:
    """Return what a dialog says of an image's use, and of what becomes of it.

    The registry itself is asked when it is deleted, so this may be behind by seconds.
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
        back=back or image_address(request, image),
        after=lambda: _after(request, image),
        image=image,
        name=name_of(image),
        **dialog,
    )


def _form(request: TeamRequest, digest: str) -> _DeleteForm:
    """Return the form; with an error if the dialog told about another image."""
    if request.method != "POST":
        return _DeleteForm(initial={"digest": digest})
    form = _DeleteForm({"digest": digest})
    if request.POST.get("digest", "") != digest:
        form.add_error(
            None,
            "Somebody has pushed another image, so nothing was deleted. What you "
            "see now is about that image.",
        )
    return form


def _after(request: TeamRequest, image: ImageRepository) -> str:
    """Return where to look next: the list, if there is no image left here."""
    left = image_repositories_for_team(request.team.pk).filter(pk=image.pk)
    if left.exists():
        return image_address(request, image)
    return team_url(request, "private-registry")
