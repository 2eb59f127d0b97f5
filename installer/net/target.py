"""What to ask a registry for."""

from __future__ import annotations

from dataclasses import dataclass

from oci.kustomize import home_of
from oci.reference import Reference


@dataclass(frozen=True, slots=True)
class Target:
    """One image, whatever its spelling: host, repository, and tag or digest."""

    host: str
    repository: str
    reference: str

    def __str__(self) -> str:
        mark = "@" if ":" in self.reference else ":"
        return f"{self.repository}{mark}{self.reference}"


def target_of(reference: Reference) -> Target:
    """Return the target of a reference; without a version that is ``latest``."""
    host, repository = home_of(reference)
    return Target(host, repository, reference.digest or reference.tag or "latest")
