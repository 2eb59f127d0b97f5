"""How pulls ended, as customers may know it, and what they can do.

What would tell about the vendor's registries is one outcome: which of them are
connected but not shared, and what they answered to the vendor's credential.
"""

from __future__ import annotations

from dataclasses import dataclass

from registries.models.outcomes import ALLOWED, FAILURES, Reason


@dataclass(frozen=True, slots=True)
class PublicOutcome:
    """An outcome by a stable code; ``advice`` has a place for the vendor's name."""

    code: str
    label: str
    advice: str = ""

    @property
    def is_allowed(self) -> bool:
        return self.code == ALLOWED


_NO_REGISTRY = PublicOutcome(
    "registry_not_connected",
    "Registry not available",
    "Check the image name, or ask {vendor} to connect this registry.",
)
_REGISTRY_FAILED = PublicOutcome(
    "registry_failed",
    "Registry did not answer",
    "Try again in some minutes. If it goes on, tell {vendor}.",
)
_REFUSED = PublicOutcome("refused", "Refused", "Ask {vendor} what happened.")

_SHOWN = (
    PublicOutcome(ALLOWED, "Allowed"),
    PublicOutcome(
        Reason.CREDENTIAL_REVOKED,
        "Pull credential revoked",
        "Log in with another pull credential.",
    ),
    PublicOutcome(
        Reason.CREDENTIAL_EXPIRED,
        "Credential ended",
        "Log in with the one that replaced it, or make another.",
    ),
    PublicOutcome(
        Reason.NETWORK_NOT_ALLOWED,
        "Network not allowed",
        "Pull from an allowed network, or add this one to the pull credential.",
    ),
    PublicOutcome(
        Reason.APPLICATION_MISMATCH,
        "Wrong application",
        "The license is for another application. Check the image name.",
    ),
    PublicOutcome(
        Reason.LICENSE_REVOKED, "License revoked", "Ask {vendor} what happened."
    ),
    PublicOutcome(
        Reason.LICENSE_EXPIRED, "License ended", "Ask {vendor} to extend it."
    ),
    PublicOutcome(
        Reason.CUSTOMER_ARCHIVED, "Licenses suspended", "Ask {vendor} what happened."
    ),
    PublicOutcome(
        Reason.REPOSITORY_NOT_ALLOWED,
        "Image not offered",
        "Check the image name, or ask {vendor} for this image.",
    ),
    PublicOutcome(
        Reason.ACTION_NOT_ALLOWED,
        "Only pulls are allowed",
        "A license can pull images, but not push or delete them.",
    ),
)
_BY_CODE: dict[str, PublicOutcome] = (
    {outcome.code: outcome for outcome in _SHOWN}
    | {
        Reason.REGISTRY_NOT_CONNECTED: _NO_REGISTRY,
        Reason.REGISTRY_NOT_SHARED: _NO_REGISTRY,
    }
    | dict.fromkeys(FAILURES, _REGISTRY_FAILED)
)
# To choose from.
PUBLIC_OUTCOMES = tuple(dict.fromkeys(_BY_CODE.values()))


def public_outcome(outcome: str) -> PublicOutcome:
    """Return the outcome of a counted pull in words for the customer."""
    return _BY_CODE.get(outcome, _REFUSED)


def outcomes_behind(code: str) -> list[str]:
    """Return the outcomes of counted pulls that are shown as one with this code."""
    return [outcome for outcome, public in _BY_CODE.items() if public.code == code]
