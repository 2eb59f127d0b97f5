from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.conf import settings

from portal.crypto.fields import SealedSecret
from portal.crypto.secrets import Secret
from registries.decision.facts import ConnectedRegistry, StoredCredential
from registries.models import Credential
from registries.providers import Provider, StoredLogin, TemporaryLogin
from registries.providers.problems import Problem


@dataclass(frozen=True, slots=True)
class UpstreamTarget:
    """Where to pull from and with which credential, as plain values of two rows.

    ``credential_id`` changes with every version of a credential, so what is cached
    under it is used for that version only.
    """

    team_id: uuid.UUID
    registry_id: uuid.UUID
    credential_id: uuid.UUID
    label: str
    endpoint: str
    api_host: str
    scheme: str
    realm_hosts: frozenset[str]
    username: SealedSecret | Secret
    secret: SealedSecret | Secret
    upstream_repository: Callable[[str], str] = str
    make_login: Callable[[StoredLogin], TemporaryLogin] | None = None
    meanings: Mapping[Problem, str] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://{self.api_host}"

    @property
    def stored_login(self) -> StoredLogin:
        return StoredLogin(
            self.team_id,
            self.endpoint,
            self.username.reveal(),
            Secret(self.secret.reveal()),
        )


def upstream_target(credential: Credential) -> UpstreamTarget:
    """Return the target of a stored credential, or of a draft, with its registry."""
    registry = credential.registry
    return _target(
        credential,
        credential.team_id,
        registry.pk,
        registry.provider_profile,
        registry.endpoint,
        registry.trusted_realm,
    )


def pull_target(registry: ConnectedRegistry) -> UpstreamTarget:
    """Return the target of the registry that a decision chose."""
    return _target(
        registry.credential,
        registry.team_id,
        registry.id,
        registry.profile,
        registry.endpoint,
        registry.trusted_realm,
    )


def _target(
    credential: Credential | StoredCredential,
    team_id: uuid.UUID,
    registry_id: uuid.UUID,
    provider: Provider,
    endpoint: str,
    trusted_realm: str,
) -> UpstreamTarget:
    api_host = provider.api_host(endpoint)
    auth_type = provider.auth_type(credential.auth_type)
    trusted = {trusted_realm} if trusted_realm else set()
    return UpstreamTarget(
        team_id=team_id,
        registry_id=registry_id,
        credential_id=credential.id,
        label=endpoint,
        endpoint=endpoint,
        api_host=api_host,
        scheme="http" if api_host in settings.BERTH_INSECURE_REGISTRIES else "https",
        realm_hosts=provider.realm_hosts | trusted,
        username=credential.username,
        secret=credential.secret,
        upstream_repository=provider.upstream_repository,
        make_login=auth_type.make_login if auth_type else None,
        meanings=provider.meanings,
    )
