from __future__ import annotations

from django.urls import URLPattern, path

from registries.web import dashboard, manifest, pulls, registries, registry_changes

urlpatterns: list[URLPattern] = [
    path("", dashboard.dashboard, name="dashboard"),
    path("registries.csv", registries.export_registries, name="registries-export"),
    path("registries/add", registry_changes.add_registry, name="registries-add"),
    path(
        "registries/<uuid:registry_id>",
        registries.registry_detail,
        name="registries-detail",
    ),
    path(
        "registries/<uuid:registry_id>/check",
        registries.check,
        name="registries-check",
    ),
    path(
        "registries/<uuid:registry_id>/edit",
        registry_changes.edit_registry,
        name="registries-edit",
    ),
    path(
        "registries/<uuid:registry_id>/credential",
        registry_changes.replace_registry_credential,
        name="registries-credential",
    ),
    path(
        "registries/<uuid:registry_id>/duplicate",
        registry_changes.duplicate,
        name="registries-duplicate",
    ),
    path(
        "registries/<uuid:registry_id>/delete",
        registry_changes.delete,
        name="registries-delete",
    ),
    path("pulls", pulls.pulls, name="pulls"),
    path("pulls.csv", pulls.export_pulls, name="pulls-export"),
    path("manifest", manifest.manifest, name="manifest"),
]
