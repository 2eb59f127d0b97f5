"""Docker Hub: one endpoint, another host for its API, a third for its tokens."""

from __future__ import annotations

from registries.providers.problems import Problem
from registries.providers.provider import AuthType, Provider

ENDPOINT = "index.docker.io"


def _upstream_repository(repository: str) -> str:
    """Add the namespace of official images, which Docker clients omit."""
    return repository if "/" in repository else f"library/{repository}"


DOCKERHUB = Provider(
    name="dockerhub",
    title="Docker Hub",
    auth_types=(
        AuthType(
            "token",
            "Access token",
            secret_label="Access token",
            secret_help="Looks like dckr_pat_… (personal) or dckr_oat_… "
            "(organization).",
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
            "and generate a read-only one."
        ),
        (
            "For an organization access token, the username is the name of the "
            "organization."
        ),
        "A password works only for accounts without two-factor authentication.",
    ),
    help_url="https://docs.docker.com/security/access-tokens/",
    guide="registries/docker-hub/",
    meanings={
        Problem.WRONG_CREDENTIAL: "Docker Hub reports this for a token that was "
        "revoked or has expired, and for a password if two-factor authentication is "
        "on. Generate a read-only access token and enter it here.",
        Problem.NO_ACCESS: "On Docker Hub, add the account to a team of the "
        "organization that may read the repository, or check the name.",
        Problem.RATE_LIMITED: "Docker Hub limits pulls per account; a paid "
        "subscription raises or lifts the limit.",
    },
)
