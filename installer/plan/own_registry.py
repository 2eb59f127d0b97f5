"""Names on the customer's own registry: ``HOST/NAMESPACE/<last path element>:tag``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from installer.errors import InstallerError
from installer.lookup.verdicts import Verdict, read_image
from installer.plan.images import Hosts
from oci.kustomize import home_of, is_proxied
from oci.reference import (
    MalformedName,
    Reference,
    looks_like_host,
    parse_registry_host,
    parse_repository,
)

_MAX_SHOWN: Final = 20


class CannotFlatten(InstallerError):  # noqa: N818 -- states the fact
    """Images that cannot be had without the Internet, or only one of two."""


def parse_target(text: str) -> str:
    """Return ``HOST[/NAMESPACE]`` in its canonical spelling.

    Raises:
        MalformedName: it is none.
    """
    host, slash, namespace = text.rstrip("/").partition("/")
    if not looks_like_host(host):
        raise MalformedName(f"{host!r} is no registry host. Give HOST/NAMESPACE.")
    found = parse_registry_host(host)
    return f"{found}/{parse_repository(namespace)}" if slash else found


def refuse_digests(images: Iterable[str]) -> None:
    """Return if no image is named by its digest.

    Raises:
        CannotFlatten: some are.
    """
    read = {image: read_image(image) for image in images}
    pinned = {
        image: found
        for image, found in read.items()
        if isinstance(found, Reference) and found.digest
    }
    if pinned:
        lines = [_advice(image, found) for image, found in pinned.items()]
        raise CannotFlatten(
            "Digests do not work without the Internet: a copy on your registry may "
            "have another digest, and a digest alone gives it no tag. Ask your vendor "
            "to name these images by tag.\n" + "\n".join(lines[:_MAX_SHOWN]),
            "digest",
        )


def flat_names(images: Iterable[str], target: str, hosts: Hosts) -> dict[str, str]:
    """Return the name of each image on the customer's registry, without its tag.

    Names that cannot be read are left out: ``read_image`` tells why.

    Raises:
        CannotFlatten: two images would become one.
    """
    found: dict[str, str] = {}
    owners: dict[str, tuple[str, tuple[str, str]]] = {}
    for image in images:
        reference = read_image(image)
        if isinstance(reference, Verdict):
            continue
        home = origin(reference, hosts)
        name = f"{target}/{home[1].rpartition('/')[2]}"
        whole = f"{name}:{reference.tag or 'latest'}"
        other, others_home = owners.setdefault(whole, (image, home))
        if others_home != home:
            raise CannotFlatten(
                f"{other} and {image} are two images, and both would become {whole}. "
                "Ask your vendor to give one of them another name or tag.",
                "collision",
            )
        found[image] = name
    return found


def origin(reference: Reference, hosts: Hosts) -> tuple[str, str]:
    """Return the registry and repository that an image is from, proxied or not."""
    parts = reference.repository.split("/")
    proxied = any(is_proxied(reference, host) for host in hosts.proxies)
    if not proxied or len(parts) < 3:
        return home_of(reference)
    if len(parts) > 3 and looks_like_host(parts[2]):
        return home_of(Reference(parts[2], "/".join(parts[3:]), None, None))
    return home_of(Reference(None, "/".join(parts[2:]), None, None))


def _advice(image: str, found: Reference) -> str:
    if not found.tag:
        return f"  {image}: it has no tag."
    instead = image.partition("@")[0]
    return f"  {image}: use {instead} instead."
