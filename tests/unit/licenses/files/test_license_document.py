from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import yaml

from licenses.files.license_document import license_document
from licenses.license_id import generate_license_id, is_license_id
from licenses.models import LicenseField
from licenses.selectors import effective_field_values
from oci.portable_yaml import to_portable_yaml
from portal.crypto.secrets import Secret
from teams.models import Team
from tests.support.rows.factories import LicenseFactory, LicenseFieldFactory

ID = Secret("0" * 27)


def test_license_file_of_a_paid_license(team: Team, settings: Any) -> None:
    settings.BERTH_PROXY_HOST = "proxy.acme.example"
    settings.BERTH_REGISTRY_HOST = "registry.acme.example"
    settings.BERTH_PORTAL_URL = "https://portal.acme.example/"
    license = LicenseFactory(
        team=team,
        application__slug="my-app",
        customer__name="Initech ☂",
        customer__email="it@initech.example",
        expires_at=datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC),
        field_values={"seats": 5},
        sequence=7,
    )
    application, channel = license.application, license.channel
    LicenseFieldFactory(
        application=application, name="seats", title="Seats", type="Integer"
    )
    LicenseFieldFactory(
        application=application, name="plan", title="Plan", default="iron", hidden=True
    )
    LicenseFieldFactory(application=application, name="note", title="Note")

    text = to_portable_yaml(
        license_document(license, ID, effective_field_values(license))
    )

    assert "Initech ☂" in text
    assert yaml.safe_load(text) == {
        "apiVersion": "kots.io/v1beta2",
        "kind": "License",
        "metadata": {"name": f"my-app-{license.pk}"},
        "spec": {
            "licenseID": "0" * 27,
            "licenseType": "prod",
            "licenseSequence": 7,
            "appSlug": "my-app",
            "customerID": str(license.customer_id),
            "customerName": "Initech ☂",
            "customerEmail": "it@initech.example",
            "channelID": str(channel.pk),
            "channelName": "Stable",
            "channels": [
                {
                    "channelID": str(channel.pk),
                    "channelName": "Stable",
                    "channelSlug": "stable",
                    "isDefault": True,
                    "replicatedProxyDomain": "proxy.acme.example",
                }
            ],
            "endpoint": "https://portal.acme.example",
            "replicatedProxyDomain": "proxy.acme.example",
            "replicatedRegistryDomain": "registry.acme.example",
            "entitlements": {
                "expires_at": {
                    "title": "Expiration",
                    "description": "License Expiration",
                    "value": "2031-02-03T04:05:06Z",
                    "valueType": "String",
                },
                "note": {"title": "Note", "value": "", "valueType": "String"},
                "plan": {
                    "title": "Plan",
                    "value": "iron",
                    "valueType": "String",
                    "isHidden": True,
                },
                "seats": {"title": "Seats", "value": 5, "valueType": "Integer"},
            },
        },
    }


def test_license_file_of_a_license_that_never_expires(team: Team) -> None:
    license = LicenseFactory(team=team, type="trial")

    document = yaml.safe_load(to_portable_yaml(license_document(license, ID, [])))

    assert document["spec"]["licenseType"] == "trial"
    assert document["spec"]["entitlements"]["expires_at"]["value"] == ""


def test_no_field_hides_the_license_s_own_expiry(team: Team) -> None:
    at = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
    license = LicenseFactory(team=team, expires_at=at)
    field = LicenseField(name="expires_at", title="Never", type="String")

    spec = license_document(license, ID, [(field, "2999-01-01T00:00:00Z")])["spec"]

    assert spec["entitlements"] == {
        "expires_at": {
            "title": "Expiration",
            "description": "License Expiration",
            "value": "2031-02-03T04:05:06Z",
            "valueType": "String",
        }
    }


def test_license_file_keeps_hostile_names_as_text(team: Team) -> None:
    name = "x\"'}\u2028 !!python/object: - &a *b #"
    license = LicenseFactory(team=team, customer__name=name)

    document = yaml.safe_load(to_portable_yaml(license_document(license, ID, [])))

    assert document["spec"]["customerName"] == name


def test_license_ids_are_27_letters_and_digits() -> None:
    one, other = generate_license_id(), generate_license_id()

    assert one != other
    assert is_license_id(one.reveal())
    for text in ("", "a" * 26, "a" * 28, "a" * 26 + "-", "a" * 27 + "\n"):
        assert not is_license_id(text)
