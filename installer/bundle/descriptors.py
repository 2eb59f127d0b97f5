"""Descriptors of manifests and blobs, and checks that content matches them.

Source: OCI image spec 1.1, "Content Descriptors".
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from installer.errors import InstallerError
from oci.digest import Digest, MalformedDigest, parse_digest


class InvalidContent(InstallerError):  # noqa: N818 -- states the fact
    """A registry sent content that is malformed, or that its digest does not match."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest says about a blob or another manifest."""

    media_type: str
    digest: str
    size: int

    def to_json(self) -> dict[str, Any]:
        return {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size,
        }


def read_descriptor(value: Any) -> Descriptor:
    """Return a descriptor from a manifest.

    Raises:
        InvalidContent: it is malformed.
    """
    entry = value if isinstance(value, dict) else {}
    media_type, size = entry.get("mediaType"), entry.get("size")
    try:
        digest = parse_digest(str(entry.get("digest")))
    except MalformedDigest as error:
        raise _malformed() from error
    if not isinstance(media_type, str) or type(size) is not int or size < 0:
        raise _malformed()
    return Descriptor(media_type, digest, size)


def _malformed() -> InvalidContent:
    return InvalidContent(
        "The manifest has an entry without a valid media type, digest or size.",
        "manifest",
    )


def digest_of(content: bytes) -> Digest:
    return Digest(f"sha256:{hashlib.sha256(content).hexdigest()}")


def check_digest(content: bytes, digest: str) -> None:
    """Check that the content has the digest.

    Raises:
        InvalidContent: it has another one.
    """
    algorithm, _, encoded = digest.partition(":")
    if hashlib.new(algorithm, content).hexdigest() != encoded:
        raise wrong_digest(digest)


def wrong_digest(digest: str) -> InvalidContent:
    return InvalidContent(
        f"The content received is not {digest} and was discarded. Run this again. If "
        "the error persists, something on the network alters the content.",
        "digest",
    )
