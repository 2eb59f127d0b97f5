"""The names of proxied images: ``proxy/<application>/<upstream>/<repository>``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from oci.kustomize import PROXY_PREFIX
from oci.reference import MalformedName, parse_repository


class WantedImage(NamedTuple):
    """An application's slug, and the part of the name below it that may be a registry.

    ``upstream`` is None for the private registry.
    """

    application: str
    upstream: str | None


@dataclass(frozen=True, slots=True)
class ProxiedName:
    """A proxied image's name, in the parts that the decision needs.

    ``upstream`` is the first part below the application. Whether it is a slug, a host
    or the start of a name on Docker Hub depends on the team's registries.
    """

    application: str
    upstream: str
    repository: str

    @property
    def path(self) -> str:
        """Return the name below the application."""
        return f"{self.upstream}/{self.repository}".rstrip("/")

    @property
    def wanted(self) -> WantedImage:
        return WantedImage(self.application, self.upstream)

    @property
    def scope(self) -> str:
        """Return the scope of the token that a pull needs."""
        return f"repository:{self}:pull"

    def __str__(self) -> str:
        return f"{PROXY_PREFIX}/{self.application}/{self.path}"


def parse_proxied_name(name: str) -> ProxiedName:
    """Read a repository name of the proxy.

    Raises:
        MalformedName: not a repository name, or not one of the proxy's.
    """
    parts = parse_repository(name).split("/", 3)
    if parts[0] != PROXY_PREFIX or len(parts) < 3:
        raise MalformedName(
            "Proxied images are named proxy/<application>/<registry>/<repository>."
        )
    return ProxiedName(parts[1], parts[2], parts[3] if len(parts) == 4 else "")
