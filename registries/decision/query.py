"""Fetches the facts of a decision: one statement for a credential and its images."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, cast

from django.db import connection
from django.utils import timezone

from licenses.license_id import PURPOSE as LICENSE_ID
from licenses.license_id import is_license_id
from licenses.pull_credential import PURPOSE as PULL_CREDENTIAL
from licenses.pull_credential import pull_credential_key
from oci.reference import looks_like_host
from portal.crypto.fields import EncryptedField, SealedSecret, lookup_keyring
from registries.decision.credentials import (
    PresentedCredential,
    PullCredential,
    Subject,
    SubjectKind,
)
from registries.decision.facts import (
    ApiTokenHolder,
    ConnectedRegistry,
    Facts,
    HeldCredential,
    HeldIdentity,
    Holder,
    ImageFacts,
    LicenseHolder,
    StoredCredential,
    UserHolder,
    VendorLogin,
)
from registries.decision.proxied_name import WantedImage
from registries.models import Credential
from registries.providers import canonical_endpoint
from registries.providers.dockerhub import ENDPOINT as DOCKER_HUB
from teams.actors import ActorKind
from teams.tokens import PURPOSE as API_TOKEN
from teams.tokens import api_token_key

# Without comments and indentation: psycopg remembers how to send only short statements.
STATEMENT = "\n".join(
    text
    for line in Path(__file__)
    .with_name("holder_application_registries.sql")
    .read_text()
    .splitlines()
    if (text := line.strip()) and not text.startswith("--")
)
_NO_IMAGE = WantedImage("", None)
_NAMES = {
    SubjectKind.LICENSE: "license_id",
    SubjectKind.PULL_CREDENTIAL: "pull_id",
    SubjectKind.IDENTITY: "identity_id",
    SubjectKind.API_TOKEN: "token_id",
    SubjectKind.USER: "user_id",
}
_ACTOR_KINDS = {
    "user": ActorKind.USER,
    "service_account": ActorKind.SERVICE_ACCOUNT,
    "team": ActorKind.TEAM_TOKEN,
}


class Row(NamedTuple):
    """A row of the statement, in the order of its columns."""

    number: int
    application_team_id: uuid.UUID | None
    license_id: uuid.UUID | None
    license_team_id: uuid.UUID
    license_application_slug: str
    license_expires_at: datetime | None
    license_revoked_at: datetime | None
    license_revoke_reason: str
    license_customer_archived_at: datetime | None
    license_id_version: int
    license_previous_id_ends_at: datetime | None
    license_by_old_id: bool | None
    pull_id: uuid.UUID | None
    pull_name: str
    pull_expires_at: datetime | None
    pull_revoked_at: datetime | None
    pull_networks: list[str]
    pull_last_used_at: datetime | None
    identity_id: uuid.UUID | None
    identity_label: str
    identity_removed_at: datetime | None
    token_id: uuid.UUID | None
    token_team_id: uuid.UUID
    token_kind: str
    token_digest: str
    token_role: str | None
    token_read_only: bool
    token_expires_at: datetime | None
    token_revoked_at: datetime | None
    token_last_used_at: datetime | None
    token_user_email: str | None
    token_lacks_second_factor: bool
    user_id: uuid.UUID | None
    user_role: str | None
    registry_id: uuid.UUID
    registry_team_id: uuid.UUID
    registry_slug: str
    registry_provider: str
    registry_endpoint: str
    registry_trusted_realm: str
    registry_patterns: list[str] | None
    registry_health: str
    registry_created_at: datetime
    registry_is_shared: bool
    credential_id: uuid.UUID
    credential_auth_type: str
    credential_username: str | None
    credential_secret: str | None


@dataclass(frozen=True, slots=True)
class FactsQuery:
    """A question about a credential and the images that it is presented for.

    Without images, it asks for the holder alone.
    """

    credential: PullCredential
    images: Sequence[WantedImage] = ()
    # Of the registries. A token needs none of them, and may name many images.
    with_secrets: bool = True
    at: datetime = field(default_factory=timezone.now)

    @property
    def wanted(self) -> list[dict[str, Any]]:
        """Return what the statement is asked for, a row for each image."""
        credential = self._wanted_credential() | {"with_secrets": self.with_secrets}
        return [credential | _wanted(image) for image in self.images or [_NO_IMAGE]]

    def _wanted_credential(self) -> dict[str, Any]:
        credential = self.credential
        if isinstance(credential, PresentedCredential):
            text = credential.password.reveal()
            if is_license_id(text):
                digests = lookup_keyring().candidates(text, purpose=LICENSE_ID)
                return {"license_digests": digests}
            if pull_credential_key(text) is not None:
                digests = lookup_keyring().candidates(text, purpose=PULL_CREDENTIAL)
                return {"pull_digests": digests}
            return {"token_key": api_token_key(text)}
        if credential is None:
            return {}
        return {_NAMES[credential.kind]: str(credential.id)}

    def read(self, rows: Sequence[Sequence[Row]]) -> Facts:
        """Return the facts in the rows for each image."""
        images = tuple(_image(found) for found in rows)
        holder = self._holder(rows[0][0])
        return Facts(self.at, holder, images if self.images else ())

    def _holder(self, row: Row) -> Holder | None:
        if row.license_id is not None:
            return self._license_holder(row, row.license_id)
        if row.user_id is not None:
            return UserHolder(row.user_id)
        return self._api_token_holder(row)

    def _license_holder(self, row: Row, license_id: uuid.UUID) -> LicenseHolder | None:
        version = self._id_version(row)
        if row.license_id_version - version not in {0, 1}:
            return None
        is_old = version < row.license_id_version
        return LicenseHolder(
            license_id,
            row.license_team_id,
            row.license_application_slug,
            row.license_expires_at,
            row.license_revoked_at,
            row.license_revoke_reason,
            row.license_customer_archived_at,
            id_version=version,
            id_ends_at=row.license_previous_id_ends_at if is_old else None,
            credential=_pull_credential(row),
            identity=self._identity(row),
        )

    def _identity(self, row: Row) -> HeldIdentity | None:
        if row.identity_id is None or not isinstance(self.credential, Subject):
            return None
        return HeldIdentity(
            row.identity_id,
            row.identity_label,
            row.identity_removed_at,
            self.credential.version,
        )

    def _id_version(self, row: Row) -> int:
        """Return which of the license's IDs the credential is or stands for."""
        if isinstance(self.credential, Subject) and (
            self.credential.kind is SubjectKind.LICENSE
        ):
            return self.credential.version or row.license_id_version
        return row.license_id_version - int(bool(row.license_by_old_id))

    def _api_token_holder(self, row: Row) -> ApiTokenHolder | None:
        if row.token_id is None or row.token_role is None or not self._presents(row):
            return None
        is_expired = row.token_expires_at and row.token_expires_at <= self.at
        if row.token_revoked_at or is_expired or row.token_lacks_second_factor:
            return None
        login = VendorLogin(
            _ACTOR_KINDS[row.token_kind], row.token_role, row.token_read_only
        )
        return ApiTokenHolder(
            row.token_id, row.token_team_id, login, row.token_last_used_at
        )

    def _presents(self, row: Row) -> bool:
        """Return whether the token's text is right, and goes with the username."""
        presented = self.credential
        if not isinstance(presented, PresentedCredential):
            return True
        text = presented.password.reveal()
        if not lookup_keyring().matches(row.token_digest, text, purpose=API_TOKEN):
            return False
        owner = row.token_user_email
        return owner is None or owner.lower() == presented.username.lower()


