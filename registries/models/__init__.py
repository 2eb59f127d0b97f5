from __future__ import annotations

from registries.models.external import (
    MAX_PATTERNS,
    MAX_SECRET_BYTES,
    RESERVED_SLUGS,
    Credential,
    CredentialCheck,
    ExternalRegistry,
    RegistryShare,
    default_patterns,
    validate_endpoint,
    validate_pattern,
    validate_test_image,
)
from registries.models.pulls import (
    PRIVATE_REGISTRY_ID,
    PRIVATE_REGISTRY_SLUG,
    PullEvent,
    PullHour,
)
from registries.models.usage import CacheUse, LicenseTraffic, PullLog

__all__ = [
    "MAX_PATTERNS",
    "MAX_SECRET_BYTES",
    "PRIVATE_REGISTRY_ID",
    "PRIVATE_REGISTRY_SLUG",
    "RESERVED_SLUGS",
    "CacheUse",
    "Credential",
    "CredentialCheck",
    "ExternalRegistry",
    "LicenseTraffic",
    "PullEvent",
    "PullHour",
    "PullLog",
    "RegistryShare",
    "default_patterns",
    "validate_endpoint",
    "validate_pattern",
    "validate_test_image",
]
