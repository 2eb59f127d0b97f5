"""Unmodified clients and several edges share what is kept."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.local import images
from deploy.local.process import free_port
from tests.e2e.conftest import Upstream, start_edge
from tests.e2e.edge.cache.conftest import REPOSITORY, Customer
from tests.e2e.edge.conftest import eventually
from tests.support.clients.edge import EdgeClient
from tests.support.objects.bodies import random_bytes
from tests.support.objects.object_registry import ObjectRegistry
from tests.support.rows.vendor import Vendor

BODY = random_bytes(8, 5 * 2**20)


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_skopeo_pulls_the_same_image_cold_and_hot(
    cached_edge: EdgeClient,
    connected: Vendor,
    basic_upstream: Upstream,
    cache_dir: Path,
    tmp_path: Path,
    by: str,
) -> None:
    layers = [images.tar_layer({"data": random_bytes(9, 2**20)})]
    pushed = images.push_image(
        basic_upstream.url,
        "my-org/kept",
        "v1",
        auth=basic_upstream.login,
        layers=layers,
    )
    customer = Customer(cached_edge, connected, cache_dir, "sample", "my-org/kept")
    reference = "v1" if by == "tag" else pushed.digest
    license_id = customer.license.license_id.reveal()

    for name in ("cold", "hot"):
        copy = cached_edge.skopeo_copy(
            customer.name, reference, license_id, tmp_path / name
        )
        assert copy.returncode == 0, copy.stderr
        # The manifest, the configuration and the layer.
        eventually(lambda: len(customer.kept) == 3, "it is not kept", 30)

    cold, hot = (content(tmp_path / name) for name in ("cold", "hot"))
    assert cold == hot
    manifest = hashlib.sha256(cold["manifest.json"]).hexdigest()
    assert f"sha256:{manifest}" == pushed.digest


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_two_edges_share_a_directory(
    cached_edge: EdgeClient,
    cache_environment: dict[str, str],
    customer: Customer,
    origin: ObjectRegistry,
    tmp_path: Path,
) -> None:
    both, later = (origin.add(REPOSITORY, body) for body in (BODY, BODY[1:]))
    port, log = free_port(), tmp_path / "edge.log"
    with start_edge(cache_environment, port, log, "other edge") as process:
        edge = EdgeClient(f"localhost:{port}", process, log)
        other = Customer(edge, customer.vendor, customer.root)
        origin.pause_after = 2**20
        with ThreadPoolExecutor() as threads:
            asked = [threads.submit(item.blob, both) for item in (customer, other)]
            eventually(lambda: origin.sending == 2, "not both ask")
            origin.go.set()
            bodies = [item.result().body for item in asked]
        origin.reset_pace()
        customer.until_kept(both)
        customer.blob(later)
        customer.until_kept(later)

        assert bodies == [BODY] * 2
        assert other.blob(later).body == BODY[1:]
        assert [item.blob(both).body for item in (customer, other)] == [BODY] * 2

    assert (origin.times(both), origin.times(later)) == (2, 1)
    assert len(customer.kept) == 2
