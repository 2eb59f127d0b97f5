"""Docker Hub: one endpoint, another host for its API, a third for its tokens."""

from __future__ import annotations

from registries.providers.problems import Problem
from registries.providers.provider import AuthType, Provider

ENDPOINT = "index.docker.io"


def _upstream_repository(repository: str) -> str:
    """Give official images the namespace that Docker clients leave out."""
    return repository if "/" in repository else f"library/{repository}"


DOCKERHUB = Provider(
    name="dockerhub",
    title="Docker Hub",
    auth_types=(
        AuthType(
            "token",
            "Access token",
            secret_label="Access token",
            secret_help="Looks like dckr_pat_… (of a person) or dckr_oat_… (of an "
            "organization).",
        ),
        AuthType("password", "Password"),
    ),
    fixed_endpoint=ENDPOINT,
    endpoint_aliases=frozenset({"docker.io", "registry-1.docker.io"}),
    realm_hosts=frozenset({"auth.docker.io"}),
    api_host=lambda _endpoint: "registry-1.docker.io",
    upstream_repository=_upstream_repository,
    help=(
        (
            "On hub.docker.com, open Account settings, then Personal access tokens, "
            "and generate one that may read only."
        ),
        (
            "For the access token of an organization, the username is the name of "
            "the organization."
        ),
        "A password works only for accounts without two-factor authentication.",
    ),
    help_url="https://docs.docker.com/security/access-tokens/",
    meanings={
        Problem.WRONG_CREDENTIAL: "Docker Hub says so of a token that was revoked or "
        "has expired, and of a password where two-factor authentication is on. "
        "Generate an access token that may read, and enter it here.",
        Problem.NO_ACCESS: "On Docker Hub, add the account to a team of the "
        "organization that may read the repository, or check the name.",
        Problem.RATE_LIMITED: "Docker Hub limits pulls by account; a paid "
        "subscription raises or lifts the limit.",
    },
)
