from __future__ import annotations

import re
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
from portal.database.uniqueness import save_valid, validate
from portal.errors import Conflict, Invalid
from portal.wake import Task, wake
from registries.checks.attempt import CheckResult, check_credential_now
from registries.checks.results import check_at_once, record_check, reset_health
from registries.models import (
    MAX_SECRET_BYTES,
    Credential,
    CredentialCheck,
    ExternalRegistry,
    RegistryShare,
)
from registries.providers import PROVIDERS, AuthType, canonical_endpoint
from registries.selectors import active_credential
from teams.actors import Actor
from teams.models import Team
from teams.permissions import Permission
from teams.services import apply_changes

CHECKS_KEPT = timedelta(days=90)
# RFC 7617 section 2 allows none of them in a username or password.
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A credential as the vendor enters it.

    ``auth_type`` "" means the provider's default. Fields it does not use are empty.
    Line breaks around the secret are removed: copying from a file often adds one.
    """

    auth_type: str
    username: str
    secret: Secret

    @property
    def secret_on_its_own(self) -> Secret:
        """Return the secret without the line breaks around it."""
        return Secret(self.secret.reveal().strip("\r\n"))

    @property
    def has_line_breaks_around(self) -> bool:
        return self.secret != self.secret_on_its_own


@dataclass(frozen=True, slots=True)
class NewRegistry:
    """A registry as the vendor enters it.

    ``slug`` "" means the endpoint without its port. ``applications`` None means all of
    the team's, current and future.
    """

    provider: str
    endpoint: str
    credential: NewCredential
    slug: str = ""
    trusted_realm: str = ""
    applications: Sequence[Application] | None = None
    repository_patterns: Sequence[str] = ("*",)
    test_image: str = ""


def connect_registry(
    *, actor: Actor, team: Team, new: NewRegistry, skip_test: bool = False
) -> ExternalRegistry:
    """Store a registry with its credential, after checking the credential.

    Raises:
        CheckFailed: the registry did not accept the credential.
    """
    draft = draft_registry(actor=actor, team=team, new=new)
    result = None if skip_test else check_credential_now(draft).raise_if_failed()
    return store_registry(
        actor=actor, draft=draft, applications=new.applications, result=result
    )


def draft_registry(*, actor: Actor, team: Team, new: NewRegistry) -> Credential:
    """Return a new registry's credential; both are validated but not stored."""
    registry = _new_registry(actor, team, new)
    validate(registry)
    return _new_credential(actor, registry, new.credential)


