from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from audit.services import record
from audit.tags import EventTag
from licenses.models import Application
from oci.reference import Reference
from portal.crypto.secrets import Secret
from portal.errors import Conflict, Invalid
from portal.wake import Task, wake
from registries.checks.attempt import CheckResult, try_credential
from registries.checks.limit import count_try
from registries.checks.new_credentials import (
    NewCredential,
    new_version,
    prove,
    try_version,
)
from registries.checks.results import check_at_once, record_check, reset_health
from registries.models import (
    Credential,
    CredentialCheck,
    ExternalRegistry,
    RegistryShare,
)
from registries.providers import PROVIDERS, canonical_endpoint
from registries.selectors import active_credential
from registries.upstream.target import upstream_target
from teams.actors import Actor
from teams.models import Team
from teams.permissions import Permission
from teams.services import apply_changes

CHECKS_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class NewRegistry:
    """A registry as the vendor enters it.

    ``slug`` "" is the endpoint without its port. ``applications`` None shares it with
    all of the team's, present and future.
    """

    provider: str
    endpoint: str
    credential: NewCredential
    slug: str = ""
    trusted_realm: str = ""
    applications: Sequence[Application] | None = None
    repository_patterns: Sequence[str] = ("*",)
    test_image: str = ""


@dataclass(frozen=True, slots=True)
class ReadyRegistry:
    """A registry that can be stored: valid, its credential proven if it was tried."""

    registry: ExternalRegistry
    credential: Credential
    applications: Sequence[Application] | None
    result: CheckResult | None


@dataclass(frozen=True, slots=True)
class ReadyCredential:
    """A credential that can take the place of a registry's present one."""

    credential: Credential
    result: CheckResult | None


def connect_registry(
    *, actor: Actor, team: Team, new: NewRegistry, skip_test: bool = False
) -> ExternalRegistry:
    """Store a registry with its credential, after the credential has been tried.

    Raises:
        CredentialNotProven: the registry did not accept the credential.
    """
    ready = prepare_registry(actor=actor, team=team, new=new, skip_test=skip_test)
    return store_registry(actor=actor, ready=ready)


def prepare_registry(
    *, actor: Actor, team: Team, new: NewRegistry, skip_test: bool = False
) -> ReadyRegistry:
    """Look at a new registry and try its credential; nothing is stored.

    To be called outside of a transaction: the registry may take its time.

    Raises:
        CredentialNotProven: the registry did not accept the credential.
    """
    registry = _registry(actor, team, new)
    registry.full_clean()
    version = new_version(actor, registry, new.credential)
    result = None if skip_test else prove(version)
    return ReadyRegistry(registry, version, new.applications, result)


@transaction.atomic
def store_registry(*, actor: Actor, ready: ReadyRegistry) -> ExternalRegistry:
    """Store what :func:`prepare_registry` returned."""
    registry, version = ready.registry, ready.credential
    actor.require(Permission.REGISTRY_MANAGE, team_id=registry.team_id)
    registry.full_clean()  # another may have taken the slug while it was tried
    registry.save()
    _set_shares(registry, ready.applications)
    version.active = True
    version.save()
    if ready.result is not None:
        record_check(version, ready.result)
    else:
        wake(Task.CHECK_REGISTRIES)
    _record(
        actor,
        EventTag.REGISTRY_CONNECTED,
        registry,
        endpoint=registry.endpoint,
        provider=registry.provider,
        shared_with_all=registry.shared_with_all,
    )
    return registry


@transaction.atomic
def change_registry(
    *,
    actor: Actor,
    registry: ExternalRegistry,
    changes: Mapping[str, object],
    applications: Sequence[Application] | None = None,
    change_shares: bool = False,
) -> ExternalRegistry:
    """Change slug, test image, trusted realm or patterns, and what it is shared with.

    Sharing changes with ``change_shares`` alone.

    ``applications`` is read as in :func:`connect_registry`. Felt within one second.
    """
    actor.require(Permission.REGISTRY_MANAGE, team_id=registry.team_id)
    changed = apply_changes(registry, changes)
    if change_shares and _set_shares(registry, applications):
        changed.append("applications")
    if {"test_image", "trusted_realm"} & set(changed):
        check_at_once(registry)
        wake(Task.CHECK_REGISTRIES)
    if changed:
        _record(actor, EventTag.REGISTRY_CHANGED, registry, changed=changed)
    return registry


def replace_credential(
    *,
    actor: Actor,
    registry: ExternalRegistry,
    credential: NewCredential,
    skip_test: bool = False,
) -> Credential:
    """Swap in a new credential once the registry has accepted it.

    Raises:
        CredentialNotProven: the registry did not accept it; the old one stays.
    """
    ready = prepare_credential(
        actor=actor, registry=registry, credential=credential, skip_test=skip_test
    )
    return use_credential(actor=actor, ready=ready)


def prepare_credential(
    *,
    actor: Actor,
    registry: ExternalRegistry,
    credential: NewCredential,
    skip_test: bool = False,
) -> ReadyCredential:
    """Try a new credential, for the registry's test image too; nothing is stored.

    To be called outside of a transaction: the registry may take its time.

    Raises:
        CredentialNotProven: the registry did not accept it.
    """
    actor.require(Permission.REGISTRY_MANAGE, team_id=registry.team_id)
    version = new_version(actor, registry, credential)
    return ReadyCredential(version, None if skip_test else prove(version))


