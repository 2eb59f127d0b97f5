"""Parts of reports that several commands share."""

from __future__ import annotations

from typing import Any

from installer.license.file import License
from installer.manifests.directory import ManifestFile, Manifests, Place


def place_entry(place: Place) -> dict[str, Any]:
    """Return where an image is named, for scripts."""
    item = place.pod_image
    return {
        "file": place.file,
        "line": item.line,
        "kind": item.object.kind,
        "name": item.object.name,
        "namespace": item.object.namespace,
        "container": item.container,
        "path": item.path,
    }


def problem_entry(file: ManifestFile) -> dict[str, str]:
    """Return an unreadable file, for scripts."""
    return {"file": file.name, "detail": file.problem}


def problem_lines(manifests: Manifests) -> list[str]:
    """Return the unreadable files, for people."""
    return [f"not read: {file.name}: {file.problem}" for file in manifests.problems]


def license_entry(license: License) -> dict[str, Any]:
    """Return a license without its ID, for scripts."""
    expires = license.expires_at
    return {
        "application": license.application,
        "customer": license.customer,
        "sequence": license.sequence,
        "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ") if expires else None,
    }
