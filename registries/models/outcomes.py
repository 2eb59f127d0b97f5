"""The outcomes of pulls, in words for pages."""

from __future__ import annotations

ALLOWED = "allowed"

# One for each registries.decision.steps.Reason; a test compares them.
REFUSALS = {
    "license_revoked": "License revoked",
    "license_expired": "License expired",
    "customer_archived": "Customer archived",
    "application_mismatch": "Wrong application",
    "registry_not_connected": "Registry not connected",
    "registry_not_shared": "Registry not shared",
    "repository_not_allowed": "Repository not allowed",
    "credential_unknown": "Unknown license",
    "second_factor_required": "Second factor required",
    "action_not_allowed": "Action not allowed",
}
# Allowed by Berth but failed at the registry: by the code of the UpstreamError.
FAILURES = {
    "registry_rejected": "Registry refused Berth's credential",
    "registry_repository_denied": "Registry denied the repository",
    "registry_rate_limited": "Registry rate limit reached",
    "registry_unreachable": "Registry unreachable",
    "registry_upstream_error": "Unusable answer from the registry",
}
OUTCOMES = {ALLOWED: "Allowed"} | REFUSALS | FAILURES


def outcome_in_words(outcome: str) -> str:
    """Return the words for ``allowed``, the code of a reason, or that of a failure."""
    return OUTCOMES.get(outcome, outcome.replace("_", " ").capitalize())
