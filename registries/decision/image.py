"""Who may pull, push and delete images of the private registry."""

from __future__ import annotations

from dataclasses import dataclass

from registries.decision import sentences
from registries.decision.facts import Facts, Holder, ImageFacts, LicenseHolder
from registries.decision.proxied_name import WantedImage
from registries.decision.pull import AllowedImage, Denied, decide_private_pull, denied
from registries.decision.steps import Refusal
from teams.permissions import Permission

PULL = "pull"
VENDOR_ACTIONS = {
    PULL: Permission.IMAGE_PULL,
    "push": Permission.IMAGE_PUSH,
    "delete": Permission.IMAGE_DELETE,
}


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

    @property
    def wanted(self) -> WantedImage:
        return WantedImage(self.application, None)


def decide_image(
    facts: Facts, image: ImageFacts, access: ImageAccess
) -> AllowedImage | Denied:
    """Decide an access to the private registry.

    A push or delete needs the right to pull, and a role that includes it.
    """
    if facts.holder and (refusal := _refusal(facts.holder, image, access)):
        return denied(refusal, facts.holder)
    pull = decide_private_pull(facts, image, access.application, access.image)
    if isinstance(pull, Denied) or access.action == PULL:
        return pull
    if isinstance(facts.holder, LicenseHolder):
        return denied(sentences.beyond_license(access.action), facts.holder)
    return pull


def _refusal(holder: Holder, image: ImageFacts, access: ImageAccess) -> Refusal | None:
    """Return why a login may not have an access, whatever may be pulled."""
    if not access.image:
        return sentences.image_without_application(access.repository)
    if isinstance(holder, LicenseHolder) or image.login is None:
        return None
    if image.login.may(VENDOR_ACTIONS[access.action]):
        return None
    if image.login.read_only and access.action != PULL:
        return sentences.read_only_token(access.action)
    return sentences.beyond_role(image.login.kind, access.action)
