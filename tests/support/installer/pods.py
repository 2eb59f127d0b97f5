"""Manifests with one Pod."""

from __future__ import annotations

import yaml


def pod(name: str, *images: str, **metadata: str) -> str:
    """Return the manifest of a Pod with a container for each image."""
    containers = [
        {"name": f"c{number}", "image": image} for number, image in enumerate(images)
    ]
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, **metadata},
            "spec": {"containers": containers},
        }
    )
