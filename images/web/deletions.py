"""Dialogs that delete from the private registry, after saying what that breaks."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse

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
from portal.http.forms import refusals_in
from portal.http.pages import go_to, render_dialog
from teams.permissions import Permission
from teams.web.base import TeamRequest, find, team_page


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
        "images/image_delete.html",
        {"use": use_of_repository(image)},
        delete=delete,
        done=f"{image.full_name} is deleted.",
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
        "images/tag_delete.html",
        {"tag": tag, **_fate(image, tag.manifest, use_of_tag(tag))},
        delete=lambda: delete_tag(actor=request.actor, tag=tag),
        done=f"{tag.name} of {image.full_name} is deleted.",
        digest=tag.manifest.digest,
        back=_tag_address(request, tag),
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
        "images/untagged_delete.html",
        {
            "manifest": manifest,
            **_fate(image, manifest, use_of_image(manifest)),
        },
        delete=lambda: delete_manifest(actor=request.actor, manifest=manifest),
        done=f"An untagged image of {image.full_name} is deleted.",
        digest=manifest.digest,
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
    template: str,
    context: dict[str, Any],
    *,
    delete: Callable[[], None],
    done: str,
    digest: str = "",
    back: str = "",
) -> HttpResponse:
    form = _form(request, digest)
    if form.is_valid():
        with refusals_in(form):
            delete()
            messages.success(request, done)
            return go_to(request, _after(request, image))
    return render_dialog(
        request,
        template,
        {"form": form, "image": image, "name": name_of(image), **context},
        back=back or image_address(request, image),
    )


def _form(request: TeamRequest, digest: str) -> _DeleteForm:
    """Return the form; with an error if the dialog told about another image."""
    if request.method != "POST":
        return _DeleteForm(initial={"digest": digest})
    form = _DeleteForm({"digest": digest})
    if request.POST.get("digest", "") != digest:
        form.add_error(
            None,
            "Somebody pushed another image meanwhile, so nothing is deleted. What "
            "stands here now is about that one.",
        )
    return form


def _after(request: TeamRequest, image: ImageRepository) -> str:
    """Return where to look next: the list, if there is no image left here."""
    left = image_repositories_for_team(request.team.pk).filter(pk=image.pk)
    if left.exists():
        return image_address(request, image)
    return reverse("private-registry", kwargs={"team": request.team.slug})


def _tag_address(request: TeamRequest, tag: ImageTag) -> str:
    names = {
        "team": request.team.slug,
        "image_id": tag.repository_id,
        "tag_id": tag.pk,
    }
    return reverse("images-tag", kwargs=names)
