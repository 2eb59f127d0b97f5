"""docker, podman and containerd pull with a license, and print why they may not."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from deploy.local import images
from licenses.services import revoke_license
from tests.e2e.conftest import Upstream
from tests.support.clients.edge import EdgeClient
from tests.support.clients.engines import containerd_pull, docker_pull, podman_pull
from tests.support.issuers.token_issuer import TokenIssuer
from tests.support.rows.identities import trusted
from tests.support.rows.vendor import Vendor

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="container engines are started as root"
)

CLIENTS = {
    "docker": docker_pull,
    "podman": podman_pull,
    "containerd": containerd_pull,
}


@pytest.fixture
def image(edge: EdgeClient, connected: Vendor, basic_upstream: Upstream) -> str:
    images.push_image(
        basic_upstream.url,
        "my-org/engines",
        "v1",
        auth=basic_upstream.login,
        layers=[images.tar_layer({"hello.txt": b"hi"})],
    )
    return f"{edge.host}/proxy/{connected.application.slug}/sample/my-org/engines:v1"


@pytest.mark.parametrize("client", CLIENTS)
def test_pull_with_a_license(
    engines: Path, connected: Vendor, image: str, client: str
) -> None:
    license_id = connected.license().license_id.reveal()

    pulled = CLIENTS[client](engines, image, license_id)

    assert pulled.returncode == 0, pulled.stderr


@pytest.mark.parametrize("client", CLIENTS)
def test_pull_with_a_workload_token(
    engines: Path, connected: Vendor, image: str, client: str
) -> None:
    issuer = TokenIssuer()
    trusted(connected.license(), issuer)

    pulled = CLIENTS[client](engines, image, issuer.service_account())
    refused = CLIENTS[client](engines, image, issuer.service_account("other"))

    assert pulled.returncode == 0, pulled.stderr
    assert refused.returncode != 0
    printed = refused.stderr + refused.stdout
    assert "No trusted identity accepts this token" in printed
    assert "its subject system:serviceaccount:other:api" in printed


def _unknown(vendor: Vendor) -> str:
    return "2" * 27


def _none(vendor: Vendor) -> str:
    return ""


def _expired(vendor: Vendor) -> str:
    license = vendor.license(expires_at=timezone.now() - timedelta(hours=1))
    return license.license_id.reveal()


def _revoked(vendor: Vendor) -> str:
    license = vendor.license()
    revoke_license(actor=vendor.actor, license=license, reason="test")
    return license.license_id.reveal()


def _other_application(vendor: Vendor) -> str:
    other = vendor.another_application(f"{vendor.team.slug}-other")
    return vendor.license(application=other).license_id.reveal()


REFUSED = {
    "no license": (_none, "No known license came with this request."),
    "unknown license": (_unknown, "No known license came with this request."),
    "expired": (_expired, "This license expired on "),
    "revoked": (_revoked, "This license was revoked on "),
    "another application's": (
        _other_application,
        "This license does not include the application ",
    ),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("state", REFUSED)
def test_a_refused_pull_prints_our_sentence(
    engines: Path, connected: Vendor, image: str, client: str, state: str
) -> None:
    prepare, sentence = REFUSED[state]

    pulled = CLIENTS[client](engines, image, prepare(connected))

    assert pulled.returncode != 0
    assert sentence in pulled.stderr + pulled.stdout