@transaction.atomic
def use_credential(*, actor: Actor, ready: ReadyCredential) -> Credential:
    """Swap in what :func:`prepare_credential` returned.

    The old one goes on serving pulls until then, and is kept, inactive, afterwards.

    Raises:
        Conflict: the registry was deleted while the credential was tried.
    """
    version = ready.credential
    actor.require(Permission.REGISTRY_MANAGE, team_id=version.team_id)
    registry = (
        ExternalRegistry.objects.for_team(version.team_id)
        .select_for_update()
        .filter(pk=version.registry_id)
        .first()
    )
    if registry is None:
        raise Conflict("registry_deleted", "Somebody deleted the registry meanwhile.")
    Credential.objects.for_team(registry.team_id).filter(
        registry=registry, active=True
    ).update(active=False)
    version.active = True
    version.save()
    reset_health(registry)
    if ready.result is not None:
        record_check(version, ready.result)
    else:
        wake(Task.CHECK_REGISTRIES)
    _record(
        actor,
        EventTag.REGISTRY_CREDENTIAL_REPLACED,
        registry,
        auth_type=version.auth_type,
    )
    return version


def duplicate_registry(
    *, actor: Actor, registry: ExternalRegistry, slug: str
) -> ExternalRegistry:
    """Connect the same registry again under another slug, with the same credential."""
    present = active_credential(registry)
    applications = None
    if not registry.shared_with_all:
        applications = list(registry.applications.all())
    new = NewRegistry(
        provider=registry.provider,
        endpoint=registry.endpoint,
        credential=NewCredential(
            present.auth_type,
            present.username.reveal(),
            Secret(present.secret.reveal()),
        ),
        slug=slug,
        trusted_realm=registry.trusted_realm,
        applications=applications,
        repository_patterns=registry.repository_patterns,
        test_image=registry.test_image,
    )
    return connect_registry(actor=actor, team=registry.team, new=new, skip_test=True)


@transaction.atomic
def delete_registry(*, actor: Actor, registry: ExternalRegistry) -> None:
    """Forget a registry and all versions of its credential; its pulls stop."""
    actor.require(Permission.REGISTRY_MANAGE, team_id=registry.team_id)
    _record(
        actor,
        EventTag.REGISTRY_DELETED,
        registry,
        endpoint=registry.endpoint,
        provider=registry.provider,
    )
    registry.delete()


def try_new_registry(*, actor: Actor, team: Team, new: NewRegistry) -> CheckResult:
    """Try the credential of a registry that is not stored, and store nothing."""
    registry = _registry(actor, team, new)
    registry.full_clean(validate_constraints=False)
    return try_version(new_version(actor, registry, new.credential))


def try_registry(
    *, actor: Actor, registry: ExternalRegistry, image: Reference | None = None
) -> CheckResult:
    """Try the stored credential now and note what came of it.

    No access to an ``image`` named here does not make the registry unhealthy; none to
    the registry's own test image, which is tried otherwise, does.
    """
    actor.require(Permission.REGISTRY_MANAGE, team_id=registry.team_id)
    version = active_credential(registry)
    if image is None:
        result = try_version(version)
    else:
        count_try(registry.team_id)
        result = try_credential(upstream_target(version), image)
    record_check(version, result, counts_image=image is None)
    return result


def delete_old_credential_checks() -> int:
    """Delete checks of more than 90 days ago; return how many."""
    before = timezone.now() - CHECKS_KEPT
    return CredentialCheck.objects.filter(created_at__lt=before).delete()[0]


def _default_slug(endpoint: str) -> str:
    return endpoint.rpartition(":")[0] or endpoint


def _registry(actor: Actor, team: Team, new: NewRegistry) -> ExternalRegistry:
    actor.require(Permission.REGISTRY_MANAGE, team_id=team.pk)
    fixed = PROVIDERS[new.provider].fixed_endpoint
    endpoint = canonical_endpoint(fixed or new.endpoint.strip().lower())
    return ExternalRegistry(
        team=team,
        provider=new.provider,
        endpoint=endpoint,
        slug=new.slug or _default_slug(endpoint),
        trusted_realm=new.trusted_realm.strip().lower(),
        shared_with_all=new.applications is None,
        repository_patterns=list(new.repository_patterns),
        test_image=new.test_image,
    )


def _set_shares(
    registry: ExternalRegistry, applications: Sequence[Application] | None
) -> bool:
    wanted = {each.pk for each in applications or ()}
    if any(each.team_id != registry.team_id for each in applications or ()):
        raise Invalid({"applications": ["Choose applications of your team."]})
    if applications is not None and not wanted:
        raise Conflict(
            "no_applications", "Share with at least one application, or with all."
        )
    shares = RegistryShare.objects.for_team(registry.team_id).filter(registry=registry)
    present = set(shares.values_list("application_id", flat=True))
    if wanted == present and registry.shared_with_all == (applications is None):
        return False
    shares.exclude(application_id__in=wanted).delete()
    RegistryShare.objects.bulk_create(
        RegistryShare(team_id=registry.team_id, registry=registry, application_id=each)
        for each in wanted - present
    )
    registry.shared_with_all = applications is None
    registry.save(update_fields=["shared_with_all"])
    return True


def _record(
    actor: Actor, tag: EventTag, registry: ExternalRegistry, **data: object
) -> None:
    record(actor=actor, tag=tag, team_id=registry.team_id, subject=registry, data=data)
