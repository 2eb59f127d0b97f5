"""How pulls end, as customers may know it, and what they can do.

What would tell about the vendor's registries is one outcome: which of them are
connected but not shared, and what they answered to the vendor's credential.
"""

from __future__ import annotations

from dataclasses import dataclass

from registries.models.outcomes import ALLOWED, FAILURES, Reason

CREDENTIALS = "credentials"


@dataclass(frozen=True, slots=True)
class PublicOutcome:
    """An outcome by a stable code, and what to do about it.

    ``advice`` has a place for the vendor's name. ``page`` is the customer's page on
    which it can be followed, if there is one.
    """

    code: str
    label: str
    advice: str = ""
    page: str = ""

    @property
    def is_allowed(self) -> bool:
        return self.code == ALLOWED

    def advice_of(self, vendor: str) -> str:
        """Return what to do, with the vendor's name."""
        return self.advice.format(vendor=vendor)


_NOT_OFFERED = (
    "Compare the image name with the one that {vendor} gave you. If they are the same, "
    "ask {vendor} to make the image available."
)
_ASK = "Ask {vendor} what happened."
_NO_REGISTRY = PublicOutcome(
    "registry_not_connected", "Registry not available", _NOT_OFFERED
)
_REGISTRY_FAILED = PublicOutcome(
    "registry_failed",
    "Registry did not answer",
    "Try again in some minutes. If it goes on, tell {vendor}.",
)
_REFUSED = PublicOutcome("refused", "Refused", _ASK)

_SHOWN = (
    PublicOutcome(ALLOWED, "Allowed"),
    PublicOutcome(
        Reason.CREDENTIAL_REVOKED,
        "Pull credential revoked",
        "Log in with another pull credential of the license, or make a new one.",
        CREDENTIALS,
    ),
    PublicOutcome(
        Reason.CREDENTIAL_EXPIRED,
        "Credential ended",
        "Log in with the secret that replaced it. If none did, set a later end.",
        CREDENTIALS,
    ),
    PublicOutcome(
        Reason.IDENTITY_REMOVED,
        "Trusted identity removed",
        "Have the trusted identity added again, or log in with a pull credential.",
        CREDENTIALS,
    ),
    PublicOutcome(
        Reason.NETWORK_NOT_ALLOWED,
        "Network not allowed",
        "Pull from an allowed network, or add this one to the pull credential.",
        CREDENTIALS,
    ),
    PublicOutcome(
        Reason.APPLICATION_MISMATCH,
        "Wrong application",
        "Check the image name. If it is right, ask {vendor} for a license that "
        "includes it.",
    ),
    PublicOutcome(Reason.LICENSE_REVOKED, "License revoked", _ASK),
    PublicOutcome(
        Reason.LICENSE_EXPIRED,
        "License ended",
        "Ask {vendor} to extend it. The same license and credentials then work again.",
    ),
    PublicOutcome(Reason.CUSTOMER_ARCHIVED, "Licenses suspended", _ASK),
    PublicOutcome(Reason.REPOSITORY_NOT_ALLOWED, "Image not offered", _NOT_OFFERED),
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
# All that a pull can be shown with.
PUBLIC_CODES = tuple(str(outcome.code) for outcome in (*PUBLIC_OUTCOMES, _REFUSED))


def public_outcome(outcome: str) -> PublicOutcome:
    """Return the outcome of a counted pull, or of a decision, for the customer."""
    return _BY_CODE.get(outcome, _REFUSED)


def outcomes_behind(code: str) -> list[str]:
    """Return the outcomes of counted pulls that are shown as one with this code."""
    return [outcome for outcome, public in _BY_CODE.items() if public.code == code]
