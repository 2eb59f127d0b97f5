"""The kinds of external registries, one file each.

To add one, see docs/development/adding-a-provider.md.
"""

from __future__ import annotations

from registries.providers.acr import ACR
from registries.providers.amazon.ecr import ECR
from registries.providers.artifactory import ARTIFACTORY
from registries.providers.dockerhub import DOCKERHUB
from registries.providers.ghcr import GHCR
from registries.providers.gitlab import GITLAB
from registries.providers.google.gar import GAR
from registries.providers.google.gcr import GCR
from registries.providers.nexus import NEXUS
from registries.providers.other import OTHER
from registries.providers.provider import (
    AuthType,
    LoginNotMade,
    Provider,
    StoredLogin,
    TemporaryLogin,
)
from registries.providers.quay import QUAY

# In the order of the dialog's tabs.
_ALL = (
    *(DOCKERHUB, OTHER, QUAY, GHCR, ECR, GAR, GCR, ACR),
    *(GITLAB, NEXUS, ARTIFACTORY),
)
PROVIDERS: dict[str, Provider] = {provider.name: provider for provider in _ALL}

__all__ = [
    "DOCKERHUB",
    "OTHER",
    "PROVIDERS",
    "AuthType",
    "LoginNotMade",
    "Provider",
    "StoredLogin",
    "TemporaryLogin",
    "canonical_endpoint",
    "endpoint_problem",
]


def canonical_endpoint(host: str) -> str:
    """Return the endpoint that a host in an image name refers to."""
    for provider in PROVIDERS.values():
        if provider.fixed_endpoint and host in provider.endpoint_aliases:
            return provider.fixed_endpoint
    return host


def endpoint_problem(provider: Provider, endpoint: str) -> str:
    """Return why an endpoint is invalid for a provider, or "" if it is valid."""
    if not provider.has_endpoint(endpoint):
        return (
            f"Not a valid endpoint of {provider.title}. Enter one like "
            f"{provider.endpoint_example}."
        )
    if provider is OTHER and endpoint == DOCKERHUB.fixed_endpoint:
        return "This is Docker Hub. Choose it as the provider."
    if provider is not ECR and ECR.has_endpoint(endpoint):
        return (
            f"This is {ECR.title}, whose passwords expire after twelve hours. Choose "
            "it as the provider, so that Berth renews them."
        )
    return ""
