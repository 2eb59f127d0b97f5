"""The kinds of external registries, one file each.

A new provider is a new file here, a line below, and a migration that widens the
check constraint ``registries_externalregistry_provider``.
"""

from __future__ import annotations

from registries.providers.base import AuthType, Provider
from registries.providers.dockerhub import DOCKERHUB
from registries.providers.other import OTHER

PROVIDERS: dict[str, Provider] = {
    provider.name: provider for provider in (DOCKERHUB, OTHER)
}

__all__ = ["DOCKERHUB", "OTHER", "PROVIDERS", "AuthType", "Provider"]


def canonical_endpoint(host: str) -> str:
    """Return the endpoint that a host in an image name stands for."""
    for provider in PROVIDERS.values():
        if provider.fixed_endpoint and host in provider.endpoint_aliases:
            return provider.fixed_endpoint
    return host
