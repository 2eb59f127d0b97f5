"""Images on the customer's own registry: ``HOST/NAMESPACE/<last path element>:tag``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from installer.errors import InstallerError
from installer.lookup.verdicts import Verdict, read_image
from installer.manifests.directory import Place
from installer.plan.images import Fate, Hosts, PlannedImage, version_of
from oci.kustomize import home_of, is_proxied
from oci.reference import (
    MalformedName,
    Reference,
    looks_like_host,
    parse_registry_host,
    parse_repository,
)

_MAX_SHOWN: Final = 20


class OwnRegistryError(InstallerError):
    """Images cannot be named on the customer's registry."""


def parse_own_registry(text: str) -> str:
    """Return ``HOST[/NAMESPACE]`` in its canonical spelling.

    Raises:
        MalformedName: the text is something else.
    """
    host, slash, namespace = text.rstrip("/").partition("/")
    if not looks_like_host(host):
        raise MalformedName(f"{host!r} is not a registry host. Give HOST/NAMESPACE.")
    canonical = parse_registry_host(host)
    return f"{canonical}/{parse_repository(namespace)}" if slash else canonical


def plan_own_registry(
    places: Mapping[str, list[Place]], registry: str, hosts: Hosts
) -> list[PlannedImage]:
    """Plan to pull each image from the customer's registry, without any request.

    Raises:
        OwnRegistryError: an image is named by digest, or two would become one.
    """
    refuse_digests(places)
    names = own_names(places, registry, hosts)
    return [_planned(image, tuple(named), names) for image, named in places.items()]


def _planned(
    image: str, places: tuple[Place, ...], names: dict[str, str]
) -> PlannedImage:
    reference = read_image(image)
    if isinstance(reference, Verdict):
        return PlannedImage(
            image, places, Fate.UNKNOWN, reference.sentence, reference.status
        )
    return PlannedImage(
        image=image,
        places=places,
        fate=Fate.OWN_REGISTRY,
        sentence="It is pulled from your own registry.",
        new_image=names[image] + version_of(image),
    )


def refuse_digests(images: Iterable[str]) -> None:
    """Check that no image is named by its digest.

    Raises:
        OwnRegistryError: some are.
    """
    references = {image: read_image(image) for image in images}
    lines = [
        _advice(image, reference)
        for image, reference in references.items()
        if isinstance(reference, Reference) and reference.digest
    ]
    if lines:
        raise OwnRegistryError(
            "Digests do not work without the Internet: a copy on your registry may "
            "have another digest, and a digest alone sets no tag. Ask your vendor to "
            "use tags for these images.\n" + "\n".join(lines[:_MAX_SHOWN]),
            "digest",
        )


def own_names(images: Iterable[str], registry: str, hosts: Hosts) -> dict[str, str]:
    """Return the name of each image on the customer's registry, without its tag.

    Images with an invalid name are left out.

    Raises:
        OwnRegistryError: two images would become one.
    """
    names: dict[str, str] = {}
    owners: dict[str, tuple[str, tuple[str, str]]] = {}
    for image in images:
        reference = read_image(image)
        if isinstance(reference, Verdict):
            continue
        home = _origin(reference, hosts)
        name = f"{registry}/{home[1].rpartition('/')[2]}"
        tagged = f"{name}:{reference.tag or 'latest'}"
        other, other_home = owners.setdefault(tagged, (image, home))
        if other_home != home:
            raise OwnRegistryError(
                f"{other} and {image} are different images, but both would become "
                f"{tagged}. Ask your vendor to rename or retag one of them.",
                "collision",
            )
        names[image] = name
    return names


def _origin(reference: Reference, hosts: Hosts) -> tuple[str, str]:
    """Return the registry and repository of an image, even if its name is proxied."""
    parts = reference.repository.split("/")
    proxied = any(is_proxied(reference, host) for host in hosts.proxies)
    if not proxied or len(parts) < 3:
        return home_of(reference)
    if len(parts) > 3 and looks_like_host(parts[2]):
        return home_of(Reference(parts[2], "/".join(parts[3:]), None, None))
    return home_of(Reference(None, "/".join(parts[2:]), None, None))


def _advice(image: str, reference: Reference) -> str:
    if not reference.tag:
        return f"  {image}: it has no tag."
    return f"  {image}: use {image.partition('@')[0]} instead."
