"""What to do about each image of an application that is installed online."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from installer.lookup.verdicts import PRIVATE, Status, Verdict, read_image
from installer.manifests.directory import Place
from installer.net.portal import ResolvedImage
from oci.kustomize import home_of, image_name, is_proxied, proxy_image_name
from oci.reference import MalformedName, Reference, parse_reference


class Fate(StrEnum):
    """What is done about an image; scripts see the values."""

    PUBLIC = "public"
    PROXIED = "proxied"
    PRIVATE_REGISTRY = "private_registry"
    ALREADY_PROXIED = "already_proxied"
    OTHER_APPLICATION = "other_application"
    NOT_CONNECTED = "not_connected"
    NOT_ALLOWED = "not_allowed"
    OWN_REGISTRY = "own_registry"
    UNKNOWN = "unknown"


# Pods with these will not start, or may not.
FAILED: Final = frozenset(
    {Fate.OTHER_APPLICATION, Fate.NOT_CONNECTED, Fate.NOT_ALLOWED, Fate.UNKNOWN}
)
BERTH_SENTENCES: Final = {
    Fate.ALREADY_PROXIED: "It is already pulled through the proxy.",
    Fate.PRIVATE_REGISTRY: "It is pulled from the private registry.",
    Fate.OTHER_APPLICATION: (
        "It belongs to another application. This license cannot pull it."
    ),
}
_NEEDS_SECRET: Final = frozenset(
    {Fate.PROXIED, Fate.PRIVATE_REGISTRY, Fate.ALREADY_PROXIED}
)
_OF_RESULT: Final = {
    "proxied": Fate.PROXIED,
    "private_registry": Fate.PRIVATE_REGISTRY,
    "already_proxied": Fate.ALREADY_PROXIED,
    "not_connected": Fate.NOT_CONNECTED,
    "not_allowed": Fate.NOT_ALLOWED,
}
_SHA512: Final = (
    "Kustomize cannot rename an image with a sha512 digest. Ask your vendor to use its "
    "sha256 digest, or a tag."
)
Resolve = Callable[[list[str]], list[ResolvedImage]]


@dataclass(frozen=True, slots=True)
class Hosts:
    """The proxy and the private registry of one application.

    The first name of each is in use; the others are aliases or earlier names.
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


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image as the manifests spell it. ``new_image`` is empty if that stays."""

    image: str
    places: tuple[Place, ...]
    fate: Fate
    sentence: str
    status: Status | None = None
    new_image: str = ""

    @property
    def needs_secret(self) -> bool:
        """Return whether its pods pull with the license."""
        is_renamed_unknown = self.fate is Fate.UNKNOWN and bool(self.new_image)
        return self.fate in _NEEDS_SECRET or is_renamed_unknown


def berth_images(images: Iterable[str], hosts: Hosts) -> dict[str, Fate]:
    """Return the images that Berth serves already, which need no look-up."""
    references = {image: read_image(image) for image in images}
    fates = {
        image: _berth_fate(reference, hosts)
        for image, reference in references.items()
        if isinstance(reference, Reference)
    }
    return {image: fate for image, fate in fates.items() if fate is not None}


def _berth_fate(reference: Reference, hosts: Hosts) -> Fate | None:
    path = reference.repository.split("/")
    if any(is_proxied(reference, host) for host in hosts.proxies):
        fate, application = Fate.ALREADY_PROXIED, path[1] if path[1:] else ""
    elif reference.registry is not None and reference.registry in hosts.registries:
        fate, application = Fate.PRIVATE_REGISTRY, path[0]
    else:
        return None
    return fate if application == hosts.application else Fate.OTHER_APPLICATION


def plan_images(
    places: Mapping[str, list[Place]],
    hosts: Hosts,
    verdicts: Mapping[str, Verdict],
    resolve: Resolve,
) -> list[PlannedImage]:
    """Decide about each image. ``resolve`` is called with the private ones."""
    private = [image for image, item in verdicts.items() if item.status in PRIVATE]
    resolved = {item.image: item for item in resolve(private)} if private else {}
    served = berth_images(places, hosts)
    planned = []
    for image, named in places.items():
        if image in served:
            fate = served[image]
            item = PlannedImage(image, tuple(named), fate, BERTH_SENTENCES[fate])
        elif image in resolved:
            item = _private(image, tuple(named), verdicts[image], resolved[image])
        else:
            item = _looked_up(image, tuple(named), verdicts[image])
        planned.append(item)
    return _with_other_tags(planned)


def _looked_up(image: str, places: tuple[Place, ...], verdict: Verdict) -> PlannedImage:
    fate = Fate.PUBLIC if verdict.status is Status.PUBLIC else Fate.UNKNOWN
    return PlannedImage(image, places, fate, verdict.sentence, verdict.status)


def _private(
    image: str, places: tuple[Place, ...], verdict: Verdict, resolved: ResolvedImage
) -> PlannedImage:
    fate = _OF_RESULT.get(resolved.result, Fate.UNKNOWN)
    sentence = resolved.detail or verdict.sentence
    if fate is Fate.PROXIED and "@sha512:" in image:
        fate, sentence = Fate.UNKNOWN, _SHA512
    if fate is Fate.PROXIED and not resolved.new_image:
        fate = Fate.UNKNOWN
    return PlannedImage(
        image=image,
        places=places,
        fate=fate,
        sentence=sentence,
        status=verdict.status,
        new_image=resolved.new_image if fate is Fate.PROXIED else "",
    )


def _with_other_tags(planned: list[PlannedImage]) -> list[PlannedImage]:
    """Rename all tags of a proxied image, because Kustomize does so."""
    proxied = {
        image_name(item.image): image_name(item.new_image)
        for item in planned
        if item.fate is Fate.PROXIED
    }
    return [
        _renamed(item, proxied[image_name(item.image)])
        if image_name(item.image) in proxied and _is_renamed_too(item)
        else item
        for item in planned
    ]


def _is_renamed_too(item: PlannedImage) -> bool:
    """Return whether Kustomize renames an image along with its other tags."""
    return (
        item.fate in {Fate.PUBLIC, Fate.UNKNOWN}
        and "@sha512:" not in item.image
        and isinstance(read_image(item.image), Reference)
    )


def _renamed(item: PlannedImage, new_name: str) -> PlannedImage:
    # An image that could not be looked up is renamed, but stays unknown.
    fate = Fate.PROXIED if item.fate is Fate.PUBLIC else item.fate
    return replace(item, fate=fate, new_image=new_name + version_of(item.image))


def version_of(image: str) -> str:
    """Return ``[:tag][@digest]`` as it is spelled."""
    return image.removeprefix(image_name(image))


def resolve_offline(images: list[str], hosts: Hosts) -> list[ResolvedImage]:
    """Assume that all private images are available through the proxy."""
    return [_resolved_offline(image, hosts) for image in images]


def _resolved_offline(image: str, hosts: Hosts) -> ResolvedImage:
    host, repository = home_of(parse_reference(image))
    try:
        name = proxy_image_name(hosts.proxy, hosts.application, host, repository)
    except MalformedName as error:
        detail = f"{error} Give --portal to look the slug up."
        return ResolvedImage(image, "unknown", "", detail)
    return ResolvedImage(image, "proxied", name + version_of(image), "")