@transaction.atomic
def store_registry(
    *,
    actor: Actor,
    draft: Credential,
    applications: Sequence[Application] | None,
    result: CheckResult | None,
) -> ExternalRegistry:
    """Store the registry and credential that :func:`draft_registry` returned.

    ``result`` is a successful check. If None, the workers check the credential.
    """
    registry = draft.registry
    actor.require(Permission.REGISTRY_MANAGE, team_id=registry.team_id)
    save_valid(registry)  # the slug may have been taken during the check
    _set_shares(registry, applications)
    _activate(draft, result)
    record(
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
    """Change slug, test image, trusted realm, patterns or sharing.

    ``applications`` is as in :class:`NewRegistry`, and ignored without
    ``change_shares``. Pulls notice the change within one second.
    """
    actor.require(Permission.REGISTRY_MANAGE, team_id=registry.team_id)
    _lock(registry)  # before its shares
    changed = apply_changes(registry, changes)
    if change_shares and _set_shares(registry, applications):
        changed.append("applications")
    if {"test_image", "trusted_realm"} & set(changed):
        check_at_once(registry)
        wake(Task.CHECK_REGISTRIES)
    if changed:
        record(actor, EventTag.REGISTRY_CHANGED, registry, changed=changed)
    return registry


def draft_credential(
    *, actor: Actor, registry: ExternalRegistry, new: NewCredential
) -> Credential:
    """Return a credential for a registry, validated but not stored."""
    actor.require(Permission.REGISTRY_MANAGE, team_id=registry.team_id)
    return _new_credential(actor, registry, new)


@transaction.atomic
def replace_credential(
    *, actor: Actor, draft: Credential, result: CheckResult | None
) -> Credential:
    """Activate what :func:`draft_credential` returned; the old one is kept, inactive.

    ``result`` is a successful check. If None, the workers check the credential.

    Raises:
        Conflict: the registry was deleted during the check.
    """
    actor.require(Permission.REGISTRY_MANAGE, team_id=draft.team_id)
    registry = _lock(draft.registry)
    if registry is None:
        raise Conflict("registry_deleted", "The registry has been deleted.")
    Credential.objects.for_team(registry.team_id).filter(
        registry=registry, active=True
    ).update(active=False)
    reset_health(registry)
    _note_change(registry)
    _activate(draft, result)
    record(
        actor,
        EventTag.REGISTRY_CREDENTIAL_REPLACED,
        registry,
        auth_type=draft.auth_type,
    )
    return draft


def _activate(draft: Credential, result: CheckResult | None) -> None:
    draft.active = True
    draft.save()
    if result is not None:
        record_check(draft, result)
    else:
        wake(Task.CHECK_REGISTRIES)


def duplicate_registry(
    *, actor: Actor, registry: ExternalRegistry, slug: str
) -> ExternalRegistry:
    """Connect the same registry again under another slug, with the same credential."""
    current = active_credential(registry)
    applications = None
    if not registry.shared_with_all:
        applications = list(registry.applications.all())
    new = NewRegistry(
        provider=registry.provider,
        endpoint=registry.endpoint,
        credential=NewCredential(
            current.auth_type,
            current.username.reveal(),
            Secret(current.secret.reveal()),
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
    """Delete a registry with all versions of its credential; its pulls stop."""
    actor.require(Permission.REGISTRY_MANAGE, team_id=registry.team_id)
    record(
        actor,
        EventTag.REGISTRY_DELETED,
        registry,
        endpoint=registry.endpoint,
        provider=registry.provider,
    )
    _lock(registry)  # before its credentials and checks
    registry.delete()


def _note_change(registry: ExternalRegistry) -> None:
    """Let the registry be changed now: its credential and shares are other rows."""
    registry.updated_at = timezone.now()
    registry.save(update_fields=["updated_at"])


def _lock(registry: ExternalRegistry) -> ExternalRegistry | None:
    """Return the current row, locked; None if it was deleted."""
    registries = ExternalRegistry.objects.for_team(registry.team_id)
    return registries.select_for_update().filter(pk=registry.pk).first()


def check_new_registry(*, actor: Actor, team: Team, new: NewRegistry) -> CheckResult:
    """Check the credential of a new registry, without storing anything."""
    registry = _new_registry(actor, team, new)
    registry.full_clean(validate_constraints=False)
    return check_credential_now(_new_credential(actor, registry, new.credential))


def check_registry(
    *, actor: Actor, registry: ExternalRegistry, image: Reference | None = None
) -> CheckResult:
    """Check the stored credential now, and record the result.

    A failure to read ``image`` does not make the registry unhealthy. A failure to read
    the registry's own test image, which is the default, does.
    """
    actor.require(Permission.REGISTRY_MANAGE, team_id=registry.team_id)
    version = active_credential(registry)
    result = check_credential_now(version, image)
    record_check(version, result, counts_image=image is None)
    return result


def delete_old_credential_checks() -> int:
    """Delete checks of more than 90 days ago; return how many."""
    before = timezone.now() - CHECKS_KEPT
    return CredentialCheck.objects.filter(created_at__lt=before).delete()[0]


def _default_slug(endpoint: str) -> str:
    return endpoint.rpartition(":")[0] or endpoint


def _new_registry(actor: Actor, team: Team, new: NewRegistry) -> ExternalRegistry:
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


def _new_credential(
    actor: Actor, registry: ExternalRegistry, new: NewCredential
) -> Credential:
    """Return a validated credential, not stored; raise Invalid if it cannot work."""
    profile = registry.provider_profile
    auth_type = profile.auth_type(new.auth_type or profile.auth_types[0].name)
    if auth_type is None:
        names = ", ".join(kind.name for kind in profile.auth_types)
        raise Invalid({"auth_type": [f"{profile.title} takes: {names}."]})
    username = auth_type.fixed_username or new.username.strip()
    secret = new.secret_on_its_own if auth_type.has_secret else Secret("")
    problems = _problems(auth_type, new, username, secret)
    if problems:
        raise Invalid({name: [problem] for name, problem in problems.items()})
    return Credential(
        team_id=registry.team_id,
        registry=registry,
        auth_type=auth_type.name,
        username=Secret(username),
        secret=secret,
        created_by_id=actor.person_id,
    )


def _problems(
    auth_type: AuthType, entered: NewCredential, username: str, secret: Secret
) -> dict[str, str]:
    problems: dict[str, str] = {}
    if auth_type.fixed_username and entered.username not in {"", username}:
        problems["username"] = f"Omit the username: it is always {username}."
    elif not username or _is_unusable(username):
        problems["username"] = f"Enter the {auth_type.username_label}."
    if not auth_type.has_secret and entered.secret:
        problems["secret"] = f"Omit the secret: {auth_type.title} has none."
    elif auth_type.has_secret and (not secret or _is_unusable(secret.reveal())):
        problems["secret"] = f"Enter the {auth_type.secret_label}, up to 16 KB."
    problems |= _control_characters(auth_type, username, secret)
    return problems or auth_type.mistakes(username, secret.reveal())


def _control_characters(
    auth_type: AuthType, username: str, secret: Secret
) -> dict[str, str]:
    labels = {"username": auth_type.username_label, "secret": auth_type.secret_label}
    entered = {"username": username}
    if not auth_type.is_document:
        entered["secret"] = secret.reveal()
    return {
        name: f"The {labels[name]} contains a line break or another control character. "
        "Enter it on one line."
        for name, text in entered.items()
        if _CONTROL_CHARACTER.search(text)
    }


def _is_unusable(text: str) -> bool:
    return "\x00" in text or len(text.encode()) > MAX_SECRET_BYTES


def _set_shares(
    registry: ExternalRegistry, applications: Sequence[Application] | None
) -> bool:
    wanted = {application.pk for application in applications or ()}
    if any(item.team_id != registry.team_id for item in applications or ()):
        raise Invalid({"applications": ["Choose applications of your team."]})
    if applications is not None and not wanted:
        raise Conflict(
            "no_applications", "Share with at least one application, or with all."
        )
    shares = RegistryShare.objects.for_team(registry.team_id).filter(registry=registry)
    current = set(shares.values_list("application_id", flat=True))
    if wanted == current and registry.shared_with_all == (applications is None):
        return False
    shares.exclude(application_id__in=wanted).delete()
    RegistryShare.objects.bulk_create(
        RegistryShare(team_id=registry.team_id, registry=registry, application_id=pk)
        for pk in wanted - current
    )
    registry.shared_with_all = applications is None
    registry.save(update_fields=["shared_with_all"])
    _note_change(registry)
    return True
