from __future__ import annotations

from licenses.models.applications import (
    RESERVED_SLUGS,
    Application,
    Channel,
    RetiredSlug,
)
from licenses.models.credentials import (
    MAX_CLIENT_LENGTH,
    MAX_NETWORKS,
    CredentialState,
    PullCredential,
    PullCredentialNetwork,
    PullCredentialQuerySet,
)
from licenses.models.customers import Customer
from licenses.models.identities import (
    MAX_LABEL_LENGTH,
    MAX_WORKLOAD_LENGTH,
    IdentityWorkload,
    IssuerKeys,
    TrustedIdentity,
    TrustedIdentityQuerySet,
)
from licenses.models.licenses import (
    END,
    EXPIRES_SOON,
    EXPIRY_NAME,
    MAX_FIELD_VALUE_BYTES,
    NEVER,
    License,
    LicenseField,
    LicenseQuerySet,
    LicenseState,
    Standing,
    validate_field_name,
    validate_name_is_free,
)
from licenses.models.notices import Notice, NoticeKind
from licenses.models.signing_keys import LicenseSigningKey

__all__ = [
    "END",
    "EXPIRES_SOON",
    "EXPIRY_NAME",
    "MAX_CLIENT_LENGTH",
    "MAX_FIELD_VALUE_BYTES",
    "MAX_LABEL_LENGTH",
    "MAX_NETWORKS",
    "MAX_WORKLOAD_LENGTH",
    "NEVER",
    "RESERVED_SLUGS",
    "Application",
    "Channel",
    "CredentialState",
    "Customer",
    "IdentityWorkload",
    "IssuerKeys",
    "License",
    "LicenseField",
    "LicenseQuerySet",
    "LicenseSigningKey",
    "LicenseState",
    "Notice",
    "NoticeKind",
    "PullCredential",
    "PullCredentialNetwork",
    "PullCredentialQuerySet",
    "RetiredSlug",
    "Standing",
    "TrustedIdentity",
    "TrustedIdentityQuerySet",
    "validate_field_name",
    "validate_name_is_free",
]
