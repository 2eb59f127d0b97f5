"""The ways in which a right to pull ends, apart from its expiry."""

from __future__ import annotations

from licenses.models import License
from licenses.services import (
    archive_customer,
    delete_license,
    reveal_license_id,
    revoke_license,
)
from registries.models import ExternalRegistry
from registries.services import change_registry, delete_registry
from tests.support.rows.vendor import Vendor


def revoke(vendor: Vendor, license: License) -> None:
    revoke_license(actor=vendor.actor, license=license, reason="test")


def archive(vendor: Vendor, license: License) -> None:
    archive_customer(actor=vendor.actor, customer=license.customer)


def archive_license(vendor: Vendor, license: License) -> None:
    reveal_license_id(actor=vendor.actor, license=license)
    assert delete_license(actor=vendor.actor, license=license) is not None


def limit(vendor: Vendor, license: License) -> None:
    change_registry(
        actor=vendor.actor,
        registry=ExternalRegistry.objects.get(team=vendor.team),
        changes={"repository_patterns": ["something/else"]},
    )


def delete(vendor: Vendor, license: License) -> None:
    delete_registry(
        actor=vendor.actor, registry=ExternalRegistry.objects.get(team=vendor.team)
    )


WAYS_TO_END = (revoke, archive, archive_license, limit, delete)
