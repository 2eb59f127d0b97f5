"""The pull decision: one pure function for every path that lets an image out."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal, TypedDict, TypeVar

from licenses.networks import is_within
from registries.decision import sentences
from registries.decision.credentials import PullCredential, Subject
from registries.decision.facts import (
    ApiTokenHolder,
    ConnectedRegistry,
    Facts,
    HeldCredential,
    Holder,
    ImageFacts,
    LicenseHolder,
    UserHolder,
)
from registries.decision.proxied_name import ProxiedName, WantedImage
from registries.decision.query import fetch_facts
from registries.decision.registry_choice import choose_registry
from registries.decision.steps import Refusal, Step, passed
from registries.models.outcomes import Reason
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
    license_id: uuid.UUID | None = field(default=None, kw_only=True)
    credential: HeldCredential | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class AllowedImage(Allowed):
    """An access to the private registry."""


@dataclass(frozen=True, slots=True)
class AllowedPull(Allowed):
    """A pull through the proxy, from a registry with its credential."""

    registry: ConnectedRegistry


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
    license_id: uuid.UUID | None = None
    credential: HeldCredential | None = None

    @property
    def who(self) -> str:
        """Return whose access it was, for logs."""
        if self.subject is None:
            return "an unknown credential"
        named = f" ({self.credential.name!r})" if self.credential else ""
        return f"{self.subject}{named}"

    @property
    def public_reason(self) -> Reason:
        """Return the reason as customers may know it.

        They must not learn which registries a vendor has and does not share.
        """
        if self.reason is Reason.REGISTRY_NOT_SHARED:
            return Reason.REGISTRY_NOT_CONNECTED
        return self.reason


Decision = Allowed | Denied
D = TypeVar("D", bound=Decision)


class _Held(TypedDict, total=False):
    license_id: uuid.UUID
    credential: HeldCredential | None


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

    Reads live state by one query, never caches, never asks an upstream, and does not
    look at health: an unhealthy registry is still tried.
    """
    is_private = isinstance(upstream, Place)
    wanted = WantedImage(application_slug, None if is_private else str(upstream))
    facts = fetch_facts(credential, [wanted])
    [image] = facts.images
    if isinstance(upstream, Place):
        return decide_private_pull(
            facts, image, application_slug, repository, within_team=within_team
        )
    name = ProxiedName(application_slug, upstream, repository)
    return decide_pull(facts, image, name, within_team=within_team)


def decide_pull(
    facts: Facts,
    image: ImageFacts,
    name: ProxiedName,
    *,
    within_team: uuid.UUID | None = None,
) -> AllowedPull | Denied:
    """Decide a pull through the proxy; ``image`` is what the facts know about it."""
    trace: list[Step] = []
    holder: Holder | None = None
    try:
        holder = _check_holder(facts, trace, within_team)
        team_id = _check_application(
            facts, holder, image, name.application, trace, within_team
        )
        registry, full_name = choose_registry(name, image.registries, trace)
    except Refusal as refusal:
        return denied(refusal, holder, trace)
    return AllowedPull(
        team_id, holder.subject, full_name, tuple(trace), registry, **_held(holder)
    )


def decide_private_pull(
    facts: Facts,
    image: ImageFacts,
    application_slug: str,
    repository: str,
    *,
    within_team: uuid.UUID | None = None,
) -> AllowedImage | Denied:
    """Decide a pull from the private registry, of a repository of an application."""
    trace: list[Step] = []
    holder: Holder | None = None
    try:
        holder = _check_holder(facts, trace, within_team, is_private=True)
        team_id = _check_application(
            facts, holder, image, application_slug, trace, within_team
        )
    except Refusal as refusal:
        return denied(refusal, holder, trace)
    return AllowedImage(
        team_id, holder.subject, repository, tuple(trace), **_held(holder)
    )


def within_networks(decision: D, address: str) -> D | Denied:
    """Return the decision, or a refusal if its credential is not allowed from there.

    Apart from the decision, which is remembered for all addresses. ``address`` is the
    client's behind trusted proxies.
    """
    if isinstance(decision, Denied):
        return decision
    try:
        _check_networks(decision.credential, address)
    except Refusal as refusal:
        return Denied(
            refusal.reason,
            refusal.message,
            (*decision.trace, refusal.step),
            decision.team_id,
            decision.subject,
            decision.license_id,
            decision.credential,
        )
    return decision


def decide_login(
    facts: Facts,
    address: str,
    *,
    is_private: bool = False,
    even_if_inactive: bool = False,
) -> Holder | Denied:
    """Return the holder of a credential that may log in, for no repository yet.

    An inactive license or credential is refused, so that ``docker login`` says why at
    once; ``even_if_inactive`` leaves that to the pull. ``address`` is the client's.
    ``is_private`` is for the private registry.
    """
    trace: list[Step] = []
    try:
        holder = _check_holder(facts, trace, None, is_private=is_private)
        if isinstance(holder, LicenseHolder) and not even_if_inactive:
            _check_license(facts, holder, trace)
            _check_networks(holder.credential, address)
    except Refusal as refusal:
        return denied(refusal, facts.holder, trace)
    return holder


