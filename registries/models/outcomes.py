"""How pulls end: codes, and the words that pages show for them."""

from __future__ import annotations

from django.db.models import TextChoices

ALLOWED = "allowed"


class Reason(TextChoices):
    """Why Berth denies a pull. Codes are stable: programs and people look them up."""

    CREDENTIAL_UNKNOWN = "credential_unknown", "Unknown license"
    CREDENTIAL_REVOKED = "credential_revoked", "Pull credential revoked"
    CREDENTIAL_EXPIRED = "credential_expired", "Credential expired"
    IDENTITY_REFUSED = "identity_refused", "Workload token not accepted"
    IDENTITY_REMOVED = "identity_removed", "Trusted identity removed"
    NETWORK_NOT_ALLOWED = "network_not_allowed", "Network not allowed"
    APPLICATION_MISMATCH = "application_mismatch", "Wrong application"
    LICENSE_REVOKED = "license_revoked", "License revoked"
    LICENSE_EXPIRED = "license_expired", "License expired"
    CUSTOMER_ARCHIVED = "customer_archived", "Customer archived"
    REGISTRY_NOT_CONNECTED = "registry_not_connected", "Registry not connected"
    REGISTRY_NOT_SHARED = "registry_not_shared", "Registry not shared"
    REPOSITORY_NOT_ALLOWED = "repository_not_allowed", "Repository not allowed"
    SECOND_FACTOR_REQUIRED = "second_factor_required", "Second factor required"
    ACTION_NOT_ALLOWED = "action_not_allowed", "Action not allowed"


REFUSALS = {reason.value: str(reason.label) for reason in Reason}
# Berth allowed the pull and the registry did not: by the code of its UpstreamError.
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
