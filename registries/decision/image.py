"""Who may pull, push and delete images of the private registry."""

from __future__ import annotations

from dataclasses import dataclass

from registries.decision.credentials import Holder, LicenseHolder, Subject, identify
from registries.decision.pull import (
    PRIVATE_REGISTRY,
    VENDOR_ACTIONS,
    Decision,
    Denied,
    authorize_pull,
    team_of,
    vendor_actor,
)
from registries.decision.steps import Step
from registries.models.outcomes import Reason
from teams.actors import Actor, ActorKind

PULL = "pull"


@dataclass(frozen=True, slots=True)
class ImageAccess:
    """One action on one repository, which is named ``APPLICATION_SLUG/IMAGE``."""

    repository: str
    action: str

    @property
    def application(self) -> str:
        return self.repository.partition("/")[0]

    @property
    def image(self) -> str:
        """Return the name below the application, which may be empty."""
        return self.repository.partition("/")[2]


def authorize_image(subject: Subject | None, access: ImageAccess) -> Decision:
    """Decide whether whoever a registry token names has an access at this moment.

    A pull is decided by :func:`authorize_pull`; a push or delete needs that and a role
    that includes it. Reads live state, never caches.
    """
    holder = identify(subject)
    if holder is not None and not access.image:
        return _denied(holder, Reason.REPOSITORY_NOT_ALLOWED, _nameless(access))
    if holder is not None and not isinstance(holder, LicenseHolder):
        actor = vendor_actor(holder, access.application)
        if actor is not None and not actor.may(VENDOR_ACTIONS[access.action]):
            message = _beyond_role(actor, access.action)
            return _denied(holder, Reason.ACTION_NOT_ALLOWED, message)
    pull = authorize_pull(holder, access.application, PRIVATE_REGISTRY, access.image)
    if isinstance(pull, Denied) or access.action == PULL:
        return pull
    if isinstance(holder, LicenseHolder):
        message = _beyond_license(access.action)
        return _denied(holder, Reason.ACTION_NOT_ALLOWED, message)
    return pull


def _denied(holder: Holder, reason: Reason, message: str) -> Denied:
    step = Step("action", passed=False, detail=message)
    return Denied(reason, message, (step,), team_of(holder), holder.subject)


def _nameless(access: ImageAccess) -> str:
    return (
        f"Images here are named APPLICATION_SLUG/IMAGE, and {access.repository!r} has "
        "one part only. The slugs of your applications are on the portal's Images page."
    )


def _beyond_license(action: str) -> str:
    return (
        f"A license pulls images; it does not {action} them. Log in with your e-mail "
        f"address and a user token to {action}."
    )


def _beyond_role(actor: Actor, action: str) -> str:
    if actor.read_only and action != PULL:
        return (
            f"This API token is read-only, so it does not {action} images. Log in with "
            "a token that is not."
        )
    whose = {
        ActorKind.SERVICE_ACCOUNT: "The role of this service account",
        ActorKind.TEAM_TOKEN: "The role of this team token",
    }.get(actor.kind, "Your role")
    return (
        f"{whose} does not {action} images. Ask an owner or admin of the team for the "
        "role developer."
    )
