"""Who is pulling, by a presented credential or by a registry token's subject."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum

from django.contrib.auth import authenticate

from licenses.models import License
from licenses.selectors import license_by_id, license_by_secret
from portal.crypto.secrets import Secret
from teams.actors import Actor
from teams.models import ApiToken, User
from teams.second_factor import has_second_factor
from teams.selectors import (
    actor_in_team,
    actor_of_api_token,
    api_token_by_id,
    api_token_by_secret,
)


class SecondFactorRequired(Exception):  # noqa: N818 -- states the fact
    """The password is right, but a password alone is not enough for this account."""


@dataclass(frozen=True, slots=True)
class PresentedCredential:
    """A username and password, as ``docker login`` sends them."""

    username: str
    password: Secret

    @property
    def may_be_api_token(self) -> bool:
        return self.password.reveal().startswith("berth_")

    @property
    def may_be_account_password(self) -> bool:
        """Return whether it is worth hashing; a license ID may be a password too."""
        return "@" in self.username and not self.may_be_api_token


class SubjectKind(StrEnum):
    LICENSE = "license"
    API_TOKEN = "api-token"  # noqa: S105 -- a kind
    USER = "user"


@dataclass(frozen=True, slots=True)
class Subject:
    """An identified holder, as the ``sub`` of a registry token names it."""

    kind: SubjectKind
    id: uuid.UUID

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Subject | None:
        """Read ``<kind>:<uuid>``; None for anything else, and for the anonymous ""."""
        kind, _, identifier = text.partition(":")
        try:
            return cls(SubjectKind(kind), uuid.UUID(identifier))
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class LicenseHolder:
    license: License

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.LICENSE, self.license.pk)


@dataclass(frozen=True, slots=True)
class ApiTokenHolder:
    api_token: ApiToken
    actor: Actor

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.API_TOKEN, self.api_token.pk)

    def actor_for(self, team_id: uuid.UUID) -> Actor | None:
        return self.actor if self.actor.team_id == team_id else None


@dataclass(frozen=True, slots=True)
class UserHolder:
    user: User

    @property
    def subject(self) -> Subject:
        return Subject(SubjectKind.USER, self.user.pk)

    def actor_for(self, team_id: uuid.UUID) -> Actor | None:
        return actor_in_team(self.user.pk, team_id)


Holder = LicenseHolder | ApiTokenHolder | UserHolder
PullCredential = PresentedCredential | Subject | Holder | None


def identify(credential: PullCredential) -> Holder | None:
    """Return the holder of a credential, or None if it is not valid.

    A license ID, a service-account token and a team token go with any username, a user
    token with that user's e-mail address only. Account passwords are not tried here,
    because that is costly: see ``identify_by_password``.
    """
    if isinstance(credential, PresentedCredential):
        return _identify_presented(credential)
    if isinstance(credential, Subject):
        return _identify_subject(credential)
    return credential


def _identify_subject(subject: Subject) -> Holder | None:
    if subject.kind is SubjectKind.LICENSE:
        license = license_by_id(subject.id)
        return LicenseHolder(license) if license else None
    if subject.kind is SubjectKind.API_TOKEN:
        return _api_token_holder(api_token_by_id(subject.id))
    user = User.objects.filter(pk=subject.id, is_active=True).first()
    return UserHolder(user) if user else None


def _identify_presented(presented: PresentedCredential) -> Holder | None:
    license = license_by_secret(presented.password)
    if license is not None:
        return LicenseHolder(license)
    if not presented.may_be_api_token:
        return None
    api_token = api_token_by_secret(presented.password)
    if api_token is not None and not _owns(presented.username, api_token):
        return None
    return _api_token_holder(api_token)


def identify_by_password(presented: PresentedCredential) -> UserHolder | None:
    """Return the user with this e-mail address and password, or None.

    Hashes the password, so the caller limits guesses first. A password alone is enough
    only while its owner has no second factor.

    Raises:
        SecondFactorRequired: the password is right, but its owner has one.
    """
    if not presented.may_be_account_password:
        return None
    user = authenticate(
        username=presented.username, password=presented.password.reveal()
    )
    if not isinstance(user, User):
        return None
    if has_second_factor(user):
        raise SecondFactorRequired
    return UserHolder(user)


def _owns(username: str, api_token: ApiToken) -> bool:
    if api_token.user is None:
        return True
    return api_token.user.email.lower() == username.lower()


def _api_token_holder(api_token: ApiToken | None) -> ApiTokenHolder | None:
    actor = actor_of_api_token(api_token) if api_token else None
    if api_token is None or actor is None:
        return None
    return ApiTokenHolder(api_token, actor)
