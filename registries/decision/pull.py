"""The pull decision: one function for every path that lets an image out."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, overload

from licenses.models import Application, License, LicenseState
from registries.decision import sentences
from registries.decision.credentials import (
    ApiTokenHolder,
    Holder,
    LicenseHolder,
    PresentedCredential,
    PullCredential,
    SecondFactorRequired,
    Subject,
    UserHolder,
    identify,
    identify_by_password,
)
from registries.decision.proxied_name import ProxiedName
from registries.decision.registry_choice import choose_credential
from registries.decision.steps import Refusal, Step, passed
from registries.models import Credential, ExternalRegistry
from registries.models.outcomes import Reason
from teams.actors import Actor
from teams.permissions import Permission


class Place(Enum):
    PRIVATE_REGISTRY = "private-registry"


PRIVATE_REGISTRY: Final = Place.PRIVATE_REGISTRY
Upstream = str | Literal[Place.PRIVATE_REGISTRY]


@dataclass(frozen=True, slots=True)
class Allowed:
    """The access may go ahead; ``repository`` is its full name on the registry."""

    team_id: uuid.UUID
    subject: Subject
    repository: str
    trace: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class AllowedImage(Allowed):
    """An access to the private registry."""


@dataclass(frozen=True, slots=True)
class AllowedPull(Allowed):
    """A pull through the proxy, with the credential to pull with."""

    credential: Credential

    @property
    def registry(self) -> ExternalRegistry:
        return self.credential.registry


@dataclass(frozen=True, slots=True)
class Denied:
    """The access may not go ahead; ``message`` is the sentence that clients print.

    ``team_id`` is the credential's own team, None for an unknown credential.
    """

    reason: Reason
    message: str
    trace: tuple[Step, ...]
    team_id: uuid.UUID | None = None
    subject: Subject | None = None

    @property
    def public_reason(self) -> Reason:
        """Return the reason as customers may know it.

        They must not learn which registries a vendor has and does not share.
        """
        if self.reason is Reason.REGISTRY_NOT_SHARED:
            return Reason.REGISTRY_NOT_CONNECTED
        return self.reason


Decision = Allowed | Denied


@overload
def authorize_pull(
    credential: PullCredential,
    application_slug: str,
    upstream: str,
    repository: str,
    *,
    within_team: uuid.UUID | None = None,
) -> AllowedPull | Denied: ...


@overload
def authorize_pull(
    credential: PullCredential,
    application_slug: str,
    upstream: Literal[Place.PRIVATE_REGISTRY],
    repository: str,
    *,
    within_team: uuid.UUID | None = None,
) -> AllowedImage | Denied: ...


def authorize_pull(
    credential: PullCredential,
    application_slug: str,
    upstream: Upstream,
    repository: str,
    *,
    within_team: uuid.UUID | None = None,
) -> AllowedPull | AllowedImage | Denied:
    """Decide whether a credential may pull a repository through an application.

    ``upstream`` is the first part of the image's path below the application: a
    registry's slug or host. If it is neither, it is the first part of a repository on
    Docker Hub. ``repository`` is the rest, and may be empty then. For the private
    registry, ``upstream`` is PRIVATE_REGISTRY.

    ``within_team`` makes credentials of other teams unknown; an API caller asks on
    behalf of one team.

    Reads live state, never caches, never asks an upstream, and does not look at
    health: an unhealthy registry is still tried. Costs two to five queries.
    """
    trace: list[Step] = []
    holder: Holder | None = None
    is_private = isinstance(upstream, Place)
    try:
        holder = _check_credential(credential, within_team, trace, is_private)
        application = _check_application(holder, application_slug, within_team, trace)
        if isinstance(holder, LicenseHolder):
            _check_license(holder.license, trace)
        if isinstance(upstream, Place):
            return AllowedImage(
                application.team_id, holder.subject, repository, tuple(trace)
            )
        name = ProxiedName(application_slug, upstream, repository)
        chosen, full_name = choose_credential(application, name, trace)
    except Refusal as refusal:
        return denied(refusal, holder, trace)
    return AllowedPull(
        application.team_id, holder.subject, full_name, tuple(trace), chosen
    )


def authorize_login(
    credential: PullCredential,
    *,
    is_private: bool = False,
    even_if_inactive: bool = False,
) -> Holder | Denied:
    """Return the holder of a credential that may log in, for no repository yet.

    An inactive license is refused, so that ``docker login`` says why at once;
    ``even_if_inactive`` leaves that to the pull. ``is_private`` is for the private
    registry.
    """
    trace: list[Step] = []
    holder: Holder | None = None
    try:
        holder = _check_credential(credential, None, trace, is_private)
        if isinstance(holder, LicenseHolder) and not even_if_inactive:
            _check_license(holder.license, trace)
    except Refusal as refusal:
        return denied(refusal, holder, trace)
    return holder


def authorize_password_login(
    presented: PresentedCredential, *, is_private: bool = False
) -> Holder | Denied:
    """Return the holder of an account password that may log in.

    Hashes the password, so the caller limits guesses first.
    """
    try:
        holder = identify_by_password(presented)
    except SecondFactorRequired:
        return denied(sentences.second_factor_required())
    return holder or denied(sentences.credential_unknown(is_private=is_private))


def denied(
    refusal: Refusal, holder: Holder | None = None, trace: Iterable[Step] = ()
) -> Denied:
    """Return the decision that a refusal leads to."""
    return Denied(
        refusal.reason,
        refusal.message,
        (*trace, refusal.step),
        team_of(holder),
        holder.subject if holder else None,
    )


VENDOR_ACTIONS = {
    "pull": Permission.IMAGE_PULL,
    "push": Permission.IMAGE_PUSH,
    "delete": Permission.IMAGE_DELETE,
}


def allowed_vendor_actions(holder: Holder, application_slug: str) -> frozenset[str]:
    """Return the actions that a vendor's login may take on an application's images.

    None for a license: customers only pull.
    """
    actor = None
    if not isinstance(holder, LicenseHolder):
        actor = vendor_actor(holder, application_slug)
    if actor is None:
        return frozenset()
    return frozenset(
        action for action, permission in VENDOR_ACTIONS.items() if actor.may(permission)
    )


def vendor_actor(
    holder: ApiTokenHolder | UserHolder, application_slug: str
) -> Actor | None:
    """Return the login's actor in an application's team; None outside of it."""
    application = Application.objects.filter(slug=application_slug).first()
    return holder.actor_for(application.team_id) if application else None


def team_of(holder: Holder | None) -> uuid.UUID | None:
    """Return the one team that a credential belongs to; people may have several."""
    if isinstance(holder, LicenseHolder):
        return holder.license.team_id
    return holder.actor.team_id if isinstance(holder, ApiTokenHolder) else None


def _check_credential(
    credential: PullCredential,
    within_team: uuid.UUID | None,
    trace: list[Step],
    is_private: bool,
) -> Holder:
    holder = identify(credential)
    outside = (
        within_team is not None
        and holder is not None
        and not isinstance(holder, UserHolder)
        and team_of(holder) != within_team
    )
    if holder is None or outside:
        raise sentences.credential_unknown(is_private=is_private)
    passed(trace, "credential", f"Belongs to {holder.subject}.")
    return holder


def _check_application(
    holder: Holder,
    application_slug: str,
    within_team: uuid.UUID | None,
    trace: list[Step],
) -> Application:
    if isinstance(holder, LicenseHolder):
        application: Application | None = holder.license.application
        if application_slug != holder.license.application.slug:
            application = None
    else:
        application = _pullable_application(holder, application_slug)
    outside = (
        within_team is not None
        and application is not None
        and application.team_id != within_team
    )
    if application is None or outside:
        raise _mismatch(holder, application_slug, within_team)
    passed(trace, "application", f"{application_slug} is included.")
    return application


def _pullable_application(
    holder: ApiTokenHolder | UserHolder, application_slug: str
) -> Application | None:
    application = Application.objects.filter(slug=application_slug).first()
    if application is None:
        return None
    actor = holder.actor_for(application.team_id)
    if actor is None or not actor.may(Permission.IMAGE_PULL):
        return None
    return application


def _mismatch(
    holder: Holder, application_slug: str, within_team: uuid.UUID | None
) -> Refusal:
    """Return the refusal, with a detail that only the vendor may read."""
    application = Application.objects.filter(slug=application_slug).first()
    if application is None:
        detail = f"No application has the slug {application_slug!r}."
    elif not _is_of_own_team(holder, application, within_team):
        detail = f"{application_slug} belongs to another team."
    elif isinstance(holder, LicenseHolder):
        detail = f"{application_slug} is another application of the team."
    else:
        detail = f"The login's role does not pull {application_slug}."
    if isinstance(holder, LicenseHolder):
        own = f"The license is for {holder.license.application.slug}."
        return sentences.application_not_licensed(application_slug, f"{own} {detail}")
    return sentences.application_not_in_login(application_slug, detail)


def _is_of_own_team(
    holder: Holder, application: Application, within_team: uuid.UUID | None
) -> bool:
    if isinstance(holder, LicenseHolder):
        return application.team_id == holder.license.team_id
    if within_team not in {None, application.team_id}:
        return False
    return holder.actor_for(application.team_id) is not None


def _check_license(license: License, trace: list[Step]) -> None:
    state = license.state()
    if state is LicenseState.REVOKED and license.revoked_at:
        raise sentences.license_revoked(license.revoked_at, license.revoke_reason)
    if state is LicenseState.EXPIRED and license.expires_at:
        raise sentences.license_expired(license.expires_at)
    if license.customer.archived_at is not None:
        raise sentences.customer_archived()
    expiry = license.expires_at.isoformat() if license.expires_at else "never"
    passed(trace, "license", f"Active; expires {expiry}.")
