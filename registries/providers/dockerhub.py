"""Docker Hub: one endpoint, another host for its API, a third for its tokens."""

from __future__ import annotations

from registries.providers.base import PASSWORD, AuthType, Provider

ENDPOINT = "index.docker.io"


def _upstream_repository(repository: str) -> str:
    """Give official images the namespace that Docker clients leave out."""
    return repository if "/" in repository else f"library/{repository}"


DOCKERHUB = Provider(
    name="dockerhub",
    title="Docker Hub",
    auth_types=(AuthType("token", "Username", "Access token"), PASSWORD),
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
)
