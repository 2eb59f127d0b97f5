"""Which connected registry a pull goes through, and by which name."""

from __future__ import annotations

from django.db.models import Q

from licenses.models import Application
from oci.reference import looks_like_host
from registries.decision.sentences import registry_not_available, repository_not_offered
from registries.decision.steps import Step, passed, refused
from registries.models import Credential, RegistryShare
from registries.models.outcomes import Reason
from registries.providers import canonical_endpoint
from registries.providers.dockerhub import ENDPOINT as DOCKER_HUB


def choose_registry(
    application: Application, upstream: str, repository: str, trace: list[Step]
) -> tuple[Credential, str]:
    """Return the credential to pull with, and the repository's full name upstream."""
    candidates, repository = _connected(application, upstream, repository)
    unavailable = registry_not_available(application.slug, upstream)
    if not candidates:
        raise refused(
            trace,
            "registry",
            Reason.REGISTRY_NOT_CONNECTED,
            unavailable,
            f"No connected registry has the slug or endpoint {upstream!r}.",
        )
    shared = _shared(application, candidates)
    if not shared:
        raise refused(
            trace,
            "registry",
            Reason.REGISTRY_NOT_SHARED,
            unavailable,
            f"{candidates[0].registry.slug} is connected, but not shared with "
            f"{application.slug}.",
        )
    passed(trace, "registry", f"{shared[0].registry.slug} is connected and shared.")
    return _check_repository(shared, repository, trace)


def _check_repository(
    candidates: list[Credential], repository: str, trace: list[Step]
) -> tuple[Credential, str]:
    for each in candidates:
        full_name = each.registry.provider_profile.upstream_repository(repository)
        if repository and each.registry.allows_repository(full_name):
            passed(trace, "repository", f"{full_name} is allowed.")
            return each, full_name
    raise refused(
        trace,
        "repository",
        Reason.REPOSITORY_NOT_ALLOWED,
        repository_not_offered(repository),
        f"No pattern of {candidates[0].registry.slug} covers {repository!r}.",
    )


def _connected(
    application: Application, upstream: str, repository: str
) -> tuple[list[Credential], str]:
    """Return candidates, a slug's before an endpoint's, and the repository on them."""
    endpoint = canonical_endpoint(upstream)
    found = _active_credentials(
        application, Q(registry__slug=upstream) | Q(registry__endpoint=endpoint)
    )
    if found:
        by_slug = [each for each in found if each.registry.slug == upstream]
        return by_slug or found, repository
    if looks_like_host(upstream):
        return [], repository
    on_docker_hub = f"{upstream}/{repository}".rstrip("/")
    return (
        _active_credentials(application, Q(registry__endpoint=DOCKER_HUB)),
        on_docker_hub,
    )


def _active_credentials(application: Application, which: Q) -> list[Credential]:
    """Return the team's credentials in use, of the oldest registry first.

    Sorted here, and asked as plainly as can be: the time of a decision is nearly all
    the ORM's, putting its queries together.
    """
    found = (
        Credential.objects.for_team(application.team_id)
        .filter(which, active=True)
        .select_related("registry")
    )
    return sorted(found, key=lambda each: (each.registry.created_at, each.registry.pk))


def _shared(application: Application, candidates: list[Credential]) -> list[Credential]:
    if all(each.registry.shared_with_all for each in candidates):
        return candidates
    shares = (
        RegistryShare.objects.for_team(application.team_id)
        .filter(application_id=application.pk)
        .values_list("registry_id", flat=True)
    )
    chosen = set(shares)
    return [
        each
        for each in candidates
        if each.registry.shared_with_all or each.registry_id in chosen
    ]
