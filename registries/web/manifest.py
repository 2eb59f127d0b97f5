"""Manifest preview: which images of a manifest customers would pull through Berth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpResponse
from django.views.decorators.http import require_http_methods

from licenses.models import Application
from licenses.selectors import applications_for_team
from oci.yaml_documents import MalformedYaml
from portal.http.pages import page_context, render_page
from registries.preview.manifest import Hosts, Preview, TooManyImages, preview_manifest
from teams.permissions import Permission
from teams.web.base import TeamRequest, team_page


class ManifestForm(forms.Form):
    application = forms.ChoiceField(
        help_text="The application whose licenses the customers have."
    )
    manifest = forms.CharField(
        label="Kubernetes manifest",
        strip=False,
        help_text="YAML or JSON, one or more documents. Berth does not store it.",
        error_messages={"required": "Paste a manifest."},
        widget=forms.Textarea(
            attrs={
                "rows": 14,
                "class": "font-monospace",
                "spellcheck": "false",
                "autocomplete": "off",
                "wrap": "off",
            }
        ),
    )

    def __init__(
        self, data: Mapping[str, str] | None, applications: Mapping[str, Application]
    ) -> None:
        super().__init__(data)
        choice: Any = self.fields["application"]
        choice.choices = [
            (slug, application.name) for slug, application in applications.items()
        ]


@require_http_methods(["GET", "HEAD", "POST"])
@team_page(Permission.REGISTRY_READ)
def manifest(request: TeamRequest) -> HttpResponse:
    """Preview the images of a pasted manifest. Stores nothing."""
    rows = applications_for_team(request.team.pk).order_by("slug")
    applications = {application.slug: application for application in rows}
    form = ManifestForm(request.POST or None, applications)
    preview = None
    if request.method == "POST" and form.is_valid():
        preview = _preview(request, form, applications)
    return render_page(
        request,
        "registries/manifest.html",
        {"form": form, "preview": preview, "has_applications": bool(applications)},
    )


def _preview(
    request: TeamRequest, form: ManifestForm, applications: Mapping[str, Application]
) -> Preview | None:
    hosts = page_context(request)
    try:
        preview = preview_manifest(
            # Browsers submit line ends as two characters.
            form.cleaned_data["manifest"].replace("\r\n", "\n"),
            application=applications[form.cleaned_data["application"]],
            hosts=Hosts(hosts["proxy_host"], hosts["registry_host"]),
        )
    except (MalformedYaml, TooManyImages) as error:
        form.add_error("manifest", str(error))
        return None
    if not preview.objects:
        form.add_error(
            "manifest",
            "No Kubernetes object found. Every object has a kind, such as Deployment.",
        )
        return None
    return preview