def _pull_credential(row: Row) -> HeldCredential | None:
    if row.pull_id is None:
        return None
    return HeldCredential(
        row.pull_id,
        row.pull_name,
        row.pull_expires_at,
        row.pull_revoked_at,
        tuple(row.pull_networks),
        row.pull_last_used_at,
    )


def _wanted(image: WantedImage) -> dict[str, str | None]:
    """Return how the statement looks for an image."""
    application = {"application": _sendable(image.application)}
    if image.upstream is None:
        return application
    return application | {
        "upstream": _sendable(image.upstream),
        "endpoint": _sendable(canonical_endpoint(image.upstream)),
        # As the first part of a name on Docker Hub, whatever it is.
        "docker_hub": None if looks_like_host(image.upstream) else DOCKER_HUB,
    }


def _sendable(text: str) -> str | None:
    """Return the text; None for one that names nothing.

    Not all others than ASCII can be sent to PostgreSQL.
    """
    return text if text.isascii() and text.isprintable() else None


def _image(rows: Sequence[Row]) -> ImageFacts:
    first = rows[0]
    registries = [_registry(row) for row in rows if row.registry_patterns is not None]
    return ImageFacts(
        first.application_team_id,
        _login(first),
        tuple(sorted(registries, key=attrgetter("created_at", "id"))),
    )


def _login(row: Row) -> VendorLogin | None:
    """Return the login in the application's team."""
    if row.application_team_id is None:
        return None
    if row.user_role is not None:
        return VendorLogin(ActorKind.USER, row.user_role)
    if row.token_team_id == row.application_team_id and row.token_role is not None:
        return VendorLogin(
            _ACTOR_KINDS[row.token_kind], row.token_role, row.token_read_only
        )
    return None


def _registry(row: Row) -> ConnectedRegistry:
    return ConnectedRegistry(
        id=row.registry_id,
        slug=row.registry_slug,
        provider=row.registry_provider,
        endpoint=row.registry_endpoint,
        patterns=tuple(row.registry_patterns or ()),
        created_at=row.registry_created_at,
        is_shared=row.registry_is_shared,
        team_id=row.registry_team_id,
        trusted_realm=row.registry_trusted_realm,
        health=row.registry_health,
        credential=StoredCredential(
            row.credential_id,
            row.credential_auth_type,
            _sealed("username", row.credential_username, row.credential_id),
            _sealed("secret", row.credential_secret, row.credential_id),
        ),
    )


def _sealed(name: str, stored: str | None, pk: uuid.UUID) -> SealedSecret:
    field = cast("EncryptedField", Credential._meta.get_field(name))
    return SealedSecret(stored or "", field.associated_data(pk))


def statement_parameters(queries: Iterable[FactsQuery]) -> dict[str, str]:
    """Return the parameters of ``STATEMENT`` for all queries together."""
    wanted = [row for query in queries for row in query.wanted]
    for number, row in enumerate(wanted):
        row["number"] = number
    return {"wanted": json.dumps(wanted)}


def read_facts(
    queries: Iterable[FactsQuery], rows: Iterable[Sequence[Any]]
) -> list[Facts]:
    """Return the facts for each query in the answer to all of them."""
    found: dict[int, list[Row]] = {}
    for row in map(Row._make, rows):
        found.setdefault(row.number, []).append(row)
    numbers = count()
    return [
        query.read([found[next(numbers)] for _ in query.images or [_NO_IMAGE]])
        for query in queries
    ]


def fetch_facts(
    credential: PullCredential, images: Sequence[WantedImage] = ()
) -> Facts:
    """Return the facts for a credential and images, by Django's connection."""
    query = FactsQuery(credential, images)
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, statement_parameters([query]))
        [facts] = read_facts([query], cursor.fetchall())
    return facts
