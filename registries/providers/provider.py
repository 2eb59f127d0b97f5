"""What defines a provider; see docs/development/adding-a-provider.md."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from portal.crypto.secrets import Secret
from registries.providers.problems import Problem


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """What the vendor entered; some providers must make the actual login from it."""

    team_id: uuid.UUID
    endpoint: str
    username: str
    secret: Secret


@dataclass(frozen=True, slots=True)
class TemporaryLogin:
    """A username and password that the registry accepts for ``seconds``."""

    username: str
    password: Secret
    seconds: float


class LoginNotMade(Exception):  # noqa: N818 -- states the fact
    """No login could be made from the stored credential.

    ``fact`` and ``advice`` are sentences for the vendor; neither contains a secret.
    """

    def __init__(self, problem: Problem, fact: str, advice: str = "") -> None:
        super().__init__(fact)
        self.problem = problem
        self.fact = fact
        self.advice = advice


def _no_mistakes(_username: str, _secret: str) -> dict[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class AuthType:
    """A way to sign in to a provider, and the fields that a vendor fills in for it.

    Attributes:
        name: the stable name, in the API and in the database.
        title: the name that people see.
        username_label, secret_label: what the provider calls the two fields.
        username_help, secret_help: what their values look like.
        fixed_username: the username if it is always the same; it is not asked for.
        has_secret: False if the username is enough.
        is_document: the secret is a file of several lines.
        trusts_berth: the provider must trust this installation as an identity
            provider, see registries.providers.amazon.web_identity.
        mistakes: returns obvious errors in username and secret, keyed by ``username``
            and ``secret``; called before anything is sent.
        guide: the guide's page about it, if that is not the provider's.
        make_login: makes the login if the registry does not accept the stored
            credential itself. It may block, and raises LoginNotMade.
    """

    name: str
    title: str
    username_label: str = "Username"
    secret_label: str = "Password"  # noqa: S105 -- a label
    username_help: str = ""
    secret_help: str = ""
    fixed_username: str = ""
    has_secret: bool = True
    is_document: bool = False
    trusts_berth: bool = False
    mistakes: Callable[[str, str], dict[str, str]] = _no_mistakes
    guide: str = ""
    make_login: Callable[[StoredLogin], TemporaryLogin] | None = None


PASSWORD = AuthType("password", "Username and password")


def _same(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Provider:
    """What Berth must know about one kind of registry.

    Attributes:
        name: the stable name, in the API and in the database.
        title: the name that people see.
        fixed_endpoint: its only endpoint, or None if the vendor enters one.
        endpoint_aliases: other spellings of the fixed endpoint in image names.
        usual_endpoint: what most vendors enter.
        endpoint_pattern: matches all of its endpoints, or None if they have no pattern.
        endpoint_example, endpoint_help: what to enter as the endpoint.
        auth_types: the ways to sign in, the usual one first.
        realm_hosts: token service hosts outside the registry's registrable domain
            that may receive the credential.
        api_host: maps an endpoint to the host that serves the registry API.
        upstream_repository: maps a repository as customers write it to its full name.
        help: where vendors find what to enter, one line each.
        help_url: the provider's own page about it.
        guide: the page of our guide about it, with its path under /help/.
        test_help: what a test without an image does not show.
        meanings: the usual cause of a problem with this provider, and the fix.
    """

    name: str
    title: str
    auth_types: tuple[AuthType, ...] = (PASSWORD,)
    fixed_endpoint: str | None = None
    endpoint_aliases: frozenset[str] = frozenset()
    usual_endpoint: str = ""
    endpoint_pattern: re.Pattern[str] | None = None
    endpoint_example: str = "registry.example.com"
    endpoint_help: str = "Host, including the port if there is one."
    realm_hosts: frozenset[str] = frozenset()
    api_host: Callable[[str], str] = _same
    upstream_repository: Callable[[str], str] = _same
    help: tuple[str, ...] = ()
    help_url: str = ""
    guide: str = "registries/other/"
    test_help: str = ""
    meanings: Mapping[Problem, str] = field(default_factory=dict)

    def auth_type(self, name: str) -> AuthType | None:
        """Return the auth type with that name, or None."""
        return next((kind for kind in self.auth_types if kind.name == name), None)

    def has_endpoint(self, endpoint: str) -> bool:
        """Return whether an endpoint is valid for this provider."""
        if self.fixed_endpoint is not None:
            return endpoint == self.fixed_endpoint
        pattern = self.endpoint_pattern
        return pattern is None or pattern.fullmatch(endpoint) is not None
