"""The names under which customers pull an external registry's images."""

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
    """What to write into the manifests of one application, in two ways."""

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

    The slug stands for the registry: it is the endpoint unless the vendor chose
    another one, and it names one registry where two have the same endpoint. An
    application in which the name would be too long is left out.
    """
    found = []
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
        name = new_name + _version(image)
        found.append(ImageName(application, name, kustomization(renamings).strip()))
    return found


def _version(image: Reference) -> str:
    tag = f":{image.tag}" if image.tag else ""
    return tag + (f"@{image.digest}" if image.digest else "")


def _spellings(endpoint: str, repository: str) -> list[str]:
    """Return how manifests name a repository of the registry today."""
    if endpoint == canonical_endpoint(DOCKER_HUB):
        short = repository.removeprefix("library/")
        return [short, f"{DOCKER_HUB}/{repository}"]
    return [f"{endpoint}/{repository}"]
