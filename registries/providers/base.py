from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuthType:
    """A way to sign in to a provider, with its words for the two fields."""

    name: str
    username_label: str
    secret_label: str


PASSWORD = AuthType("password", "Username", "Password")


def _same(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Provider:
    """What Berth must know of one kind of registry.

    Attributes:
        name: the stable name, in the API and in the database.
        title: what people call it.
        fixed_endpoint: the only endpoint it has, or None if the vendor names one.
        auth_types: the ways to sign in, the usual one first.
        realm_hosts: hosts of token services that may be sent a credential besides
            those of the registry's own registrable domain.
        endpoint_aliases: other spellings of the fixed endpoint in image names.
        api_host: from an endpoint to the host that speaks the registry API.
        upstream_repository: from a repository as customers write it to its full name.
        help: where vendors find a username and a secret to enter, a line each.
        help_url: the provider's own page for that.
        endpoint_help: what to enter as the endpoint.
    """

    name: str
    title: str
    auth_types: tuple[AuthType, ...] = (PASSWORD,)
    fixed_endpoint: str | None = None
    endpoint_aliases: frozenset[str] = frozenset()
    realm_hosts: frozenset[str] = frozenset()
    api_host: Callable[[str], str] = _same
    upstream_repository: Callable[[str], str] = _same
    help: tuple[str, ...] = ()
    help_url: str = ""
    endpoint_help: str = "Host, with its port if it has one."
