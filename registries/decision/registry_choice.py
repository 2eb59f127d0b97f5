"""The registry that serves a pull, and the repository's full name there."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from django.db.models import Q

from licenses.models import Application
from oci.reference import looks_like_host
from registries.decision.proxied_name import ProxiedName
from registries.decision.sentences import (
    registry_not_connected,
    registry_not_shared,
    repository_not_allowed,
)
from registries.decision.steps import Step, passed
from registries.models import Credential, ExternalRegistry, RegistryShare
from registries.providers import canonical_endpoint
from registries.providers.dockerhub import ENDPOINT as DOCKER_HUB


def choose_registry(
    name: ProxiedName,
    candidates: Sequence[ExternalRegistry],
    shares: Collection[uuid.UUID],
    trace: list[Step],
) -> tuple[ExternalRegistry, str]:
    """Return the first registry that serves a repository, and its full name there.

    ``candidates`` are the registries that the name may mean, ``shares`` the IDs of
    those shared with its application alone. Asks no database, so that a preview of
    many images can use it too.

    Raises:
        Refusal: no registry serves the repository.
    """
    if not candidates:
        raise registry_not_connected(name.application, name.upstream)
    shared = [
        registry
        for registry in candidates
        if registry.shared_with_all or registry.pk in shares
    ]
    if not shared:
        raise registry_not_shared(name.application, name.upstream, candidates[0])
    passed(trace, "registry", f"{shared[0].slug} is connected and shared.")
    for registry in shared:
        full_name = registry.provider_profile.upstream_repository(name.repository)
        if name.repository and registry.allows_repository(full_name):
            passed(trace, "repository", f"{full_name} is allowed.")
            return registry, full_name
    raise repository_not_allowed(name.repository, shared[0])


def oldest_first(registries: Iterable[ExternalRegistry]) -> list[ExternalRegistry]:
    """Return registries in the order in which pulls try them."""
    return sorted(registries, key=lambda registry: (registry.created_at, registry.pk))


def choose_credential(
    application: Application, name: ProxiedName, trace: list[Step]
) -> tuple[Credential, str]:
    """Return the credential to pull with, and the repository's full name upstream.

    Costs one to three queries.

    Raises:
        Refusal: no registry serves the repository.
    """
    credentials, name = _connected(application, name)
    by_registry = {credential.registry: credential for credential in credentials}
    registry, full_name = choose_registry(
        name, oldest_first(by_registry), _shares(application, by_registry), trace
    )
    return by_registry[registry], full_name


def _connected(
    application: Application, name: ProxiedName
) -> tuple[list[Credential], ProxiedName]:
    """Return the credentials that a name may mean, and the name as they read it.

    A slug comes before an endpoint, and both before Docker Hub, where ``upstream`` is
    the first part of the repository.
    """
    endpoint = canonical_endpoint(name.upstream)
    credentials = _active_credentials(
        application, Q(registry__slug=name.upstream) | Q(registry__endpoint=endpoint)
    )
    if credentials:
        by_slug = [item for item in credentials if item.registry.slug == name.upstream]
        return by_slug or credentials, name
    if looks_like_host(name.upstream):
        return [], name
    on_docker_hub = replace(name, repository=name.path)
    return _active_credentials(
        application, Q(registry__endpoint=DOCKER_HUB)
    ), on_docker_hub


def _active_credentials(application: Application, which: Q) -> list[Credential]:
    # Sorted later, and as plain a query as possible: nearly all of a decision's time
    # goes into building its queries.
    return list(
        Credential.objects.for_team(application.team_id)
        .filter(which, active=True)
        .select_related("registry")
    )


def _shares(
    application: Application, registries: Iterable[ExternalRegistry]
) -> Collection[uuid.UUID]:
    if all(registry.shared_with_all for registry in registries):
        return ()
    return set(
        RegistryShare.objects.for_team(application.team_id)
        .filter(application_id=application.pk)
        .values_list("registry_id", flat=True)
    )
