from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from audit.services import record
from audit.tags import EventTag
from oci.reference import Reference, parse_reference
from portal.crypto.secrets import Secret
from portal.errors import Conflict, Invalid, PortalError
from registries.check_results import begin_anew, record_check
from registries.checks import CheckResult, try_credential
from registries.health import Outcome
from registries.models import (
    MAX_SECRET_BYTES,
    Credential,
    CredentialCheck,
    ExternalRegistry,
    RegistryShare,
)
from registries.providers import PROVIDERS, Provider, canonical_endpoint
from registries.selectors import active_credential
from registries.tasks import check_due_registries_task
from registries.upstream_target import upstream_target
from teams.actors import Actor, ActorKind
from teams.models import Application, Team
from teams.permissions import Permission
from teams.services import apply_changes

CHECKS_KEPT = timedelta(days=90)


class CredentialNotProven(PortalError):  # noqa: N818 -- states the fact
    """The registry did not accept a new credential; nothing was stored."""

    def __init__(self, result: CheckResult) -> None:
        super().__init__(f"credential_{result.outcome.value}", result.detail)
        self.result = result


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A credential as the vendor enters it."""

    auth_type: str
    username: str
    secret: Secret


def connect_registry(
    *,
    actor: Actor,
    team: Team,
    provider: str,
    endpoint: str,
    credential: NewCredential,
    slug: str = "",
    trusted_realm: str = "",
    applications: Sequence[Application] | None = None,
    repository_patterns: Sequence[str] = ("*",),
    skip_test: bool = False,
    image: Reference | None = None,
) -> ExternalRegistry:
    """Store a registry with its credential, after the credential has been tried.

    ``applications`` None shares it with all of the team's, present and future.
    ``slug`` defaults to the endpoint, without its port. The credential has to be good
    for ``image`` too, if one is named.

    Raises:
        CredentialNotProven: the registry did not accept the credential.
    """
    actor.require(Permission.REGISTRY_MANAGE, team_id=team.pk)
    profile = PROVIDERS[provider]
    endpoint = canonical_endpoint(profile.fixed_endpoint or endpoint.strip().lower())
    registry = ExternalRegistry(
        team=team,
        provider=provider,
        endpoint=endpoint,
        slug=slug or _default_slug(endpoint),
        trusted_realm=trusted_realm.strip().lower(),
        shared_with_all=applications is None,
        repository_patterns=list(repository_patterns),
    )
    registry.full_clean()
    version = _new_credential(actor, registry, credential)
    result = None if skip_test else _prove(version, image)
    return _store_registry(actor, registry, version, applications, result)


@transaction.atomic
def _store_registry(
    actor: Actor,
    registry: ExternalRegistry,
    version: Credential,
    applications: Sequence[Application] | None,
    result: CheckResult | None,
) -> ExternalRegistry:
    registry.save()
    _set_shares(registry, applications)
    version.active = True
    version.save()
    if result is not None:
        record_check(version, result)
    else:
        _check_after_commit()
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
    """Change slug, trusted realm or patterns; with ``change_shares`` also sharing.

    ``applications`` is read as in :func:`connect_registry`. Felt within one second.
    """
    actor.require(Permission.REGISTRY_MANAGE, team_id=registry.team_id)
    changed = apply_changes(registry, changes)
    if change_shares and _set_shares(registry, applications):
        changed.append("applications")
    if changed:
        _record(actor, EventTag.REGISTRY_CHANGED, registry, changed=changed)
    return registry


def replace_credential(
    *,
    actor: Actor,
    registry: ExternalRegistry,
    credential: NewCredential,
    skip_test: bool = False,
    image: Reference | None = None,
) -> Credential:
    """Swap in a new credential once the registry has accepted it, for ``image`` too.

    The old one goes on serving pulls until then, and is kept, inactive, afterwards.

    Raises:
        CredentialNotProven: the registry did not accept it; the old one stays.
    """
    actor.require(Permission.REGISTRY_MANAGE, team_id=registry.team_id)
    version = _new_credential(actor, registry, credential)
    result = None if skip_test else _prove(version, image)
    with transaction.atomic():
        registry = (
            ExternalRegistry.objects.for_team(registry.team_id)
            .select_for_update()
            .get(pk=registry.pk)
        )
        Credential.objects.for_team(registry.team_id).filter(
            registry=registry, active=True
        ).update(active=False)
        version.active = True
        version.save()
        begin_anew(registry)
        if result is not None:
            record_check(version, result)
        else:
            _check_after_commit()
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
    return connect_registry(
        actor=actor,
        team=registry.team,
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
        skip_test=True,
    )


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


def try_new_credential(
    *,
    actor: Actor,
    team: Team,
    provider: str,
    endpoint: str,
    credential: NewCredential,
    trusted_realm: str = "",
    image: Reference | None = None,
) -> CheckResult:
    """Try a credential that is not stored, as the dialog does before saving."""
    actor.require(Permission.REGISTRY_MANAGE, team_id=team.pk)
    profile = PROVIDERS[provider]
    endpoint = canonical_endpoint(profile.fixed_endpoint or endpoint.strip().lower())
    registry = ExternalRegistry(
        team=team,
        provider=provider,
        endpoint=endpoint,
        slug=_default_slug(endpoint),
        trusted_realm=trusted_realm.strip().lower(),
    )
    registry.full_clean(validate_constraints=False)
    return try_credential(
        upstream_target(_new_credential(actor, registry, credential)), image
    )


def try_registry(
    *, actor: Actor, registry: ExternalRegistry, image: Reference | None = None
) -> CheckResult:
    """Try the stored credential now and note what came of it.

    No access to an ``image`` named here does not make the registry unhealthy; none to
    the registry's own test image, which is tried otherwise, does.
    """
    actor.require(Permission.REGISTRY_MANAGE, team_id=registry.team_id)
    version = active_credential(registry)
    own = parse_reference(registry.test_image) if registry.test_image else None
    result = try_credential(upstream_target(version), image or own)
    record_check(version, result, counts_image=image is None)
    return result


def delete_old_credential_checks() -> int:
    """Delete checks of more than 90 days ago; return how many."""
    before = timezone.now() - CHECKS_KEPT
    return CredentialCheck.objects.filter(created_at__lt=before).delete()[0]


def _default_slug(endpoint: str) -> str:
    return endpoint.rpartition(":")[0] or endpoint


def _new_credential(
    actor: Actor, registry: ExternalRegistry, credential: NewCredential
) -> Credential:
    profile: Provider = registry.provider_profile
    names = [auth_type.name for auth_type in profile.auth_types]
    problems: dict[str, list[str]] = {}
    if credential.auth_type not in names:
        problems["auth_type"] = [f"{profile.title} takes: {', '.join(names)}."]
    if not credential.username or _is_unusable(credential.username):
        problems["username"] = ["Enter the account's name."]
    if not credential.secret or _is_unusable(credential.secret.reveal()):
        problems["secret"] = ["Enter the account's password or token, up to 16 KB."]
    if problems:
        raise Invalid(problems)
    return Credential(
        team_id=registry.team_id,
        registry=registry,
        auth_type=credential.auth_type,
        username=Secret(credential.username),
        secret=credential.secret,
        created_by_id=actor.id if actor.kind is ActorKind.USER else None,
    )


def _is_unusable(text: str) -> bool:
    return "\x00" in text or len(text.encode()) > MAX_SECRET_BYTES


def _prove(version: Credential, image: Reference | None) -> CheckResult:
    result = try_credential(upstream_target(version), image)
    if result.outcome is not Outcome.VALID:
        raise CredentialNotProven(result)
    return result


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


def _check_after_commit() -> None:
    # Robust: the registry is due already, and the task only hurries.
    transaction.on_commit(check_due_registries_task.delay, robust=True)


def _record(
    actor: Actor, tag: EventTag, registry: ExternalRegistry, **data: object
) -> None:
    record(actor=actor, tag=tag, team_id=registry.team_id, subject=registry, data=data)
