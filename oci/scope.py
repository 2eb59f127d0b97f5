"""Docker token scopes (distribution docs, spec/auth/scope.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from oci.quoting import quoted

_SCOPE_LENGTH = 1024
# docker asks for one, and for two to mount a layer of another repository. Tools that
# mount from many, such as crane and BuildKit, ask for one more for each.
_SCOPE_COUNT = 20


class MalformedScope(ValueError):  # noqa: N818  a domain word, read as a sentence
    """The text does not have the form of a scope."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Actions on one named resource, as a client asks for them."""

    type: str
    name: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(self.actions)}"


def parse_scopes(values: Iterable[str]) -> list[Scope]:
    """Parse every `scope` parameter of a request; one may hold several scopes.

    A resource named twice becomes one scope with the actions of both, in order of first
    appearance. A resource class is dropped; unknown types and actions stay. Raises
    MalformedScope for wrong syntax, unprintable characters, a scope longer than 1,024
    characters, or more than 20 scopes.
    """
    merged: dict[tuple[str, str], dict[str, None]] = {}
    for count, text in enumerate(_scope_texts(values), start=1):
        if count > _SCOPE_COUNT:
            raise MalformedScope(f"There are more than {_SCOPE_COUNT} scopes.")
        resource_type, name, actions = _split_scope(text)
        merged.setdefault((resource_type, name), {}).update(dict.fromkeys(actions))
    return [Scope(*resource, tuple(actions)) for resource, actions in merged.items()]


def _scope_texts(values: Iterable[str]) -> Iterator[str]:
    # split() without an argument would also split at characters that are refused.
    return (text for value in values for text in value.split(" ") if text)


def _split_scope(text: str) -> tuple[str, str, list[str]]:
    if len(text) > _SCOPE_LENGTH:
        raise MalformedScope(
            f"The scope that begins with {quoted(text)} is longer than "
            f"{_SCOPE_LENGTH} characters."
        )
    if not text.isprintable():
        raise MalformedScope(f"The scope {quoted(text)} has unprintable characters.")
    resource_type, _, rest = text.partition(":")
    # A name may hold host:port, so the actions begin at the last colon.
    name, _, actions = rest.rpartition(":")
    if resource_type.endswith(")"):
        resource_type, _, _ = resource_type.partition("(")
    if not resource_type or not name:
        raise MalformedScope(f"{quoted(text)} is not a scope like type:name:actions.")
    return resource_type, name, [action for action in actions.split(",") if action]