def denied(
    refusal: Refusal, holder: Holder | None = None, trace: Iterable[Step] = ()
) -> Denied:
    """Return the decision that a refusal leads to."""
    return Denied(
        refusal.reason,
        refusal.message,
        (*trace, refusal.step),
        None if isinstance(holder, UserHolder) or holder is None else holder.team_id,
        holder.subject if holder else None,
        **_held(holder),
    )


def _held(holder: Holder | None) -> _Held:
    """Return what a decision says of the license that it is about."""
    if not isinstance(holder, LicenseHolder):
        return {}
    return {"license_id": holder.id, "credential": holder.credential}


def _check_holder(
    facts: Facts,
    trace: list[Step],
    within_team: uuid.UUID | None,
    *,
    is_private: bool = False,
) -> Holder:
    holder = facts.holder
    # People may have several teams; what they may do in each is checked later.
    is_outside = (
        within_team is not None
        and isinstance(holder, LicenseHolder | ApiTokenHolder)
        and holder.team_id != within_team
    )
    if holder is None or is_outside:
        raise sentences.credential_unknown(is_private=is_private)
    passed(trace, "credential", f"Belongs to {holder.subject}.")
    return holder


def _check_application(
    facts: Facts,
    holder: Holder,
    image: ImageFacts,
    application_slug: str,
    trace: list[Step],
    within_team: uuid.UUID | None,
) -> uuid.UUID:
    """Check that the holder pulls images of an application; return its team."""
    if isinstance(holder, LicenseHolder):
        is_included = holder.application_slug == application_slug
    else:
        is_included = image.login is not None and image.login.may(Permission.IMAGE_PULL)
    team_id = image.team_id
    if not is_included or team_id is None or within_team not in {None, team_id}:
        raise _mismatch(holder, image, application_slug, within_team)
    passed(trace, "application", f"{application_slug} is included.")
    if isinstance(holder, LicenseHolder):
        _check_license(facts, holder, trace)
    return team_id


def _mismatch(
    holder: Holder,
    image: ImageFacts,
    application_slug: str,
    within_team: uuid.UUID | None,
) -> Refusal:
    """Return the refusal, with a detail that only the vendor may read."""
    if image.team_id is None:
        detail = f"No application has the slug {application_slug!r}."
    elif not _is_of_own_team(holder, image, within_team):
        detail = f"{application_slug} belongs to another team."
    elif isinstance(holder, LicenseHolder):
        detail = f"{application_slug} is another application of the team."
    else:
        detail = f"The login's role does not pull {application_slug}."
    if isinstance(holder, LicenseHolder):
        own = f"The license is for {holder.application_slug}."
        return sentences.application_not_licensed(application_slug, f"{own} {detail}")
    return sentences.application_not_in_login(application_slug, detail)


def _is_of_own_team(
    holder: Holder, image: ImageFacts, within_team: uuid.UUID | None
) -> bool:
    if isinstance(holder, LicenseHolder):
        return image.team_id == holder.team_id
    return within_team in {None, image.team_id} and image.login is not None


def _check_license(facts: Facts, license: LicenseHolder, trace: list[Step]) -> None:
    _check_credential(facts, license, trace)
    if license.revoked_at is not None:
        raise sentences.license_revoked(license.revoked_at, license.revoke_reason)
    if license.expires_at is not None and license.expires_at <= facts.at:
        raise sentences.license_expired(license.expires_at)
    if license.customer_archived_at is not None:
        raise sentences.customer_archived()
    expiry = license.expires_at.isoformat() if license.expires_at else "never"
    passed(trace, "license", f"Active; expires {expiry}.")


def _check_credential(facts: Facts, license: LicenseHolder, trace: list[Step]) -> None:
    """Check what stands for the license: its ID, a credential or an identity."""
    if license.id_ends_at is not None and license.id_ends_at <= facts.at:
        raise sentences.license_id_replaced(license.id_ends_at)
    identity = license.identity
    if identity is not None and identity.removed_at is not None:
        raise sentences.identity_removed(identity.removed_at, identity.label)
    credential = license.credential
    if credential is None:
        return
    if credential.revoked_at is not None:
        raise sentences.credential_revoked(credential.revoked_at, credential.name)
    if credential.expires_at is not None and credential.expires_at <= facts.at:
        raise sentences.credential_expired(credential.expires_at, credential.name)
    if credential.networks:
        networks = ", ".join(credential.networks)
        passed(trace, "network", f"{credential.name} is allowed from {networks} only.")


def _check_networks(credential: HeldCredential | None, address: str) -> None:
    if credential is not None and not is_within(address, credential.networks):
        raise sentences.network_not_allowed(
            address, credential.name, credential.networks
        )
