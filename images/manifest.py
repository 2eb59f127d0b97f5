"""Reads what a manifest consists of (OCI image spec; docker image manifest v2)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from oci.digest import MalformedDigest, parse_digest
from oci.media_types import DOCKER_LIST, OCI_INDEX

# Configurations that name a platform; those of charts and signatures do not.
_IMAGE_CONFIGS = {
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
}
INDEXES = {OCI_INDEX, DOCKER_LIST}
_MAX_PLATFORM = 100
# Registries accept any number as a size. No real one is larger than this.
_MAX_SIZE = 2**48


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of one manifest.

    ``blobs`` maps the digest of each blob to its size in bytes, ``children`` are the
    manifests of an index. ``config`` is the digest of an image's configuration.
    """

    media_type: str
    blobs: dict[str, int] = field(default_factory=dict)
    children: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    config: str = ""


def parse_manifest(media_type: str, body: bytes) -> Manifest:
    """Read a manifest; an unreadable one consists only of itself."""
    try:
        content = json.loads(body)
        if media_type in INDEXES:
            return _index(media_type, content)
        return _image(media_type, content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Manifest(media_type)


def _index(media_type: str, content: dict[str, Any]) -> Manifest:
    entries = content["manifests"]
    platforms = {_platform(entry.get("platform") or {}) for entry in entries}
    return Manifest(
        media_type,
        children=tuple(_digest(entry) for entry in entries),
        # Attestations appear in an index as unknown/unknown.
        platforms=tuple(sorted(platforms - {"", "unknown/unknown"})),
    )


def _image(media_type: str, content: dict[str, Any]) -> Manifest:
    config = content.get("config") or {}
    parts = [*([config] if config else []), *(content.get("layers") or [])]
    is_image = config.get("mediaType") in _IMAGE_CONFIGS
    return Manifest(
        media_type,
        blobs={_digest(part): _size(part) for part in parts},
        config=_digest(config) if is_image else "",
    )


def parse_platform(body: bytes) -> str:
    """Return the platform in an image's configuration, or ""."""
    try:
        return _platform(json.loads(body))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return ""


def _platform(named: dict[str, Any]) -> str:
    system, architecture = named.get("os") or "", named.get("architecture") or ""
    if not system or not architecture:
        return ""
    variant = named.get("variant") or ""
    text = "/".join(part for part in (system, architecture, variant) if part)
    return text if len(text) <= _MAX_PLATFORM and text.isprintable() else ""


def _digest(descriptor: dict[str, Any]) -> str:
    try:
        return parse_digest(descriptor["digest"])
    except MalformedDigest as error:
        raise ValueError("a descriptor has no digest") from error


def _size(descriptor: dict[str, Any]) -> int:
    size = descriptor["size"]
    if not isinstance(size, int) or not 0 <= size <= _MAX_SIZE:
        raise ValueError("a descriptor has an invalid size")
    return size
