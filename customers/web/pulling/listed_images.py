"""The vendor's list of images that customers of an application are shown first."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpResponse

from customers.pulling.listed_images import listed_images
from customers.services.listed_images import list_images
from licenses.models import Application
from licenses.web.applications import application_address, find_application
from portal.http.dialogs import edit_dialog
from portal.http.forms import EditForm
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page


class ListedImagesForm(EditForm):
    images = forms.CharField(
        required=False,
        max_length=50_000,
        widget=forms.Textarea(
            attrs={
                "rows": 8,
                "spellcheck": "false",
                "wrap": "off",
                "class": "font-monospace",
            }
        ),
        help_text="One per line, in the order in which customers see them: the name in "
        "your registry, or the name to pull it by, with a tag, then a few words about "
        "it. Such as: quay.io/my-org/api:v1.0.1 The API server",
    )


@team_page(Permission.APPLICATION_MANAGE)
def edit_listed_images(request: TeamRequest, application_slug: str) -> HttpResponse:
    """Change which images customers see, in which order, and what they are told."""
    application = find_application(request, application_slug)

    def save(row: Application, changes: dict[str, Any]) -> object:
        images = _read(changes["images"])
        return list_images(actor=request.actor, application=row, images=images)

    return edit_dialog(
        request,
        ListedImagesForm,
        application,
        values=lambda row: {"images": _written(row)},
        save=save,
        title=f"Images of {application.name} for customers",
        done="The images for customers are saved.",
        back=application_address(request, application),
    )


def _written(application: Application) -> str:
    return "\n".join(
        f"{listed.to_edit} {listed.description}".rstrip()
        for listed in listed_images(application)
    )


def _read(text: str) -> list[tuple[str, str]]:
    """Return images and descriptions; an image's name has no blanks."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    parts = [line.split(maxsplit=1) for line in lines]
    return [(first, " ".join(rest)) for first, *rest in parts]
