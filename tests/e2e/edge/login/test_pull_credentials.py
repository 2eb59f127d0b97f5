"""Pull credentials at the edge: rotated under load, revoked, replaced."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import urllib3
from django.utils import timezone

from alerts.models import Alert
from deploy.local import images
from licenses.models import PullCredential, PullCredentialNetwork
from licenses.services import (
    replace_license_id,
    revoke_pull_credential,
    rotate_pull_credential,
)
from registries.models import PullEvent
from tests.e2e.conftest import Upstream
from tests.e2e.edge.conftest import eventually
from tests.support.clients.edge import EdgeClient
from tests.support.rows.factories import pull_credential
from tests.support.rows.vendor import Vendor

# How long the old secret goes on; by hand, a minute.
OLD_SECONDS = 4.0
# A decision is remembered for so long.
REMEMBERED_SECONDS = 0.8


@pytest.fixture
def name(connected: Vendor, basic_upstream: Upstream) -> str:
    images.push_image(
        basic_upstream.url,
        "my-org/rotated",
        "v1",
        auth=basic_upstream.login,
        layers=[images.tar_layer({"a": b"a"})],
    )
    return f"proxy/{connected.application.slug}/sample/my-org/rotated"


@dataclass(frozen=True)
class Copied:
    began: float
    ended: float
    error: str


def copy_until(
    edge: EdgeClient, name: str, secret: str, target: Path, until: float
) -> list[Copied]:
    """Pull with skopeo, again and again; each pull logs in again."""
    copies = []
    while time.time() < until:
        began = time.time()
        done = edge.skopeo_copy(name, "v1", secret, target)
        error = done.stderr if done.returncode else ""
        copies.append(Copied(began, time.time(), error))
    return copies


def test_two_clients_pull_through_a_rotation(
    edge: EdgeClient, connected: Vendor, name: str, tmp_path: Path
) -> None:
    """The new secret works at once, and the old one to the instant it ends."""
    old, old_text = pull_credential(connected.license())
    assert edge.skopeo_copy(name, "v1", old_text, tmp_path / "0").returncode == 0
    ends_at = timezone.now() + timedelta(seconds=OLD_SECONDS)
    end = ends_at.timestamp()

    with ThreadPoolExecutor(2) as clients:
        before = clients.submit(
            copy_until, edge, name, old_text, tmp_path / "old", end + 2
        )
        _, secret = rotate_pull_credential(
            actor=connected.actor, credential=old, old_ends_at=ends_at
        )
        after = clients.submit(
            copy_until, edge, name, secret.reveal(), tmp_path / "new", end + 2
        )
        by_old, by_new = before.result(), after.result()

    assert [copy.error for copy in by_new if copy.error] == []
    assert [copy.error for copy in by_old if copy.ended < end and copy.error] == []
    assert sum(copy.ended < end for copy in by_old) >= 2
    late = [copy for copy in by_old if copy.began > end + REMEMBERED_SECONDS]
    assert late
    for copy in late:
        assert "This pull credential expired on " in copy.error


def test_a_revoked_credential_stops_its_tokens_within_a_second(
    edge: EdgeClient, connected: Vendor, name: str
) -> None:
    license = connected.license()
    credential, text = pull_credential(license)
    secrets = [text, pull_credential(license)[1], license.license_id.reveal()]
    token, *others = [edge.token(secret, name) for secret in secrets]
    assert edge.get(name, "manifests/v1", token).status == 200

    revoke_pull_credential(actor=connected.actor, credential=credential)
    ended = time.monotonic()
    while (answer := edge.get(name, "manifests/v1", token)).status == 200:
        assert time.monotonic() - ended < 1.0, "still allowed after a second"

    assert (answer.status, answer.error[0]) == (401, "DENIED")
    assert answer.json["errors"][0]["detail"] == {"reason": "credential_revoked"}
    for other in others:
        assert edge.get(name, "manifests/v1", other).status == 200
    login = edge.token_answer(("any", text))
    assert (login.status, login.error[0]) == (401, "UNAUTHORIZED")
    log = edge.log.read_text()
    assert f"by pull-credential:{credential.pk} ('{credential.name}')" in log
    assert text not in log


def test_a_replaced_license_id_stops_its_tokens_and_not_the_new_ones(
    edge: EdgeClient, connected: Vendor, name: str
) -> None:
    license = connected.license()
    old = edge.token(license.license_id.reveal(), name)
    assert edge.get(name, "manifests/v1", old).status == 200

    secret = replace_license_id(
        actor=connected.actor, license=license, old_ends_at=timezone.now()
    )

    new = edge.token(secret.reveal(), name)
    ended = time.monotonic()
    while edge.get(name, "manifests/v1", old).status == 200:
        assert time.monotonic() - ended < 1.0, "still allowed after a second"
    assert edge.get(name, "manifests/v1", new).status == 200


def test_use_is_noted_and_pulls_are_counted_by_credential(
    edge: EdgeClient, connected: Vendor, name: str, tmp_path: Path
) -> None:
    license = connected.license()
    used, text = pull_credential(license, name="cluster")
    unused, expired = pull_credential(license, expires_at=timezone.now())

    assert edge.skopeo_copy(name, "v1", text, tmp_path / "image").returncode == 0
    edge.token(expired, name)

    eventually(
        lambda: PullCredential.objects.filter(
            pk=used.pk, last_used_at__isnull=False
        ).exists(),
        "the use was not noted",
    )
    used.refresh_from_db()
    assert used.last_used_address == "127.0.0.1"
    assert used.last_used_client.startswith("skopeo/")
    unused.refresh_from_db()
    assert unused.last_used_at is None
    pulls = PullEvent.objects.filter(credential_id=used.pk, outcome="allowed")
    eventually(pulls.exists, "the pull was not counted", 15)
    pull = pulls.get()
    assert (pull.license_id, pull.credential_name) == (license.pk, "cluster")
    assert pull.holder == f"pull-credential:{used.pk}"


def test_a_use_from_elsewhere_is_told_beside_a_busy_one(
    edge: EdgeClient, connected: Vendor, name: str
) -> None:
    """The last use is stored once a minute; a new network is not missed by that."""
    credential, text = pull_credential(connected.license(), name="cluster")
    thief = replace(
        edge,
        http=urllib3.PoolManager(
            retries=False, timeout=30, source_address=("127.9.0.1", 0)
        ),
    )
    uses = PullCredentialNetwork.objects.filter(credential=credential)
    alerts = Alert.objects.filter(event="pull_credential.new_network")

    edge.token(text, name)
    eventually(uses.exists, "the first use was not noted")
    assert not alerts.exists()
    thief.token(text, name)
    eventually(alerts.exists, "the use from elsewhere raised no alert")
    for client in (thief, edge, thief):
        client.token(text, name)

    assert alerts.get().data["address"] == "127.9.0.1"
    assert sorted(use.network for use in uses) == ["127.0.0.0/16", "127.9.0.0/16"]
    credential.refresh_from_db()
    assert credential.last_used_address == "127.0.0.1"
