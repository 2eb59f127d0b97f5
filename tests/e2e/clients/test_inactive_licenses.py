"""Behind nginx, every client prints what is wrong with a license that has ended."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from licenses.services import archive_customer, revoke_license
from tests.e2e.clients.conftest import Registry, push_an_image
from tests.support.clients.engines import (
    Skopeo,
    containerd_pull,
    docker_pull,
    podman_pull,
)
from tests.support.rows.vendor import Vendor

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="container engines are started as root"
)


def _revoked(vendor: Vendor) -> str:
    license = vendor.license()
    revoke_license(actor=vendor.actor, license=license, reason="test")
    return license.license_id.reveal()


def _expired(vendor: Vendor) -> str:
    license = vendor.license(expires_at=timezone.now() - timedelta(hours=1))
    return license.license_id.reveal()


def _of_an_archived_customer(vendor: Vendor) -> str:
    license_id = vendor.license().license_id.reveal()
    archive_customer(actor=vendor.actor, customer=vendor.customer)
    return license_id


INACTIVE = {
    "revoked": (_revoked, "This license was revoked on "),
    "expired": (_expired, "This license expired on "),
    "archived": (
        _of_an_archived_customer,
        "This license belongs to an archived customer. ",
    ),
}
PULLS = {
    "docker": docker_pull,
    "podman": podman_pull,
    "containerd": containerd_pull,
}


@pytest.mark.parametrize("client", PULLS)
@pytest.mark.parametrize("state", INACTIVE)
def test_behind_nginx_clients_say_what_is_wrong_with_a_license(
    engines: Path,
    behind_nginx: Registry,
    vendor: Vendor,
    tmp_path: Path,
    client: str,
    state: str,
) -> None:
    """containerd prints no answer of a token service, so it has to get a token."""
    image = push_an_image(Skopeo(engines, tmp_path / "vendor"), behind_nginx, vendor)
    allowed = PULLS[client](engines, image, vendor.license().license_id.reveal())
    prepare, sentence = INACTIVE[state]

    refused = PULLS[client](engines, image, prepare(vendor))

    assert allowed.returncode == 0, allowed.stderr
    assert refused.returncode != 0
    assert sentence in refused.stderr + refused.stdout
