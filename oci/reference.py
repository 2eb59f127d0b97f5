"""Names of registries, repositories, tags and whole references.

Sources: OCI distribution spec, "Pulling manifests" (name and tag grammar);
distribution/reference (how docker splits a reference).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import NewType

from oci.digest import Digest, parse_digest
from oci.quoting import quoted

Tag = NewType("Tag", str)

_REPOSITORY_LENGTH = 255
_DNS_LENGTH = 253

# Separators and letters share no character, so matching never backtracks far.
_PATH_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PATH_PART}(?:/{_PATH_PART})*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_HOST_AND_PORT = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([1-9][0-9]{0,4}))?")
_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# Parts that inet_aton() accepts in an address: 127, 0177, 0x7f.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class MalformedName(ValueError):  # noqa: N818  a domain word, read as a sentence
    """The text is not a name in the registry protocol."""


@dataclass(frozen=True, slots=True)
class Reference:
    """`[registry/]repository[:tag][@digest]`; a registry of None is Docker Hub."""

    registry: str | None
    repository: str
    tag: str | None
    digest: str | None

    @property
    def without_registry(self) -> str:
        """Return `repository[:tag][@digest]`."""
        tag = f":{self.tag}" if self.tag else ""
        return self.repository + tag + (f"@{self.digest}" if self.digest else "")


def parse_repository(text: str) -> str:
    """Return the repository unchanged, or raise MalformedName.

    The grammar is `<name>` of the OCI distribution spec, at most 255 characters.
    """
    if len(text) > _REPOSITORY_LENGTH:
        raise MalformedName(
            f"The repository that begins with {quoted(text)} is longer than "
            f"{_REPOSITORY_LENGTH} characters."
        )
    if not _REPOSITORY.fullmatch(text):
        raise MalformedName(f"{quoted(text)} is not a repository name.")
    return text


def parse_tag(text: str) -> Tag:
    """Return the tag unchanged, or raise MalformedName (OCI distribution spec)."""
    if not _TAG.fullmatch(text):
        raise MalformedName(f"{quoted(text)} is not a tag.")
    return Tag(text)


def parse_manifest_reference(text: str) -> Tag | Digest:
    """Return what follows `/manifests/`: a digest if it has a colon, else a tag.

    Raises MalformedDigest or MalformedName accordingly.
    """
    return parse_digest(text) if ":" in text else parse_tag(text)


def parse_registry_host(text: str) -> str:
    """Return `host[:port]` in its one canonical, lower-case spelling.

    A host is a DNS name (RFC 1123), an IPv4 address or an IPv6 address in brackets.
    Refuses numeric spellings that only some resolvers understand, and keeps a port
    even if it is the default. Raises MalformedName.
    """
    # Lower-casing first would let the Kelvin sign through as a "k".
    match = _HOST_AND_PORT.fullmatch(text.lower()) if text.isascii() else None
    host = match and _canonical_host(match[1])
    if not match or not host or int(match[2] or 0) > 65535:
        raise MalformedName(f"{quoted(text)} is not a registry host.")
    return f"{host}:{match[2]}" if match[2] else host


def _canonical_host(host: str) -> str | None:
    labels = host.split(".")
    try:
        if host.startswith("["):
            return f"[{ipaddress.IPv6Address(host[1:-1])}]"
        if _NUMBER.fullmatch(labels[-1]):
            return str(ipaddress.IPv4Address(host))
    except ValueError:
        return None
    is_name = len(host) <= _DNS_LENGTH and all(map(_DNS_LABEL.fullmatch, labels))
    return host if is_name else None


def looks_like_host(part: str) -> bool:
    """Return whether docker reads the first part of a reference as a registry."""
    return "." in part or ":" in part or part == "localhost"


def parse_reference(text: str) -> Reference:
    """Split a reference as docker does.

    Adds neither a default registry, nor `library/`, nor `latest`. Raises MalformedName,
    or MalformedDigest for what follows `@`.
    """
    name, at, digest = text.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, colon, tag = name, "", ""
    first, slash, rest = repository.partition("/")
    has_registry = bool(slash) and looks_like_host(first)
    return Reference(
        registry=parse_registry_host(first) if has_registry else None,
        repository=parse_repository(rest if has_registry else repository),
        tag=parse_tag(tag) if colon else None,
        digest=parse_digest(digest) if at else None,
    )
