"""Manifest preview: which images of a manifest would be pulled through the proxy."""

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
        help_text="Whose licenses the customers will pull with."
    )
    manifest = forms.CharField(
        label="Kubernetes manifest",
        strip=False,
        help_text="YAML or JSON, any number of documents. Nothing of it is stored.",
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
        choice.choices = [(slug, each.name) for slug, each in applications.items()]


@require_http_methods(["GET", "HEAD", "POST"])
@team_page(Permission.REGISTRY_READ)
def manifest(request: TeamRequest) -> HttpResponse:
    """Show what would become of the images in a pasted manifest. Stores nothing."""
    rows = applications_for_team(request.team.pk).order_by("slug")
    applications = {each.slug: each for each in rows}
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
            # Browsers send the ends of lines as two characters.
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
            "This text has no Kubernetes object. Each has a kind, such as Deployment.",
        )
        return None
    return preview
