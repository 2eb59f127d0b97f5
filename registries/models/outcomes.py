"""What became of pulls, in words for pages."""

from __future__ import annotations

ALLOWED = "allowed"

# One for each of registries.decision_steps.Reason; a test compares them.
REFUSALS = {
    "license_revoked": "License revoked",
    "license_expired": "License expired",
    "customer_archived": "Customer archived",
    "application_mismatch": "Other application",
    "registry_not_connected": "Registry not connected",
    "registry_not_shared": "Registry not shared",
    "repository_not_allowed": "Repository not allowed",
    "credential_unknown": "Unknown license",
    "second_factor_required": "Second factor required",
    "action_not_allowed": "Not allowed to this login",
}
# Berth let it through and the registry did not: by the code of its UpstreamError.
FAILURES = {
    "registry_rejected": "Registry refused Berth's credential",
    "registry_repository_denied": "Registry denied the repository",
    "registry_rate_limited": "Registry's limit reached",
    "registry_unreachable": "Registry unreachable",
    "registry_upstream_error": "Registry gave no usable answer",
}
OUTCOMES = {ALLOWED: "Allowed"} | REFUSALS | FAILURES


def outcome_in_words(outcome: str) -> str:
    """Return what people read for ``allowed``, a reason's code, or a failure's."""
    return OUTCOMES.get(outcome, outcome.replace("_", " ").capitalize())
