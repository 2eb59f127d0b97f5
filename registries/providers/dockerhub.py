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
    auth_types=(PASSWORD, AuthType("token", "Username", "Access token")),
    fixed_endpoint=ENDPOINT,
    endpoint_aliases=frozenset({"docker.io", "registry-1.docker.io"}),
    realm_hosts=frozenset({"auth.docker.io"}),
    api_host=lambda _endpoint: "registry-1.docker.io",
    upstream_repository=_upstream_repository,
)
