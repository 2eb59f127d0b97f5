"""Who may pull, push and delete images of the private registry."""

from __future__ import annotations

from dataclasses import dataclass

from registries.decision import sentences
from registries.decision.credentials import Holder, LicenseHolder, Subject, identify
from registries.decision.pull import (
    PRIVATE_REGISTRY,
    VENDOR_ACTIONS,
    AllowedImage,
    Denied,
    authorize_pull,
    denied,
    vendor_actor,
)
from registries.decision.steps import Refusal

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


def authorize_image(
    subject: Subject | None, access: ImageAccess
) -> AllowedImage | Denied:
    """Decide whether a registry token's subject has an access at this moment.

    A pull is decided by :func:`authorize_pull`; a push or delete needs that and a role
    that includes it. Reads live state, never caches.
    """
    holder = identify(subject)
    if holder is not None and (refusal := _refusal(holder, access)):
        return denied(refusal, holder)
    pull = authorize_pull(holder, access.application, PRIVATE_REGISTRY, access.image)
    if isinstance(pull, Denied) or access.action == PULL:
        return pull
    if isinstance(holder, LicenseHolder):
        return denied(sentences.beyond_license(access.action), holder)
    return pull


def _refusal(holder: Holder, access: ImageAccess) -> Refusal | None:
    """Return why a login may not have an access, whatever may be pulled."""
    if not access.image:
        return sentences.image_without_application(access.repository)
    if isinstance(holder, LicenseHolder):
        return None
    actor = vendor_actor(holder, access.application)
    if actor is None or actor.may(VENDOR_ACTIONS[access.action]):
        return None
    if actor.read_only and access.action != PULL:
        return sentences.read_only_token(access.action)
    return sentences.beyond_role(actor.kind, access.action)
