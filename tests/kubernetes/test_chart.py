"""The chart in a cluster: installed, tested, and upgraded while clients pull."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Iterator
from operator import ge
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.db.models import Sum

from alerts.events import Event
from alerts.services import create_webhook
from licenses.models import License
from registries.models import PullEvent
from registries.models.outcomes import ALLOWED
from tests.e2e.conftest import UPSTREAM_LOGIN, Upstream
from tests.support.kubernetes.clients import clients, open_portal, pull
from tests.support.kubernetes.control_plane import ControlPlane, wait_for
from tests.support.kubernetes.network import kube_proxy
from tests.support.kubernetes.release import Release, reachable, release
from tests.support.rows.alerting import alert
from tests.support.rows.vendor import Vendor
from tests.support.servers.receiver import Receiver, running_receiver

pytestmark = pytest.mark.timeout(1200)
CLIENTS = 16
SECONDS = 300
IMAGES = ("berth", "berth-nginx")


@pytest.fixture(scope="module")
def image_registry(pause: str) -> str:
    """The registry that nodes pull Berth from; ``make image`` has built the images."""
    registry = pause.partition("/")[0]
    for image in IMAGES:
        source = f"containers-storage:localhost/{image}:dev"
        target = f"docker://{registry}/{image}:test"
        # A policy of this machine may ask for signatures.
        command = ("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false")
        subprocess.run([*command, source, target], check=True, capture_output=True)
    return registry


@pytest.fixture(scope="module")
def services(
    plane: ControlPlane, directory: Path, node_with_provider: Path
) -> Iterator[None]:
    with kube_proxy(plane, directory):
        yield


@pytest.fixture
def upstream(basic_upstream: Upstream) -> Iterator[str]:
    """The vendor's registry, as Pods reach it."""
    with reachable(basic_upstream.url) as url:
        yield url.removeprefix("http://")


@pytest.fixture
def receiver(vendor: Vendor, settings: Any) -> Iterator[Receiver]:
    """Gets the team's alerts."""
    with running_receiver() as running, reachable(running.url) as url:
        running.host = urlsplit(url).netloc
        settings.BERTH_INSECURE_WEBHOOKS = [running.host]
        create_webhook(
            actor=vendor.actor,
            team=vendor.team,
            name="Automation",
            url=url,
            events=[Event.LICENSE_REVOKED.value],
        )
        yield running


@pytest.fixture
def installed(
    plane: ControlPlane,
    services: None,
    vendor: Vendor,
    image_registry: str,
    upstream: str,
    receiver: Receiver,
    tmp_path: Path,
) -> Iterator[Release]:
    """The chart on the tests' database, with two Pods of whatever serves."""
    server = connection.settings_dict
    login = f"{server['USER']}:{server['PASSWORD']}"
    url = f"postgresql://{login}@127.0.0.1:{server['PORT']}/{server['NAME']}"
    own = {
        "BERTH_INSECURE_REGISTRIES": upstream,
        "BERTH_INSECURE_WEBHOOKS": receiver.host,
    }
    with (
        reachable(url) as database,
        release(plane, tmp_path, image_registry, database, own) as made,
    ):
        made.install()
        yield made


@pytest.fixture
def license(vendor: Vendor, upstream: str, image: str) -> License:
    """May pull ``image``."""
    vendor.connect(upstream, "sample", UPSTREAM_LOGIN)
    return vendor.license()


def counted(license: License) -> int:
    found = PullEvent.objects.filter(license=license, outcome=ALLOWED)
    return int(found.aggregate(pulls=Sum("count"))["pulls"] or 0)


def replace_pods(installed: Release, reason: str) -> None:
    """Upgrade, and check that every Pod is another one."""
    before = installed.pods()
    installed.replace_pods(reason)
    after = installed.pods()
    for component, pods in before.items():
        assert len(after[component]) == len(pods) > 0, component
        assert not after[component] & pods, component


def test_an_upgrade_fails_no_pull_and_loses_or_doubles_nothing(
    installed: Release,
    license: License,
    vendor: Vendor,
    receiver: Receiver,
    measured: list[str],
) -> None:
    told = installed.test()
    assert "ok      The token service answers" in told
    secret = license.license_id.reveal()
    name = f"proxy/{vendor.application.slug}/sample/my-org/api"
    numbers, upgrades, began = itertools.count(), 0, time.monotonic()

    def raise_an_alert() -> None:
        alert(vendor.team, key=str(next(numbers)))
        connection.close()

    with clients(
        (CLIENTS, "pull", lambda: pull(secret, name)),
        (1, "page", open_portal),
        (1, "alert", raise_an_alert),
    ) as outcome:
        while time.monotonic() - began < SECONDS:
            upgrades += 1
            replace_pods(installed, f"upgrade-{upgrades}")
    done, seconds = outcome.done, time.monotonic() - began
    measured.append(
        f"{upgrades} rolling upgrades in {seconds:.0f} s, {CLIENTS} clients: "
        f"{done['pull']} pulls, {done['page']} pages, {done['alert']} alerts, "
        f"{len(outcome.failures)} failures"
    )
    assert outcome.failures == []
    assert min(done["pull"], done["page"], done["alert"]) > CLIENTS

    def counts() -> tuple[int, int]:
        return counted(license), len(receiver.received)

    made = done["pull"], done["alert"]
    wait_for(lambda: all(map(ge, counts(), made)), lambda: f"{counts()} of {made}")
    installed.uninstall()
    # Pods that end count what they know: nothing twice.
    assert counts() == made
    assert len({got.headers["webhook-id"] for got in receiver.received}) == made[1]
