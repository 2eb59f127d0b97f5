"""The hosts that images are pulled from with the license."""

from __future__ import annotations

from dataclasses import dataclass


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
