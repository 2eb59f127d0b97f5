"""What a decision is made from: plain values of one moment, see ``query``."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from portal.crypto.fields import SealedSecret
from registries.decision.credentials import Subject, SubjectKind
from registries.decision.repository_pattern import matches
from registries.models.health import DISPROVED_BY_PULLS
from registries.providers import PROVIDERS, Provider
from teams.actors import ActorKind
from teams.permissions import Permission, permissions_of


@dataclass(frozen=True, slots=True)
class HeldCredential:
    """A pull credential, in any state. Without networks, it is allowed everywhere."""

    id: uuid.UUID
    name: str
    expires_at: datetime | None
    revoked_at: datetime | None
    networks: tuple[str, ...]
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class HeldIdentity:
    """A trusted identity, in any state. ``workload`` is the number of who uses it."""

    id: uuid.UUID
    label: str
    removed_at: datetime | None
    workload: int


@dataclass(frozen=True, slots=True)
class LicenseHolder:
    """A license, in any state, by its ID, a pull credential or a trusted identity.

    ``id_version`` counts its IDs. ``id_ends_at`` is the end of one that was replaced.
    """

    id: uuid.UUID
    team_id: uuid.UUID
    application_slug: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoke_reason: str
    customer_archived_at: datetime | None
    id_version: int = 1
    id_ends_at: datetime | None = None
    credential: HeldCredential | None = None
    identity: HeldIdentity | None = None

    @property
    def subject(self) -> Subject:
        if self.identity is not None:
            identity = self.identity
            return Subject(SubjectKind.IDENTITY, identity.id, identity.workload)
        if self.credential is not None:
            return Subject(SubjectKind.PULL_CREDENTIAL, self.credential.id)
        return Subject(SubjectKind.LICENSE, self.id, self.id_version)


@dataclass(frozen=True, slots=True)
class VendorLogin:
    """A vendor's login in one team."""

    kind: ActorKind
    role: str
    read_only: bool = False

    def may(self, permission: Permission) -> bool:
        return permission in permissions_of(self.role, read_only=self.read_only)


@dataclass(frozen=True, slots=True)
class ApiTokenHolder:
    """A usable API token."""

    id: uuid.UUID
    team_id: uuid.UUID
    login: VendorLogin
    last_used_at: datetime | None

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.API_TOKEN, self.id)


@dataclass(frozen=True, slots=True)
class UserHolder:
    """An active account. Its rights depend on the team."""

    id: uuid.UUID

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.USER, self.id)


Holder = LicenseHolder | ApiTokenHolder | UserHolder


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """One version of a registry's credential; each version has an ID of its own."""

    id: uuid.UUID
    auth_type: str
    username: SealedSecret
    secret: SealedSecret


@dataclass(frozen=True, slots=True)
class Candidate:
    """A registry that an image's name may mean. ``is_shared``: with its application."""

    id: uuid.UUID
    slug: str
    provider: str
    endpoint: str
    patterns: Collection[str]
    created_at: datetime
    is_shared: bool

    @property
    def profile(self) -> Provider:
        return PROVIDERS[self.provider]

    def allows(self, repository: str) -> bool:
        """Return whether a pattern matches the repository; ``*`` also matches ``/``."""
        return any(matches(pattern, repository) for pattern in self.patterns)


@dataclass(frozen=True, slots=True)
class ConnectedRegistry(Candidate):
    """A registry with the credential to pull with."""

    team_id: uuid.UUID
    trusted_realm: str
    health: str
    credential: StoredCredential

    @property
    def is_disproved_by_pulls(self) -> bool:
        """Return whether checks found a failure that a pull that works disproves."""
        return self.health in DISPROVED_BY_PULLS


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known about one image.

    ``team_id`` is the application's, of whatever team; None if there is none. ``login``
    is the vendor's, if the holder is one and in that team.
    """

    team_id: uuid.UUID | None = None
    login: VendorLogin | None = None
    registries: tuple[ConnectedRegistry, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Who presents a credential, and what is known about the images, in their order.

    ``at`` is a moment before the database was asked.
    """

    at: datetime
    holder: Holder | None
    images: tuple[ImageFacts, ...]
