"""The names that customers pull an external registry's images by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from licenses.models import Application
from oci.kustomize import DOCKER_HUB, Renaming, kustomization, proxy_image_name
from oci.reference import MalformedName, Reference
from registries.models import ExternalRegistry
from registries.providers import canonical_endpoint


@dataclass(frozen=True, slots=True)
class ImageName:
    """An image's name in one application, and a Kustomize file that sets it."""

    application: Application
    image: str
    kustomization: str


def image_names(
    registry: ExternalRegistry,
    applications: Iterable[Application],
    image: Reference,
    proxy_host: str,
) -> Sequence[ImageName]:
    """Return the name of an image in each application, and its Kustomize file.

    Names contain the registry's slug, because two registries may have the same
    endpoint. Applications in which the name would be too long are omitted.
    """
    names = []
    for application in applications:
        try:
            new_name = proxy_image_name(
                proxy_host, application.slug, registry.slug, image.repository
            )
        except MalformedName:
            continue
        renamings = [
            Renaming(spelling, new_name)
            for spelling in _spellings(registry.endpoint, image.repository)
        ]
        name = new_name + _tag_and_digest(image)
        names.append(ImageName(application, name, kustomization(renamings).strip()))
    return names


def _tag_and_digest(image: Reference) -> str:
    tag = f":{image.tag}" if image.tag else ""
    return tag + (f"@{image.digest}" if image.digest else "")


def _spellings(endpoint: str, repository: str) -> list[str]:
    """Return the names that manifests may use for a repository of the registry."""
    if endpoint == canonical_endpoint(DOCKER_HUB):
        short = repository.removeprefix("library/")
        return [short, f"{DOCKER_HUB}/{repository}"]
    return [f"{endpoint}/{repository}"]
