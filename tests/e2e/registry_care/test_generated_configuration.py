"""What the registry does with the file that ``write_registry_config`` writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import urllib3

from deploy.local.images import tar_layer
from tests.e2e.registry_care.conftest import NOTIFICATION_TOKEN, Registry

THRESHOLD = 3
LAYER = tar_layer({"a.txt": b"a"})


def events_of(registry: Registry) -> list[dict[str, Any]]:
    return [
        event
        for received in registry.events.received
        for event in json.loads(received.body)["events"]
    ]


def test_a_push_and_a_pull_reach_berth_as_events_of_manifests(
    registry: Registry, slug: str, tmp_path: Path
) -> None:
    name = f"{slug}/api"
    with registry.start() as process:
        digest = registry.push(name, LAYER)
        pulled = registry.pull(f"{name}:v1", tmp_path / "pulled")
        assert pulled.returncode == 0, pulled.stderr
        process.wait_until(
            lambda: any(event["action"] == "pull" for event in events_of(registry)), 20
        )

    events = events_of(registry)
    assert {event["action"] for event in events} == {"push", "pull"}
    # Blobs were pushed and pulled too, and no event tells of them.
    assert {event["target"]["digest"] for event in events} == {digest}
    heads = {received.headers["authorization"] for received in registry.events.received}
    assert heads == {f"Bearer {NOTIFICATION_TOKEN}"}


def test_events_wait_for_a_portal_that_is_away(registry: Registry, slug: str) -> None:
    registry.events.status = 503
    with registry.start() as process:
        digest = registry.push(f"{slug}/api", LAYER)
        # After three failures it waits: the next answer is surely the other one.
        process.wait_until(lambda: failures(registry) == THRESHOLD, 20)
        registry.events.status = 204
        process.wait_until(lambda: len(registry.events.received) > THRESHOLD, 40)

    events = events_of(registry)
    assert len({event["id"] for event in events}) == 1
    assert {event["target"]["digest"] for event in events} == {digest}
    # What the log quotes of a failure is not the secret.
    assert NOTIFICATION_TOKEN not in registry.log.read_text()


def failures(registry: Registry) -> int:
    return registry.log.read_text().count("retryingsink: error writing event")


def test_no_secret_is_in_the_registry_s_log(
    registry: Registry, slug: str, tmp_path: Path
) -> None:
    with registry.start() as process:
        registry.push(f"{slug}/api", LAYER)
        refused = registry.pull(f"{slug}/other:v1", tmp_path / "refused")
        process.wait_until(lambda: bool(registry.events.received), 20)

    assert refused.returncode != 0
    log = registry.log.read_text()
    # So the log is written, and this is not a look at nothing.
    assert "level=" in log
    secret = registry.config.read_text().split("secret: ")[1].split()[0]
    for text in (NOTIFICATION_TOKEN, secret, registry.owner[1], registry.customer[1]):
        assert text not in log


def test_strangers_are_sent_to_berth_and_addresses_stay_relative(
    registry: Registry, slug: str
) -> None:
    with registry.start():
        stranger = urllib3.request(
            "GET", f"http://127.0.0.1:{registry.port}/v2/", retries=False
        )
        upload = registry.ask("POST", f"{slug}/api", "blobs/uploads/", "pull,push")

    assert stranger.status == 401
    assert stranger.headers["WWW-Authenticate"] == (
        f'Bearer realm="http://{registry.edge.host}/v2/token",service="berth-registry"'
    )
    assert stranger.headers["X-Content-Type-Options"] == "nosniff"
    assert upload.status == 202
    assert upload.headers["Location"].startswith(f"/v2/{slug}/api/blobs/uploads/")
