from __future__ import annotations

from licenses.models.applications import (
    RESERVED_SLUGS,
    Application,
    Channel,
    RetiredSlug,
)
from licenses.models.licenses import (
    EXPIRES_SOON,
    EXPIRY_NAME,
    MAX_FIELD_VALUE_BYTES,
    Customer,
    License,
    LicenseField,
    LicenseQuerySet,
    LicenseSigningKey,
    LicenseState,
    Standing,
    validate_field_name,
    validate_name_is_free,
)

__all__ = [
    "EXPIRES_SOON",
    "EXPIRY_NAME",
    "MAX_FIELD_VALUE_BYTES",
    "RESERVED_SLUGS",
    "Application",
    "Channel",
    "Customer",
    "License",
    "LicenseField",
    "LicenseQuerySet",
    "LicenseSigningKey",
    "LicenseState",
    "RetiredSlug",
    "Standing",
    "validate_field_name",
    "validate_name_is_free",
]
