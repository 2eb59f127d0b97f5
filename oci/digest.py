"""Content digests (OCI image spec, descriptor.md, "Digests")."""

from __future__ import annotations

import re
from typing import NewType

from oci.quoting import quoted

Digest = NewType("Digest", str)

_ALGORITHM = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*")
_ENCODED = {
    "sha256": re.compile(r"[a-f0-9]{64}"),
    "sha512": re.compile(r"[a-f0-9]{128}"),
}


class MalformedDigest(ValueError):  # noqa: N818  a domain word, read as a sentence
    """The text is not an accepted digest."""


def parse_digest(text: str) -> Digest:
    """Return the digest unchanged.

    Accepts only the registered algorithms sha256 and sha512, with exactly their number
    of lower-case hexadecimal digits. Raises MalformedDigest for anything else.
    """
    algorithm, colon, encoded = text.partition(":")
    if not colon or not _ALGORITHM.fullmatch(algorithm):
        raise MalformedDigest(f"{quoted(text)} is not a digest.")
    pattern = _ENCODED.get(algorithm)
    if pattern is None:
        raise MalformedDigest(
            f"The digest algorithm of {quoted(text)} is neither sha256 nor sha512."
        )
    if not pattern.fullmatch(encoded):
        raise MalformedDigest(
            f"{quoted(text)} is not {algorithm} and lower-case hexadecimal digits."
        )
    return Digest(text)


def is_digest(text: str) -> bool:
    """Return whether ``parse_digest`` accepts the text."""
    pattern = _ENCODED.get(text.partition(":")[0])
    return bool(pattern and pattern.fullmatch(text.partition(":")[2]))
