"""How the API's OpenAPI document is written. Read by the settings."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.utils.functional import lazy

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
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": lazy(static, str)("berth/favicon.svg"),
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "CheckOutcomeEnum": "registries.models.health.Outcome",
        "ContactRoleEnum": "customers.models.ContactRole",
        "CustomerLinkStateEnum": "customers.api.serializers.LINK_STATES",
        "LicenseTypeEnum": "licenses.models.License.Type",
        "LicenseFieldTypeEnum": "licenses.models.LicenseField.Type",
        "LicenseStateEnum": "licenses.api.serializers.STATES",
        "PullCredentialStateEnum": "licenses.api.serializers.CREDENTIAL_STATES",
        "RoleEnum": "teams.models.ROLES",
    },
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "portal.http.api.schema.describe_problems",
    ],
}
