"""nginx with a full cache: one credential ends, or is presented from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import urllib3

from deploy.local.process import free_port
from licenses.services import revoke_pull_credential
from licenses.services.identities import remove_trusted_identity
from tests.e2e.conftest import Ports, edge_environment, start_edge
from tests.e2e.data_plane.conftest import DataPlane, Puller, in_front_of
from tests.support.clients.edge import EdgeClient
from tests.support.issuers.token_issuer import TokenIssuer
from tests.support.rows.factories import pull_credential
from tests.support.rows.identities import trusted
from tests.support.rows.vendor import Vendor

CONTENT = b"only for one customer " * 1000


def pullers_of(plane: DataPlane, vendor: Vendor, *secrets: str) -> list[Puller]:
    license = vendor.license()
    name = f"proxy/{vendor.application.slug}/counting/small/app"
    return [
        Puller(plane, license, name, plane.client.token(secret, name))
        for secret in secrets
    ]


def test_a_revoked_credential_gets_nothing_within_a_second_and_others_go_on(
    plane: DataPlane, counted: Vendor
) -> None:
    license = counted.license()
    credential, text = pull_credential(license, name="stolen")
    _, kept = pull_credential(license, name="kept")
    secrets = [text, kept, license.license_id.reveal()]
    stolen, *others = pullers_of(plane, counted, *secrets)
    digest = stolen.keep(CONTENT)
    for puller in (stolen, *others):
        assert puller.get(f"blobs/{digest}").body == CONTENT

    revoke_pull_credential(actor=counted.actor, credential=credential)
    ended = time.monotonic()
    while (answer := stolen.get(f"blobs/{digest}")).status == 200:
        assert time.monotonic() - ended < 1.0, "still allowed after a second"

    assert (answer.status, answer.error[0]) == (401, "DENIED")
    assert answer.error[1].startswith("This pull credential was revoked on ")
    for other in others:
        assert other.get(f"blobs/{digest}").body == CONTENT
    lines = plane.pulled(stolen.name)
    assert any(f"pull-credential:{credential.pk} " in line["pull"] for line in lines)
    assert all(line["pull"].endswith(f" {license.pk}") for line in lines)


def test_a_removed_identity_gets_nothing_within_a_second(
    plane: DataPlane, counted: Vendor
) -> None:
    issuer = TokenIssuer()
    identity = trusted(counted.license(), issuer)
    puller, other = pullers_of(
        plane, counted, issuer.service_account(), issuer.service_account("prod", "web")
    )
    digest = puller.keep(CONTENT)
    assert puller.get(f"blobs/{digest}").body == CONTENT
    assert other.get(f"blobs/{digest}").body == CONTENT

    remove_trusted_identity(actor=counted.actor, identity=identity)
    ended = time.monotonic()
    waiting = [puller, other]
    while waiting:
        assert time.monotonic() - ended < 1.0, "still allowed after a second"
        waiting = [one for one in waiting if one.get(f"blobs/{digest}").status == 200]

    for one in (puller, other):
        message = one.get(f"blobs/{digest}").error[1]
        assert message.startswith("This trusted identity was removed on ")
    holders = {line["pull"].split(" ")[1] for line in plane.pulled(puller.name)}
    assert holders == {f"identity:{identity.pk}.{number}" for number in (2, 3)}


def test_an_unknown_login_is_told_so_at_the_pull(
    plane: DataPlane, counted: Vendor
) -> None:
    [puller] = pullers_of(plane, counted, "2" * 27)

    for path in ("manifests/v1", f"blobs/sha256:{'0' * 64}"):
        answer = puller.get(path)
        assert (answer.status, answer.error[0]) == (401, "DENIED")
        assert answer.error[1].startswith("No known license came with this request.")


@pytest.fixture
def trusting(
    ports: Ports, counted: Vendor, tmp_path: Path
) -> Iterator[tuple[DataPlane, DataPlane]]:
    """An nginx whose edge believes it, from two addresses of clients."""
    port, log = free_port(), tmp_path / "edge.log"
    environment = edge_environment(ports) | {"BERTH_TRUSTED_PROXIES": "127.0.0.1/32"}
    with (
        start_edge(environment, port, log, "trusting edge") as process,
        in_front_of(EdgeClient(f"localhost:{port}", process, log), tmp_path / "nginx")
        as plane,
    ):  # fmt: skip
        elsewhere = urllib3.PoolManager(
            retries=False, timeout=30, source_address=("127.0.0.9", 0)
        )
        yield plane, replace(plane, client=replace(plane.client, http=elsewhere))


def test_a_token_is_good_from_its_networks_only(
    trusting: tuple[DataPlane, DataPlane], counted: Vendor
) -> None:
    """Neither a decision that nginx remembers nor a header helps from elsewhere."""
    here, elsewhere = trusting
    _, text = pull_credential(counted.license(), networks=["127.0.0.1/32"])
    [inside] = pullers_of(here, counted, text)
    place = here.place(inside.name, inside.token)
    assert place
    digest = inside.keep(CONTENT)
    outside = replace(inside, plane=elsewhere)
    spoofed = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"}

    for _ in range(3):
        assert inside.get(f"blobs/{digest}").body == CONTENT
        for headers in ({}, spoofed):
            answer = outside.get(f"blobs/{digest}", headers=headers)
            assert (answer.status, answer.error[0]) == (401, "DENIED")
            assert "not allowed from your address, 127.0.0.9." in answer.error[1]
    assert outside.get("manifests/v1").status == 401
    assert inside.get("manifests/v1").status == 200


def test_a_login_from_elsewhere_is_told_so_and_gets_a_token_for_nothing(
    trusting: tuple[DataPlane, DataPlane], counted: Vendor
) -> None:
    here, elsewhere = trusting
    _, text = pull_credential(counted.license(), networks=["127.0.0.1/32"])
    name = f"proxy/{counted.application.slug}/counting/small/app"

    login = elsewhere.client.token_answer(("any", text))
    useless = elsewhere.client.token(text, name)

    assert (login.status, login.error[0]) == (401, "UNAUTHORIZED")
    assert "not allowed from your address, 127.0.0.9." in login.error[1]
    answer = here.client.get(name, "manifests/v1", useless)
    assert answer.status == 401
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
