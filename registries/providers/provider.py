"""What a provider tells of itself; see docs/development/adding-a-provider.md."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from portal.crypto.secrets import Secret
from registries.providers.problems import Problem


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """What the vendor entered, of which a provider may have to make a login."""

    team_id: uuid.UUID
    endpoint: str
    username: str
    secret: Secret


@dataclass(frozen=True, slots=True)
class TemporaryLogin:
    """A username and password that the registry itself takes, for ``seconds``."""

    username: str
    password: Secret
    seconds: float


class LoginNotMade(Exception):  # noqa: N818 -- states the fact
    """No login could be made of what is stored.

    ``fact`` and ``advice`` are sentences for the vendor; neither holds a secret.
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
        title: what people call this way.
        username_label, secret_label: what the provider calls the two.
        username_help, secret_help: what they look like.
        fixed_username: the username where it is always the same one; not asked for.
        has_secret: False if the username says all.
        is_document: the secret is a file of several lines.
        trusts_berth: the provider has to trust this installation as an identity
            provider, see registries.web_identity.
        mistakes: from username and secret to what is wrong with them at first sight,
            by ``username`` and ``secret``; asked before anything is sent anywhere.
        make_login: makes the login of what is stored, where the registry does not
            take that itself. It may block, and raises LoginNotMade.
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
    make_login: Callable[[StoredLogin], TemporaryLogin] | None = None


PASSWORD = AuthType("password", "Username and password")


def _same(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Provider:
    """What Berth must know of one kind of registry.

    Attributes:
        name: the stable name, in the API and in the database.
        title: what people call it.
        fixed_endpoint: the only endpoint it has, or None if the vendor names one.
        endpoint_aliases: other spellings of the fixed endpoint in image names.
        usual_endpoint: what most vendors enter.
        endpoint_pattern: what all of its endpoints match, if there is such a thing.
        endpoint_example, endpoint_help: what to enter as the endpoint.
        auth_types: the ways to sign in, the usual one first.
        realm_hosts: hosts of token services that may be sent a credential besides
            those of the registry's own registrable domain.
        api_host: from an endpoint to the host that speaks the registry API.
        upstream_repository: from a repository as customers write it to its full name.
        help: where vendors find what to enter, a line each.
        help_url: the provider's own page for that.
        test_help: what a test without an image leaves open.
        meanings: what a problem typically means with this provider, and what to do.
    """

    name: str
    title: str
    auth_types: tuple[AuthType, ...] = (PASSWORD,)
    fixed_endpoint: str | None = None
    endpoint_aliases: frozenset[str] = frozenset()
    usual_endpoint: str = ""
    endpoint_pattern: re.Pattern[str] | None = None
    endpoint_example: str = "registry.example.com"
    endpoint_help: str = "Host, with its port if it has one."
    realm_hosts: frozenset[str] = frozenset()
    api_host: Callable[[str], str] = _same
    upstream_repository: Callable[[str], str] = _same
    help: tuple[str, ...] = ()
    help_url: str = ""
    test_help: str = ""
    meanings: Mapping[Problem, str] = field(default_factory=dict)

    def auth_type(self, name: str) -> AuthType | None:
        """Return the way to sign in of that name, None if there is none."""
        return next((each for each in self.auth_types if each.name == name), None)

    def has_endpoint(self, endpoint: str) -> bool:
        """Tell whether an endpoint can be one of this provider's."""
        if self.fixed_endpoint is not None:
            return endpoint == self.fixed_endpoint
        pattern = self.endpoint_pattern
        return pattern is None or pattern.fullmatch(endpoint) is not None
