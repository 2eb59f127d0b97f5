"""What a pull of each image in a manifest would do, without asking any registry.

The registry is chosen as for a pull (``registries.decision.registry_choice``), for an
application rather than for a license.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
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
    proxy_image_name,
)
from oci.pod_images import PodImage, read_manifest
from oci.reference import MalformedName, Reference, parse_reference
from registries.decision.facts import Candidate
from registries.decision.proxied_name import ProxiedName
from registries.decision.registry_choice import choose_registry
from registries.decision.sentences import application_not_licensed
from registries.decision.steps import Refusal
from registries.models import ExternalRegistry
from registries.models.outcomes import Reason
from registries.providers import canonical_endpoint
from registries.selectors import registries_for_team

MAX_IMAGES: Final = 2_000


class TooManyImages(ValueError):  # noqa: N818 -- states the fact
    """A manifest has more different images than a preview accepts."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"This manifest has {number:,} different images. A preview takes "
            f"{MAX_IMAGES:,}: paste it in parts."
        )


class Fate(StrEnum):
    """What a pull of an image does, or why it fails."""

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
    ``detail`` is a host, an application or what is wrong with the name. ``message`` is
    what a customer would read instead of the image, else "".
    """

    image: str
    places: Sequence[PodImage]
    fate: Fate
    new_image: str = ""
    registry: ExternalRegistry | None = None
    detail: str = ""
    message: str = ""


_FATES = {
    Reason.REGISTRY_NOT_CONNECTED: Fate.NOT_CONNECTED,
    Reason.REGISTRY_NOT_SHARED: Fate.NOT_SHARED,
    Reason.REPOSITORY_NOT_ALLOWED: Fate.NOT_ALLOWED,
}


@dataclass(frozen=True, slots=True)
class Preview:
    images: Sequence[PreviewedImage]
    objects: int
    kustomization: str

    @property
    def proxied(self) -> int:
        return sum(image.fate is Fate.PROXIED for image in self.images)


@dataclass(frozen=True, slots=True)
class Hosts:
    """The addresses of this installation, as ``host[:port]``."""

    proxy: str
    private_registry: str


def preview_manifest(text: str, *, application: Application, hosts: Hosts) -> Preview:
    """Return what a pull of each image would do, and a ``kustomization.yaml`` for it.

    Raises:
        MalformedYaml: the text is not valid YAML.
        TooManyImages: it has more different images than ``MAX_IMAGES``.
    """
    manifest = read_manifest(text)
    places: dict[str, list[PodImage]] = {}
    for place in manifest.images:
        places.setdefault(place.image, []).append(place)
    if len(places) > MAX_IMAGES:
        raise TooManyImages(len(places))
    team_id: uuid.UUID = application.team_id
    judge = ImageJudge(application, hosts, list(registries_for_team(team_id)))
    images = [judge.previewed(image, found) for image, found in places.items()]
    return Preview(
        images=images,
        objects=len(manifest.objects),
        kustomization=_kustomization(images),
    )


def _kustomization(images: Sequence[PreviewedImage]) -> str:
    renamings = [
        Renaming(
            name=image_name(item.image),
            new_name=image_name(item.new_image),
            paths=tuple(dict.fromkeys(place.path for place in item.places)),
        )
        for item in images
        if item.fate is Fate.PROXIED
    ]
    kept = [image_name(item.image) for item in images if item.fate is not Fate.PROXIED]
    return kustomization(renamings, kept=kept) if renamings else ""


class ImageJudge:
    """Decides about images for one application, with all registries at hand."""

    def __init__(
        self,
        application: Application,
        hosts: Hosts,
        registries: Sequence[ExternalRegistry],
    ) -> None:
        self._application = application
        self._hosts = hosts
        self._registries = {registry.pk: registry for registry in registries}
        candidates = [_candidate(item, application) for item in registries]
        self._candidates = sorted(candidates, key=attrgetter("created_at", "id"))

    def previewed(self, image: str, places: Sequence[PodImage] = ()) -> PreviewedImage:
        try:
            reference = parse_reference(image)
        except (MalformedName, MalformedDigest) as error:
            is_template = "{{" in image or "$(" in image
            detail = "It is a template." if is_template else str(error)
            return _unreadable(image, places, detail)
        if is_proxied(reference, self._hosts.proxy):
            application = reference.repository.split("/")[1]
            return self._ours(image, places, Fate.ALREADY_PROXIED, application)
        if reference.registry and reference.registry == self._hosts.private_registry:
            application = reference.repository.partition("/")[0]
            return self._ours(image, places, Fate.PRIVATE_REGISTRY, application)
        return self._external(image, reference, places)

    def refusal(self, name: ProxiedName) -> Refusal | None:
        """Return why the application may not pull a proxied image; None if it may."""
        if name.application != self._application.slug:
            return application_not_licensed(name.application)
        try:
            choose_registry(name, self._candidates, trace=[])
        except Refusal as refusal:
            return refusal
        return None

    def shared(self) -> list[tuple[Candidate, str]]:
        """Return the registries that the application may use, as pulls try them.

        With each is the part of a proxied name that leads to this one alone: its host,
        or its slug where the host has a port or is that of several.
        """
        return [
            (item, self._upstream_of(item))
            for item in self._candidates
            if item.is_shared
        ]

    @property
    def registries(self) -> Collection[ExternalRegistry]:
        """Return the team's registries."""
        return self._registries.values()

    def registry_with(self, pk: uuid.UUID | None) -> ExternalRegistry | None:
        """Return the registry with this ID; None if the team has none."""
        return self._registries.get(pk) if pk else None

    def registry_of(self, name: ProxiedName) -> ExternalRegistry | None:
        """Return the registry that serves a proxied image; None if none does."""
        try:
            candidate, _ = choose_registry(name, self._candidates, trace=[])
        except Refusal:
            return None
        return self._registries[candidate.id]

    def name_of(self, registry: ExternalRegistry, repository: str) -> str:
        """Return the one name that pulls a repository of a registry; "" if none does.

        It has neither tag nor digest. The application may not pull what has no name.
        """
        candidate = next(item for item in self._candidates if item.id == registry.pk)
        full_name = registry.provider_profile.upstream_repository(repository)
        by_slug = ProxiedName(self._application.slug, registry.slug, full_name)
        if not self._leads_to(candidate, by_slug):
            return ""
        try:
            return self._name_at(candidate, full_name)
        except MalformedName:
            return ""

    def _ours(
        self, image: str, places: Sequence[PodImage], fate: Fate, application: str
    ) -> PreviewedImage:
        if application == self._application.slug:
            return PreviewedImage(image, places, fate, detail=application)
        return PreviewedImage(
            image,
            places,
            Fate.OTHER_APPLICATION,
            detail=application,
            message=application_not_licensed(application).message,
        )

    def _external(
        self, image: str, reference: Reference, places: Sequence[PodImage]
    ) -> PreviewedImage:
        host, repository = home_of(reference)
        name = ProxiedName(self._application.slug, host, repository)
        try:
            registry, _ = choose_registry(name, self._connected(host), trace=[])
            new_name = self._name_at(registry, repository)
        except Refusal as refusal:
            return PreviewedImage(
                image,
                places,
                _FATES[refusal.reason],
                registry=self._registry(refusal.registry),
                detail="Docker Hub" if host == DOCKER_HUB else host,
                message=refusal.message,
            )
        except MalformedName as error:
            return _unreadable(image, places, str(error))
        return PreviewedImage(
            image=image,
            places=places,
            fate=Fate.PROXIED,
            new_image=new_name + image.removeprefix(image_name(image)),
            registry=self._registry(registry),
        )

    def _registry(self, candidate: Candidate | None) -> ExternalRegistry | None:
        return self._registries[candidate.id] if candidate else None

    def _upstream_of(self, registry: Candidate) -> str:
        host = host_of(registry)
        by_slug = [item for item in self._candidates if item.slug == host]
        is_alone = (by_slug or self._connected(host)) == [registry]
        return host if is_alone and ":" not in host else registry.slug

    def _connected(self, host: str) -> list[Candidate]:
        endpoint = canonical_endpoint(host)
        return [item for item in self._candidates if item.endpoint == endpoint]

    def _name_at(self, registry: Candidate, repository: str) -> str:
        """Return the name of a repository, by the registry's host if that leads there.

        The slug serves where a host does not: one with a port, or of two registries.

        Raises:
            MalformedName: the parts do not make an image name.
        """
        host = host_of(registry)
        by_host = ProxiedName(self._application.slug, host, repository)
        upstream = host if self._leads_to(registry, by_host) else registry.slug
        return proxy_image_name(
            self._hosts.proxy, self._application.slug, upstream, repository
        )

    def _leads_to(self, registry: Candidate, name: ProxiedName) -> bool:
        if ":" in name.upstream:
            return False
        try:
            return choose_registry(name, self._candidates, trace=[])[0] is registry
        except Refusal:
            return False


def _candidate(registry: ExternalRegistry, application: Application) -> Candidate:
    return Candidate(
        id=registry.pk,
        slug=registry.slug,
        provider=registry.provider,
        endpoint=registry.endpoint,
        patterns=registry.repository_patterns,
        created_at=registry.created_at,
        is_shared=registry.shared_with_all
        or application in registry.applications.all(),
    )


def _unreadable(image: str, places: Sequence[PodImage], why: str) -> PreviewedImage:
    return PreviewedImage(image, places, Fate.UNREADABLE, detail=why, message=why)


def host_of(registry: Candidate) -> str:
    """Return the host of a registry as manifests have it."""
    hub = canonical_endpoint(DOCKER_HUB)
    return DOCKER_HUB if registry.endpoint == hub else registry.endpoint
