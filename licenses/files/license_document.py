"""The license file: YAML ``kind: License``, ``apiVersion: kots.io/v1beta2``.

Field order and names are those of kotskinds' ``License``, so that tools of the field
read it. ``licenses.license_signature`` signs it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from licenses.models import EXPIRY_NAME, License, LicenseField
from portal.crypto.secrets import Secret

# Berth's type "paid" is called "prod" in license files.
_FILE_TYPES = {License.Type.PAID.value: "prod"}


def license_document(
    license: License,
    secret: Secret,
    field_values: Iterable[tuple[LicenseField, object]],
) -> dict[str, Any]:
    """Return the contents of the license file as plain data, before it is signed.

    They contain the secret: the license ID, or a pull credential.
    """
    return {
        "apiVersion": "kots.io/v1beta2",
        "kind": "License",
        "metadata": {"name": f"{license.application.slug}-{license.pk}"},
        "spec": {
            "licenseID": secret.reveal(),
            "licenseType": _FILE_TYPES.get(license.type, license.type),
            "licenseSequence": license.sequence,
            "appSlug": license.application.slug,
            "customerID": str(license.customer_id),
            "customerName": license.customer.name,
            "customerEmail": license.customer.email,
            "channelID": str(license.channel_id),
            "channelName": license.channel.name,
            "channels": [_channel(license)],
            "endpoint": settings.BERTH_PORTAL_URL.rstrip("/"),
            "replicatedProxyDomain": settings.BERTH_PROXY_HOST,
            # Not a kotskinds field: offline installers need it for the pull secret.
            "replicatedRegistryDomain": settings.BERTH_REGISTRY_HOST,
            "entitlements": _entitlements(license, field_values),
        },
    }


def _channel(license: License) -> dict[str, Any]:
    return {
        "channelID": str(license.channel_id),
        "channelName": license.channel.name,
        "channelSlug": license.channel.slug,
        "isDefault": True,
        "replicatedProxyDomain": settings.BERTH_PROXY_HOST,
    }


def _entitlements(
    license: License, field_values: Iterable[tuple[LicenseField, object]]
) -> dict[str, Any]:
    expiry = {
        "title": "Expiration",
        "description": "License Expiration",
        "value": _rfc3339(license.expires_at),
        "valueType": "String",
    }
    fields = {
        field.name: {
            "title": field.title,
            "value": "" if value is None else value,
            "valueType": field.type,
            **({"isHidden": True} if field.hidden else {}),
        }
        for field, value in field_values
    }
    # No field can have this name. If one did, the license's own expiry would win.
    return {EXPIRY_NAME: expiry} | fields | {EXPIRY_NAME: expiry}


def _rfc3339(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""
