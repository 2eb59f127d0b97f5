"""What becomes of every image when the application is installed online."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from installer.lookup.verdicts import PRIVATE, Status, Verdict, read_image
from installer.manifests.directory import Place
from installer.net.portal import ResolvedImage
from oci.kustomize import (
    Renaming,
    home_of,
    image_name,
    is_proxied,
    proxied_name,
)
from oci.pod_images import KubernetesObject, PodSpec
from oci.reference import MalformedName, Reference, parse_reference


class Fate(StrEnum):
    """What is done about an image; the values are what scripts see."""

    PUBLIC = "public"
    PROXIED = "proxied"
    PRIVATE_REGISTRY = "private_registry"
    ALREADY_PROXIED = "already_proxied"
    OTHER_APPLICATION = "other_application"
    NOT_CONNECTED = "not_connected"
    NOT_ALLOWED = "not_allowed"
    OWN_REGISTRY = "own_registry"
    UNKNOWN = "unknown"


NEEDS_SECRET: Final = frozenset(
    {Fate.PROXIED, Fate.PRIVATE_REGISTRY, Fate.ALREADY_PROXIED}
)
# The pods with these will not start, or nobody knows whether they will.
FAILED: Final = frozenset(
    {Fate.OTHER_APPLICATION, Fate.NOT_CONNECTED, Fate.NOT_ALLOWED, Fate.UNKNOWN}
)
_OF_RESULT: Final = {
    "proxied": Fate.PROXIED,
    "private_registry": Fate.PRIVATE_REGISTRY,
    "already_proxied": Fate.ALREADY_PROXIED,
    "not_connected": Fate.NOT_CONNECTED,
    "not_allowed": Fate.NOT_ALLOWED,
}
_SHA512: Final = (
    "Kustomize renames no image with a sha512 digest. Ask your vendor to name it by "
    "its sha256 digest, or by a tag."
)
Resolve = Callable[[list[str]], list[ResolvedImage]]


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where the application's images are pulled with the license.

    The first of each is in use; the others are earlier or other names of it.
    """

    application: str
    proxies: tuple[str, ...]
    registries: tuple[str, ...] = ()

    @property
    def proxy(self) -> str:
        return self.proxies[0]

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.proxies, *self.registries]))

    def own_fate(self, reference: Reference) -> Fate | None:
        """Return the fate of an image that is pulled from Berth as it stands."""
        path = reference.repository.split("/")
        if any(is_proxied(reference, host) for host in self.proxies):
            fate, application = Fate.ALREADY_PROXIED, path[1] if path[1:] else ""
        elif reference.registry is not None and reference.registry in self.registries:
            fate, application = Fate.PRIVATE_REGISTRY, path[0]
        else:
            return None
        return fate if application == self.application else Fate.OTHER_APPLICATION


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image as the manifests spell it. ``new_image`` is empty if it keeps that."""

    image: str
    places: tuple[Place, ...]
    fate: Fate
    sentence: str
    status: Status | None = None
    new_image: str = ""

    @property
    def needs_secret(self) -> bool:
        """Tell whether its pods pull with the license."""
        is_renamed_unseen = self.fate is Fate.UNKNOWN and bool(self.new_image)
        return self.fate in NEEDS_SECRET or is_renamed_unseen


def own_images(images: Iterable[str], hosts: Hosts) -> dict[str, Fate]:
    """Return the images that lead to Berth already, which are not looked up."""
    found = {image: read_image(image) for image in images}
    fates = {
        image: hosts.own_fate(each)
        for image, each in found.items()
        if isinstance(each, Reference)
    }
    return {image: fate for image, fate in fates.items() if fate is not None}


def plan_images(
    places: Mapping[str, list[Place]],
    hosts: Hosts,
    verdicts: Mapping[str, Verdict],
    resolve: Resolve,
) -> list[PlannedImage]:
    """Return what becomes of each image. ``resolve`` is asked for the private ones."""
    private = [image for image, each in verdicts.items() if each.status in PRIVATE]
    resolved = {each.image: each for each in resolve(private)} if private else {}
    own = own_images(places, hosts)
    planned = []
    for image, named in places.items():
        if image in own:
            each = PlannedImage(image, tuple(named), own[image], _OWN[own[image]])
        elif image in resolved:
            each = _private(image, tuple(named), verdicts[image], resolved[image])
        else:
            each = _looked_up(image, tuple(named), verdicts[image])
        planned.append(each)
    return _with_their_name(planned)


_OWN: Final = {
    Fate.ALREADY_PROXIED: "It is pulled through the proxy as it stands.",
    Fate.PRIVATE_REGISTRY: "It is on the private registry, and keeps its name.",
    Fate.OTHER_APPLICATION: (
        "It belongs to another application, and this license cannot pull it."
    ),
}


def _looked_up(image: str, places: tuple[Place, ...], found: Verdict) -> PlannedImage:
    fate = Fate.PUBLIC if found.status is Status.PUBLIC else Fate.UNKNOWN
    return PlannedImage(image, places, fate, found.sentence, found.status)


def _private(
    image: str, places: tuple[Place, ...], found: Verdict, resolved: ResolvedImage
) -> PlannedImage:
    fate = _OF_RESULT.get(resolved.result, Fate.UNKNOWN)
    sentence = resolved.detail or found.sentence
    if fate is Fate.PROXIED and "@sha512:" in image:
        fate, sentence = Fate.UNKNOWN, _SHA512
    if fate is Fate.PROXIED and not resolved.new_image:
        fate = Fate.UNKNOWN
    return PlannedImage(
        image=image,
        places=places,
        fate=fate,
        sentence=sentence,
        status=found.status,
        new_image=resolved.new_image if fate is Fate.PROXIED else "",
    )


def _with_their_name(planned: list[PlannedImage]) -> list[PlannedImage]:
    """Return them with those of one name renamed together, as Kustomize does it."""
    proxied = {
        image_name(each.image): image_name(each.new_image)
        for each in planned
        if each.fate is Fate.PROXIED
    }
    return [
        _renamed(each, proxied[image_name(each.image)])
        if image_name(each.image) in proxied and _follows(each)
        else each
        for each in planned
    ]


def _follows(planned: PlannedImage) -> bool:
    """Tell whether Kustomize renames an image because another tag of it is renamed."""
    return (
        planned.fate in {Fate.PUBLIC, Fate.UNKNOWN}
        and "@sha512:" not in planned.image
        and isinstance(read_image(planned.image), Reference)
    )


def _renamed(planned: PlannedImage, new_name: str) -> PlannedImage:
    # What nobody could look up is renamed, and stays as unknown as it was.
    fate = Fate.PROXIED if planned.fate is Fate.PUBLIC else planned.fate
    new_image = new_name + version_of(planned.image)
    return replace(planned, fate=fate, new_image=new_image)


def version_of(image: str) -> str:
    """Return ``[:tag][@digest]`` as it is spelled."""
    return image.removeprefix(image_name(image))


def resolve_offline(images: list[str], hosts: Hosts) -> list[ResolvedImage]:
    """Take all private images as connected, for want of a portal to ask."""
    return [_resolved_offline(image, hosts) for image in images]


def _resolved_offline(image: str, hosts: Hosts) -> ResolvedImage:
    host, repository = home_of(parse_reference(image))
    try:
        name = proxied_name(hosts.proxy, hosts.application, host, repository)
    except MalformedName as error:
        detail = f"{error} Give --portal: it knows the slug."
        return ResolvedImage(image, "unknown", "", detail)
    return ResolvedImage(image, "proxied", name + version_of(image), "")


def renamings(planned: Iterable[PlannedImage]) -> list[Renaming]:
    """Return the names that change, with all places that name them."""
    return [
        Renaming(
            name=image_name(each.image),
            new_name=image_name(each.new_image),
            paths=tuple(dict.fromkeys(place.pod_image.path for place in each.places)),
        )
        for each in planned
        if each.new_image
    ]


def kept_names(planned: Iterable[PlannedImage]) -> list[str]:
    """Return the names that must stay as they are."""
    return [image_name(each.image) for each in planned if not each.new_image]


def pod_specs_with_secret(
    planned: Iterable[PlannedImage],
) -> dict[KubernetesObject, list[PodSpec]]:
    """Return the PodSpecs that pull with the license, by their object, sorted."""
    found: dict[KubernetesObject, dict[PodSpec, None]] = {}
    for each in planned:
        for place in each.places if each.needs_secret else ():
            specs = found.setdefault(place.pod_image.object, {})
            specs[place.pod_image.pod_spec] = None
    ordered = sorted(found.items(), key=lambda entry: _order(entry[0]))
    return {
        each: sorted(specs, key=lambda spec: spec.pointer) for each, specs in ordered
    }


def _order(found_in: KubernetesObject) -> tuple[str, str, str, str]:
    return (
        found_in.kind,
        found_in.namespace,
        found_in.name,
        found_in.api_version,
    )
