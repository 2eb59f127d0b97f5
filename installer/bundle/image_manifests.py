"""Read image manifests and indexes, which come from untrusted registries.

Source: OCI image spec 1.1, "Image Index" and "Image Manifest".
"""

from __future__ import annotations

import re
from typing import Any, Final

from installer.bundle.descriptors import (
    Descriptor,
    InvalidContent,
    check_digest,
    digest_of,
    read_descriptor,
)
from oci.digest import MalformedDigest, parse_digest
from oci.media_types import OCI_INDEX, OCI_MANIFEST
from oci.strict_json import parse_json

# Layers with these media types may not be redistributed.
_NOT_DISTRIBUTABLE: Final = re.compile(r"nondistributable|foreign")


def read_manifest(
    content: bytes, digest: str = "", media_type: str = ""
) -> tuple[Descriptor, dict[str, Any]]:
    """Return a manifest's descriptor and document, after a check of its digest.

    Raises:
        InvalidContent: it is malformed, or has another digest.
    """
    document = _document(content)
    inferred = OCI_INDEX if "manifests" in document else OCI_MANIFEST
    kind = document.get("mediaType") or media_type or inferred
    if not isinstance(kind, str):
        raise _not_a_manifest()
    try:
        expected = parse_digest(digest) if digest else digest_of(content)
    except MalformedDigest as error:
        raise _not_a_manifest() from error
    check_digest(content, expected)
    return Descriptor(kind, expected, len(content)), document


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = parse_json(content)
    except ValueError as error:
        raise _not_a_manifest() from error
    # One reader could take such a document for an image, another one for an index.
    if not isinstance(document, dict) or (
        "manifests" in document and not document.keys().isdisjoint({"config", "layers"})
    ):
        raise _not_a_manifest()
    return document


def _not_a_manifest() -> InvalidContent:
    return InvalidContent("The content received is not a manifest.", "manifest")


def blobs_of(manifest: dict[str, Any]) -> list[Descriptor]:
    """Return the blobs of an image's manifest that may be redistributed."""
    config = read_descriptor(manifest.get("config"))
    return [
        blob
        for blob in (config, *descriptors(manifest, "layers"))
        if not _NOT_DISTRIBUTABLE.search(blob.media_type)
    ]


def descriptors(document: dict[str, Any], key: str) -> list[Descriptor]:
    """Return a list of descriptors in a manifest or an index."""
    entries = document.get(key)
    if not isinstance(entries, list):
        raise InvalidContent(f"The manifest has no {key}.", "manifest")
    return [read_descriptor(entry) for entry in entries]


def digest_for(index: dict[str, Any], platform: str) -> str | None:
    """Return the digest of the manifest for a platform, None if there is none."""
    manifests = descriptors(index, "manifests")
    for entry, descriptor in zip(index["manifests"], manifests, strict=True):
        if _platform(entry) in {platform, f"{platform}/v8"}:
            return descriptor.digest
    return None


def _platform(entry: dict[str, Any]) -> str:
    platform = entry.get("platform")
    if not isinstance(platform, dict):
        return ""
    parts = (platform.get(key) for key in ("os", "architecture", "variant"))
    return "/".join(str(part) for part in parts if part)
