"""The registry that serves a pull, and the repository's full name there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from oci.reference import looks_like_host
from registries.decision.facts import Candidate
from registries.decision.proxied_name import ProxiedName
from registries.decision.sentences import (
    registry_not_connected,
    registry_not_shared,
    repository_not_allowed,
)
from registries.decision.steps import Step, passed
from registries.providers import canonical_endpoint
from registries.providers.dockerhub import ENDPOINT as DOCKER_HUB

AnyCandidate = TypeVar("AnyCandidate", bound=Candidate)


def choose_registry(
    name: ProxiedName, candidates: Sequence[AnyCandidate], trace: list[Step]
) -> tuple[AnyCandidate, str]:
    """Return the first registry that serves a repository, and its full name there.

    ``candidates`` are the team's registries that the name may mean, in the order in
    which pulls try them.

    Raises:
        Refusal: no registry serves the repository.
    """
    named, name = _named(name, candidates)
    if not named:
        raise registry_not_connected(name.application, name.upstream)
    shared = [registry for registry in named if registry.is_shared]
    if not shared:
        raise registry_not_shared(name.application, name.upstream, named[0])
    passed(trace, "registry", f"{shared[0].slug} is connected and shared.")
    for registry in shared:
        full_name = registry.profile.upstream_repository(name.repository)
        if name.repository and registry.allows(full_name):
            passed(trace, "repository", f"{full_name} is allowed.")
            return registry, full_name
    raise repository_not_allowed(name.repository, shared[0])


def _named(
    name: ProxiedName, candidates: Sequence[AnyCandidate]
) -> tuple[list[AnyCandidate], ProxiedName]:
    """Return the registries that a name means, and the name as they read it.

    A slug comes before an endpoint, and both before Docker Hub, where ``upstream`` is
    the first part of the repository.
    """
    endpoint = canonical_endpoint(name.upstream)
    by_slug = [item for item in candidates if item.slug == name.upstream]
    named = by_slug or [item for item in candidates if item.endpoint == endpoint]
    if named or looks_like_host(name.upstream):
        return named, name
    on_docker_hub = replace(name, repository=name.path)
    return [item for item in candidates if item.endpoint == DOCKER_HUB], on_docker_hub
