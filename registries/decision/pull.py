"""The pull decision: one function for every path that lets an image out."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from licenses.models import Application, License, LicenseState
from registries.decision.credentials import (
    ApiTokenHolder,
    Holder,
    LicenseHolder,
    PullCredential,
    SecondFactorRequired,
    Subject,
    UserHolder,
    identify,
)
from registries.decision.registry_choice import choose_registry
from registries.decision.sentences import UNKNOWN_LICENSE, application_not_licensed
from registries.decision.steps import Refusal, Step, passed, refused
from registries.models import Credential, ExternalRegistry
from registries.models.outcomes import Reason
from teams.actors import Actor
from teams.permissions import Permission


class Place(Enum):
    PRIVATE_REGISTRY = "private-registry"


PRIVATE_REGISTRY: Final = Place.PRIVATE_REGISTRY
Upstream = str | Literal[Place.PRIVATE_REGISTRY]

UNKNOWN_LOGIN = (
    "No known login came with this request. Log in with your e-mail address and a user "
    "token, or your password if you have no second factor; or with any username and a "
    "service account or team token. Customers log in with any username and their "
    "license ID as the password."
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """The pull may go ahead.

    ``registry`` and ``credential`` are None for an image of the private registry.
    ``repository`` is the full name on the registry it is pulled from.
    """

    team_id: uuid.UUID
    application: Application
    subject: Subject
    license: License | None
    registry: ExternalRegistry | None
    credential: Credential | None
    repository: str
    trace: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Denied:
    """The pull may not go ahead; ``message`` is what the customer sees.

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

        Which registries a vendor has and does not share is not theirs to learn.
        """
        if self.reason is Reason.REGISTRY_NOT_SHARED:
            return Reason.REGISTRY_NOT_CONNECTED
        return self.reason


Decision = Allowed | Denied


def authorize_pull(
    credential: PullCredential,
    application_slug: str,
    upstream: Upstream,
    repository: str,
    *,
    within_team: uuid.UUID | None = None,
) -> Decision:
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
    try:
        holder = _check_credential(credential, upstream, within_team, trace)
        application = _check_application(holder, application_slug, within_team, trace)
        if isinstance(holder, LicenseHolder):
            _check_license(holder.license, trace)
        if isinstance(upstream, Place):
            found, full_name = None, repository
        else:
            found, full_name = choose_registry(application, upstream, repository, trace)
    except Refusal as refusal:
        subject = holder.subject if holder else None
        team_id = team_of(holder)
        return Denied(refusal.reason, refusal.message, tuple(trace), team_id, subject)
    return Allowed(
        team_id=application.team_id,
        application=application,
        subject=holder.subject,
        license=holder.license if isinstance(holder, LicenseHolder) else None,
        registry=found.registry if found else None,
        credential=found,
        repository=full_name,
        trace=tuple(trace),
    )


@dataclass(frozen=True, slots=True)
class LoginAllowed:
    """A credential that is worth logging in with."""

    holder: Holder


def authorize_login(
    credential: PullCredential,
    upstream: Upstream | None = None,
    *,
    even_if_over: bool = False,
) -> LoginAllowed | Denied:
    """Decide whether a login alone, for no repository yet, makes sense.

    So that ``docker login`` with a revoked license says so at once; ``even_if_over``
    leaves that to the pull. ``upstream`` is PRIVATE_REGISTRY for a login there.
    """
    trace: list[Step] = []
    holder: Holder | None = None
    try:
        holder = _check_credential(credential, upstream, None, trace)
        if isinstance(holder, LicenseHolder) and not even_if_over:
            _check_license(holder.license, trace)
    except Refusal as refusal:
        subject = holder.subject if holder else None
        return Denied(
            refusal.reason, refusal.message, tuple(trace), team_of(holder), subject
        )
    return LoginAllowed(holder)


VENDOR_ACTIONS = {
    "pull": Permission.IMAGE_PULL,
    "push": Permission.IMAGE_PUSH,
    "delete": Permission.IMAGE_DELETE,
}


def allowed_vendor_actions(holder: Holder, application_slug: str) -> frozenset[str]:
    """Return what a vendor's login may do to images of its own application.

    Nothing for a license: customers only pull.
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
    """Return who a login is in the team of an application; None for a stranger."""
    application = Application.objects.filter(slug=application_slug).first()
    return holder.actor_for(application.team_id) if application else None


