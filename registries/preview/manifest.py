"""What becomes of the images in a manifest, told without asking any registry.

The same questions as of a pull (``registries.authorization``), in their order, for an
application rather than for a license. A test compares the two.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from licenses.models import Application
from oci.digest import MalformedDigest
from oci.kustomize import (
    DOCKER_HUB,
    Renaming,
    home_of,
    image_name,
    is_proxied,
    kustomization,
    proxied_name,
)
from oci.pod_images import PodImage, read_manifest
from oci.reference import MalformedName, Reference, parse_reference
from registries.models import ExternalRegistry
from registries.providers import canonical_endpoint
from registries.selectors import registries_for_team

MAX_IMAGES: Final = 2_000


class TooManyImages(ValueError):  # noqa: N818 -- states the fact
    """A manifest has more different images than a preview takes."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"This manifest has {number:,} different images. A preview takes "
            f"{MAX_IMAGES:,}: paste it in parts."
        )


class Fate(StrEnum):
    """What happens to an image, and why."""

    PROXIED = "proxied"
    PRIVATE_REGISTRY = "private registry"
    ALREADY_PROXIED = "already proxied"
    OTHER_APPLICATION = "other application"
    NOT_CONNECTED = "not connected"
    NOT_SHARED = "not shared"
    NOT_ALLOWED = "not allowed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class PreviewedImage:
    """One image as the manifest spells it, with all places that name it.

    ``new_image`` is what would be pulled, with tag and digest, if that is another name.
    ``detail`` is a host, an application or what is wrong with the name.
    """

    image: str
    places: Sequence[PodImage]
    fate: Fate
    new_image: str = ""
    registry: ExternalRegistry | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    images: Sequence[PreviewedImage]
    objects: int
    kustomization: str

    @property
    def proxied(self) -> int:
        return sum(each.fate is Fate.PROXIED for each in self.images)


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where this installation is reached: ``host[:port]``."""

    proxy: str
    private_registry: str


def preview_manifest(text: str, *, application: Application, hosts: Hosts) -> Preview:
    """Tell what becomes of each image, and the ``kustomization.yaml`` that does it.

    Raises:
        MalformedYaml: the text cannot be read.
        TooManyImages: it has more different images than ``MAX_IMAGES``.
    """
    manifest = read_manifest(text)
    places: dict[str, list[PodImage]] = {}
    for found in manifest.images:
        places.setdefault(found.image, []).append(found)
    if len(places) > MAX_IMAGES:
        raise TooManyImages(len(places))
    team_id: uuid.UUID = application.team_id
    judge = ImageJudge(application, hosts, list(registries_for_team(team_id)))
    images = [judge.previewed(image, named) for image, named in places.items()]
    return Preview(
        images=images,
        objects=len(manifest.objects),
        kustomization=_kustomization(images),
    )


def _kustomization(images: Sequence[PreviewedImage]) -> str:
    renamings = [
        Renaming(
            name=image_name(each.image),
            new_name=image_name(each.new_image),
            paths=tuple(dict.fromkeys(place.path for place in each.places)),
        )
        for each in images
        if each.fate is Fate.PROXIED
    ]
    kept = [image_name(each.image) for each in images if each.fate is not Fate.PROXIED]
    return kustomization(renamings, kept=kept) if renamings else ""


class ImageJudge:
    """Decides about images for one application, with all registries in hand."""

    def __init__(
        self,
        application: Application,
        hosts: Hosts,
        registries: Iterable[ExternalRegistry],
    ) -> None:
        self._application = application
        self._hosts = hosts
        # The oldest first, as a pull takes them.
        self._registries = sorted(
            registries, key=lambda each: (each.created_at, each.pk)
        )

    def previewed(self, image: str, places: Sequence[PodImage] = ()) -> PreviewedImage:
        try:
            reference = parse_reference(image)
        except (MalformedName, MalformedDigest) as error:
            is_template = "{{" in image or "$(" in image
            detail = "It is a template." if is_template else str(error)
            return PreviewedImage(image, places, Fate.UNREADABLE, detail=detail)
        if is_proxied(reference, self._hosts.proxy):
            application = reference.repository.split("/")[1]
            return self._ours(image, places, Fate.ALREADY_PROXIED, application)
        if reference.registry and reference.registry == self._hosts.private_registry:
            application = reference.repository.partition("/")[0]
            return self._ours(image, places, Fate.PRIVATE_REGISTRY, application)
        return self._external(image, reference, places)

    def _ours(
        self, image: str, places: Sequence[PodImage], fate: Fate, application: str
    ) -> PreviewedImage:
        if application != self._application.slug:
            fate = Fate.OTHER_APPLICATION
        return PreviewedImage(image, places, fate, detail=application)

    def _external(
        self, image: str, reference: Reference, places: Sequence[PodImage]
    ) -> PreviewedImage:
        host, repository = home_of(reference)
        fate, registry = self._registry(host, repository)
        if fate is not Fate.PROXIED or registry is None:
            shown = "Docker Hub" if host == DOCKER_HUB else host
            return PreviewedImage(image, places, fate, registry=registry, detail=shown)
        try:
            new_name = proxied_name(
                self._hosts.proxy,
                self._application.slug,
                self._upstream(host, registry),
                repository,
            )
        except MalformedName as error:
            detail = str(error)
            return PreviewedImage(image, places, Fate.UNREADABLE, detail=detail)
        return PreviewedImage(
            image=image,
            places=places,
            fate=fate,
            new_image=new_name + image.removeprefix(image_name(image)),
            registry=registry,
        )

    def _registry(
        self, host: str, repository: str
    ) -> tuple[Fate, ExternalRegistry | None]:
        endpoint = canonical_endpoint(host)
        connected = [each for each in self._registries if each.endpoint == endpoint]
        if not connected:
            return Fate.NOT_CONNECTED, None
        shared = [each for each in connected if self._may_use(each)]
        if not shared:
            return Fate.NOT_SHARED, connected[0]
        for each in shared:
            full_name = each.provider_profile.upstream_repository(repository)
            if each.allows_repository(full_name):
                return Fate.PROXIED, each
        return Fate.NOT_ALLOWED, shared[0]

    def _may_use(self, registry: ExternalRegistry) -> bool:
        return registry.shared_with_all or any(
            each.pk == self._application.pk for each in registry.applications.all()
        )

    def _upstream(self, host: str, registry: ExternalRegistry) -> str:
        """Return the host, as manifests have it, or the slug where it cannot stand."""
        is_taken = any(
            each.slug == host and each.pk != registry.pk for each in self._registries
        )
        return registry.slug if ":" in host or is_taken else host
