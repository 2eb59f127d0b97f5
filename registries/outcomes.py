"""What became of pulls, in words for pages."""

from __future__ import annotations

ALLOWED = "allowed"

# One for each of registries.authorization.Reason; a test compares them.
REFUSALS = {
    "license_revoked": "License revoked",
    "license_expired": "License expired",
    "customer_archived": "Customer archived",
    "application_mismatch": "Other application",
    "registry_not_connected": "Registry not connected",
    "registry_not_shared": "Registry not shared",
    "repository_not_allowed": "Repository not allowed",
    "credential_unknown": "Unknown license",
}
OUTCOMES = {ALLOWED: "Allowed"} | REFUSALS


def outcome_in_words(outcome: str) -> str:
    """Return what people read for ``allowed`` or for the code of a reason."""
    return OUTCOMES.get(outcome, outcome.replace("_", " ").capitalize())
