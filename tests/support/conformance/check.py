"""One check: what to ask a registry, and what it must answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from tests.support.clients.edge import Answer
from tests.support.conformance.client import RegistryClient, Target
from tests.support.conformance.result import Result, result_of


class Category(StrEnum):
    """The workflow categories of the distribution spec."""

    PULL = "pull"
    PUSH = "push"
    DISCOVERY = "discovery"
    MANAGEMENT = "management"


@dataclass(frozen=True, slots=True)
class Check:
    """What Distribution 2.8.2 answers, spelled out, so that equal nonsense fails."""

    name: str
    category: Category
    ask: Callable[[RegistryClient], Answer]
    status: int
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def run(self, target: Target) -> tuple[Result, int]:
        """Return what a target answers, and how often it asked for a token."""
        client = RegistryClient(target)
        try:
            return result_of(self.ask(client), target), client.challenges
        finally:
            client.close()


class Checks:
    """The checks of one category, in the order they are written in."""

    def __init__(self, category: Category) -> None:
        self._category = category
        self.all: list[Check] = []

    def __call__(
        self, status: int, code: str | None = None, **headers: str
    ) -> Callable[[Callable[[RegistryClient], Answer]], Callable[..., Answer]]:
        """Make a function a check; ``Content_Type`` stands for ``Content-Type``."""
        wanted = {name.replace("_", "-"): value for name, value in headers.items()}

        def add(ask: Callable[[RegistryClient], Answer]) -> Callable[..., Answer]:
            self.add(ask.__name__, ask, status, code, wanted)
            return ask

        return add

    def add(
        self,
        name: str,
        ask: Callable[[RegistryClient], Answer],
        status: int,
        code: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.all.append(Check(name, self._category, ask, status, code, headers))