def team_of(holder: Holder | None) -> uuid.UUID | None:
    """Return the one team that a credential belongs to; people may have several."""
    if isinstance(holder, LicenseHolder):
        return holder.license.team_id
    return holder.actor.team_id if isinstance(holder, ApiTokenHolder) else None


def _check_credential(
    credential: PullCredential,
    upstream: Upstream | None,
    within_team: uuid.UUID | None,
    trace: list[Step],
) -> Holder:
    try:
        holder = identify(credential)
    except SecondFactorRequired as error:
        reason = Reason.SECOND_FACTOR_REQUIRED
        raise refused(trace, "credential", reason, str(error)) from error
    outside = (
        within_team is not None
        and holder is not None
        and not isinstance(holder, UserHolder)
        and team_of(holder) != within_team
    )
    if holder is None or outside:
        raise refused(
            trace,
            "credential",
            Reason.CREDENTIAL_UNKNOWN,
            UNKNOWN_LOGIN if isinstance(upstream, Place) else UNKNOWN_LICENSE,
        )
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
        raise refused(
            trace,
            "application",
            Reason.APPLICATION_MISMATCH,
            _not_included(holder, application_slug),
            _mismatch(holder, application_slug, within_team),
        )
    passed(trace, "application", f"{application_slug} is included.")
    return application


def _mismatch(
    holder: Holder, application_slug: str, within_team: uuid.UUID | None
) -> str:
    """Tell the vendor, and not the customer, why an application is not included."""
    found = Application.objects.filter(slug=application_slug).first()
    if isinstance(holder, LicenseHolder):
        ours = found is not None and found.team_id == holder.license.team_id
        prefix = f"The license is for {holder.license.application.slug}. "
        why = f"{application_slug} is another application of the team."
    else:
        ours = found is not None and holder.actor_for(found.team_id) is not None
        if found is not None and within_team not in {None, found.team_id}:
            ours = False
        prefix, why = "", f"The login's role does not pull {application_slug}."
    if found is None:
        why = f"No application has the slug {application_slug!r}."
    elif not ours:
        why = f"{application_slug} belongs to another team."
    return prefix + why


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


def _not_included(holder: Holder, application_slug: str) -> str:
    if isinstance(holder, LicenseHolder):
        return application_not_licensed(application_slug)
    # The same for another team's application and for one that is nowhere.
    return (
        f"This login does not include the application {application_slug!r}. Check the "
        "image name; the slugs of your applications are on the portal's Images page."
    )


def _check_license(license: License, trace: list[Step]) -> None:
    state = license.state()
    if state is LicenseState.REVOKED and license.revoked_at:
        raise refused(
            trace,
            "license",
            Reason.LICENSE_REVOKED,
            f"This license was revoked on {license.revoked_at:%Y-%m-%d}. "
            "Contact your vendor.",
            f"Revoked at {license.revoked_at.isoformat()}: {license.revoke_reason}",
        )
    if state is LicenseState.EXPIRED and license.expires_at:
        raise refused(
            trace,
            "license",
            Reason.LICENSE_EXPIRED,
            f"This license expired on {license.expires_at:%Y-%m-%d %H:%M} UTC. "
            "Contact your vendor to renew it.",
        )
    if license.customer.archived_at is not None:
        raise refused(
            trace,
            "license",
            Reason.CUSTOMER_ARCHIVED,
            "This license belongs to a customer who was archived. Contact your vendor.",
        )
    expiry = license.expires_at.isoformat() if license.expires_at else "never"
    passed(trace, "license", f"Active; expires {expiry}.")
