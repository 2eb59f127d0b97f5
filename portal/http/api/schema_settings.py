"""How the API's OpenAPI document is written. Read by the settings."""

from __future__ import annotations

from typing import Any

SCHEMA_SETTINGS: dict[str, Any] = {
    "TITLE": "Berth API",
    "VERSION": "1",
    "DESCRIPTION": (
        "The vendor portal's REST API. Sign in with `Authorization: Bearer berth_…`. "
        "Paths below `license` are for license holders, who sign in with HTTP Basic: "
        "any username, and the license ID or a pull credential as the password.\n\n"
        "Errors are RFC 9457 problem details with a stable `code`. Lists are cursor "
        "pages. Creating POSTs take an `Idempotency-Key`.\n\n"
        "An object comes with an `ETag`. Send it back in `If-Match` with a change, and "
        "the object is changed only if nobody else has changed it since: otherwise the "
        "answer is 412."
    ),
    "EXTERNAL_DOCS": {"url": "/help/automate/", "description": "Automate by API"},
    "SERVERS": [{"url": "/", "description": "The portal that serves this"}],
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_SUFFIX": "",
    "ENUM_NAME_OVERRIDES": {
        "AlertEvent": "alerts.api.serializers.LISTED_EVENTS",
        "ApiTokenKind": "teams.models.ApiToken.Kind",
        "CheckOutcome": "registries.models.health.Outcome",
        "ContactRole": "customers.models.ContactRole",
        "CustomerLinkState": "customers.api.serializers.LINK_STATES",
        "DeliveryState": "alerts.models.DeliveryState",
        "DenialReason": "registries.api.serializers.REASONS",
        "Event": "alerts.api.serializers.EVENTS",
        "ImageResult": "registries.api.license_serializers.RESULTS",
        "IdentityKeys": "licenses.api.trusted_identities.KEYS",
        "IdentityKind": "licenses.api.trusted_identities.KINDS",
        "LicenseType": "licenses.models.License.Type",
        "LicenseFieldType": "licenses.models.LicenseField.Type",
        "LicenseState": "licenses.api.serializers.STATES",
        "NoticeKind": "customers.api.mails.KINDS",
        "ProviderName": "registries.api.serializers.PROVIDER_CHOICES",
        "PullCode": "customers.api.license.CODES",
        "PullCredentialState": "licenses.api.serializers.CREDENTIAL_STATES",
        "Role": "teams.models.ROLES",
        "WebhookEvent": "alerts.api.serializers.CHOOSABLE_EVENTS",
    },
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "portal.http.api.schema.simplify",
        "portal.http.api.schema.describe_problems",
    ],
}
