"""Credentials as vendors enter them: looked at, then tried, before they are stored."""

from __future__ import annotations

from dataclasses import dataclass

from oci.reference import parse_reference
from portal.crypto.secrets import Secret
from portal.errors import Invalid, PortalError
from registries.checks.attempt import CheckResult, try_credential
from registries.checks.limit import count_try
from registries.models import MAX_SECRET_BYTES, Credential, ExternalRegistry
from registries.models.health import Outcome
from registries.providers import AuthType, Provider
from registries.upstream.target import upstream_target
from teams.actors import Actor, ActorKind


class CredentialNotProven(PortalError):  # noqa: N818 -- states the fact
    """The registry did not accept a new credential; nothing was stored."""

    def __init__(self, result: CheckResult) -> None:
        super().__init__(f"credential_{result.outcome.value}", result.detail)
        self.result = result


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A credential as the vendor enters it.

    ``auth_type`` "" is the provider's usual one. The fields that it does not ask for
    are left empty.
    """

    auth_type: str
    username: str
    secret: Secret


def new_version(
    actor: Actor, registry: ExternalRegistry, credential: NewCredential
) -> Credential:
    """Return a credential of a registry, not stored yet.

    Raises:
        Invalid: it cannot be right, whatever the registry says.
    """
    profile: Provider = registry.provider_profile
    auth_type = profile.auth_type(credential.auth_type or profile.auth_types[0].name)
    if auth_type is None:
        names = ", ".join(each.name for each in profile.auth_types)
        raise Invalid({"auth_type": [f"{profile.title} takes: {names}."]})
    username = auth_type.fixed_username or credential.username.strip()
    secret = credential.secret if auth_type.has_secret else Secret("")
    problems = _problems(auth_type, credential, username, secret)
    if problems:
        raise Invalid({name: [problem] for name, problem in problems.items()})
    return Credential(
        team_id=registry.team_id,
        registry=registry,
        auth_type=auth_type.name,
        username=Secret(username),
        secret=secret,
        created_by_id=actor.id if actor.kind is ActorKind.USER else None,
    )


def _problems(
    auth_type: AuthType, entered: NewCredential, username: str, secret: Secret
) -> dict[str, str]:
    problems: dict[str, str] = {}
    if auth_type.fixed_username and entered.username not in {"", username}:
        problems["username"] = f"Leave it out: it is always {username}."
    elif not username or _is_unusable(username):
        problems["username"] = f"Enter the {auth_type.username_label}."
    if not auth_type.has_secret and entered.secret:
        problems["secret"] = f"Leave it out: {auth_type.title} has none."
    elif auth_type.has_secret and (not secret or _is_unusable(secret.reveal())):
        problems["secret"] = f"Enter the {auth_type.secret_label}, up to 16 KB."
    return problems or auth_type.mistakes(username, secret.reveal())


def _is_unusable(text: str) -> bool:
    return "\x00" in text or len(text.encode()) > MAX_SECRET_BYTES


def prove(version: Credential) -> CheckResult:
    """Try a credential, on the registry's test image too if it has one.

    Raises:
        CredentialNotProven: it does not work.
    """
    result = try_version(version)
    if result.outcome is not Outcome.VALID:
        raise CredentialNotProven(result)
    return result


def try_version(version: Credential) -> CheckResult:
    """Return what comes of trying a credential, stored or not, as checks do.

    Raises:
        TooMany: the team has had enough tried for this minute.
    """
    count_try(version.team_id)
    name = version.registry.test_image
    return try_credential(
        upstream_target(version), parse_reference(name) if name else None
    )
