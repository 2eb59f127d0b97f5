"""A broken disk or a killed edge costs speed, and never a wrong byte."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import pytest
import urllib3

from deploy.local.process import free_port
from tests.e2e.conftest import start_edge
from tests.e2e.edge.cache.conftest import REPOSITORY, Customer
from tests.e2e.edge.conftest import eventually
from tests.support.clients.download import SOON, Download
from tests.support.clients.edge import EdgeClient
from tests.support.objects.bodies import random_bytes
from tests.support.objects.object_registry import ObjectRegistry
from tests.support.rows.ending import revoke
from tests.support.rows.vendor import Vendor, create_vendor

MIB = 2**20
BODY = random_bytes(5, 3 * MIB + 5)
SMALL = b'{"small": true}'

StartCustomer = Callable[..., AbstractContextManager[Customer]]


@pytest.fixture
def start_customer(
    cache_environment: dict[str, str],
    vendor: Vendor,
    origin: ObjectRegistry,
    tmp_path: Path,
) -> StartCustomer:
    """Return how to start an edge with a cache of its own, and a customer of it."""
    vendor.connect(origin.endpoint, "origin")

    @contextmanager
    def start(root: Path = tmp_path / "cache", **changes: str) -> Iterator[Customer]:
        port, log = free_port(), tmp_path / "edge.log"
        environment = cache_environment | {"BERTH_CACHE_DIR": str(root)} | changes
        with start_edge(environment, port, log, "own edge") as process:
            edge = EdgeClient(f"localhost:{port}", process, log)
            yield Customer(edge, vendor, root)

    return start


def test_without_a_usable_directory_nothing_is_kept(
    start_customer: StartCustomer, origin: ObjectRegistry, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a directory")
    large, small = origin.add(REPOSITORY, BODY), origin.add(REPOSITORY, SMALL)
    tagged = origin.tag(REPOSITORY, "v1", SMALL)

    with start_customer(tmp_path / "file" / "cache") as customer:
        for _ in range(2):
            assert customer.blob(large).body == BODY
            assert customer.blob(small).body == SMALL
            assert customer.get("manifests/v1").body == SMALL
            assert customer.get(f"manifests/{tagged}").body == SMALL
        # What cannot be kept is hashed all the same.
        origin.objects[REPOSITORY, large] = origin.objects[REPOSITORY, small]
        wrong = customer.blob(large)

    assert wrong.status == 502
    assert origin.times(large) == 3
    assert "The cache's disk failed" in customer.edge.log.read_text()


def limit_files(edge: EdgeClient, size: int) -> None:
    """Have the disk be full for an edge: no file may be larger."""
    limits = (size, resource.RLIM_INFINITY)
    psutil.Process(edge.process.pid).rlimit(psutil.RLIMIT_FSIZE, limits)


def test_a_full_disk_breaks_nothing_off_if_the_length_is_known(
    start_customer: StartCustomer, origin: ObjectRegistry
) -> None:
    digest = origin.add(REPOSITORY, BODY)
    with start_customer() as customer:
        limit_files(customer.edge, MIB)

        bodies = [customer.blob(digest).body for _ in range(2)]

        assert bodies == [BODY] * 2
        assert customer.kept == []
        assert list((customer.root / "tmp").iterdir()) == []


def test_a_full_disk_in_mid_download_breaks_off_and_the_next_is_right(
    start_customer: StartCustomer, origin: ObjectRegistry
) -> None:
    digest = origin.add(REPOSITORY, BODY)
    origin.is_chunked = True
    with start_customer() as customer:
        limit_files(customer.edge, MIB)

        with pytest.raises(urllib3.exceptions.ProtocolError):
            customer.blob(digest)
        bodies = [customer.blob(digest).body for _ in range(2)]

        assert bodies == [BODY] * 2
        assert customer.kept == []
        eventually(lambda: not any((customer.root / "tmp").iterdir()), "it is left")


def test_what_would_not_leave_enough_room_is_passed_on(
    start_customer: StartCustomer, origin: ObjectRegistry
) -> None:
    digest = origin.add(REPOSITORY, BODY)
    with start_customer(BERTH_CACHE_MIN_FREE_BYTES=str(2**60)) as customer:
        assert [customer.blob(digest).body for _ in range(2)] == [BODY] * 2
        assert customer.kept == []
    with start_customer(BERTH_CACHE_BYTES=str(MIB)) as customer:
        assert [customer.blob(digest).body for _ in range(2)] == [BODY] * 2
        assert customer.kept == []
        assert customer.blob(origin.add(REPOSITORY, SMALL)).body == SMALL
        eventually(lambda: len(customer.kept) == 1, "the small one is not kept")


def test_a_directory_that_disappears_is_made_again(
    start_customer: StartCustomer, origin: ObjectRegistry
) -> None:
    digest = origin.add(REPOSITORY, BODY)
    with start_customer() as customer:
        customer.blob(digest)
        customer.until_kept(digest)

        shutil.rmtree(customer.root)

        assert customer.blob(digest).body == BODY
        customer.until_kept(digest)
        assert origin.times(digest) == 2


def test_large_blobs_are_served_by_the_edge_alone(
    start_customer: StartCustomer, origin: ObjectRegistry
) -> None:
    large, small = origin.add(REPOSITORY, BODY), origin.add(REPOSITORY, BODY[:MIB])
    with start_customer(BERTH_CACHE_NGINX_BYTES=str(MIB)) as customer:
        for digest in (large, small):
            customer.blob(digest)
            customer.until_kept(digest)

        tops = {
            path.name: path.relative_to(customer.root).parts[0]
            for path in customer.kept
        }
        assert tops == {large: "large", small: "objects"}
        assert customer.blob(large).body == BODY
        assert customer.blob(large, Range="bytes=5-9").body == BODY[5:10]
        assert origin.times(large) == 1


def test_an_edge_that_is_killed_keeps_nothing_of_what_it_had_begun(
    start_customer: StartCustomer, origin: ObjectRegistry
) -> None:
    digest, whole = origin.add(REPOSITORY, BODY), origin.add(REPOSITORY, SMALL)
    with start_customer() as customer:
        customer.blob(whole)
        customer.until_kept(whole)
        origin.pause_after = MIB
        response = customer.open(f"blobs/{digest}")
        assert response.read(1000) == BODY[:1000]
        os.kill(customer.edge.process.pid, signal.SIGKILL)
        with pytest.raises((urllib3.exceptions.ProtocolError, ConnectionError)):
            response.read()
    origin.reset_pace()

    with start_customer() as customer:
        assert not customer.is_kept(digest)
        assert customer.blob(digest).body == BODY
        assert customer.blob(whole).body == SMALL
        customer.until_kept(digest)

    assert origin.times(whole) == 1
    # The cache manager deletes it when it is old.
    assert len(list((customer.root / "tmp").iterdir())) == 1


def test_a_revocation_ends_a_download_from_disk(
    customer: Customer, origin: ObjectRegistry
) -> None:
    body = random_bytes(6, 64 * MIB)
    digest = origin.add(REPOSITORY, body)
    customer.blob(digest)
    customer.until_kept(digest)
    download = Download(customer.open(f"blobs/{digest}"))
    download.read_for(0.5)

    revoke(customer.vendor, customer.license)

    assert download.seconds_until_it_breaks_off() < SOON


@pytest.mark.parametrize("is_hot", [False, True], ids=["cold", "hot"])
def test_slow_readers_take_little_memory(
    start_customer: StartCustomer, origin: ObjectRegistry, is_hot: bool
) -> None:
    body = random_bytes(7, 128 * MIB)
    digest = origin.add(REPOSITORY, body)
    with start_customer() as customer:
        customer.edge.http = urllib3.PoolManager(retries=False, maxsize=50)
        customer.blob(origin.add(REPOSITORY, SMALL))
        if is_hot:
            customer.blob(digest)
            customer.until_kept(digest)
        before = memory(customer.edge)
        readers = [customer.open(f"blobs/{digest}") for _ in range(40)]
        for reader in readers:
            assert reader.read(1000) == body[:1000]
        customer.until_kept(digest)
        time.sleep(1)
        grown = memory(customer.edge) - before
        assert readers[0].read() == body[1000:]
        for reader in readers:
            reader.close()

    assert grown < 40 * MIB
    assert origin.times(digest) == 1


def memory(edge: EdgeClient) -> int:
    return int(psutil.Process(edge.process.pid).memory_info().rss)


def test_a_team_reserves_half_of_the_cache_at_most(
    start_customer: StartCustomer, origin: ObjectRegistry
) -> None:
    """An upstream may declare much, and then send little for long."""
    bodies = [random_bytes(seed, MIB + 9) for seed in (11, 12, 13)]
    first, second, others = (origin.add(REPOSITORY, body) for body in bodies)
    rival = create_vendor()
    rival.connect(origin.endpoint, "origin")
    origin.pause_after = 64 * 1024
    with start_customer(BERTH_CACHE_BYTES=str(4 * MIB)) as customer:
        other = Customer(customer.edge, rival, customer.root)
        downloads = [
            *(customer.open(f"blobs/{digest}") for digest in (first, second)),
            other.open(f"blobs/{others}"),
        ]
        drafts = [path.stat().st_size for path in (customer.root / "tmp").iterdir()]
        origin.go.set()

        assert [answer.read() for answer in downloads] == bodies
        customer.until_kept(first)
        other.until_kept(others)
        assert not customer.is_kept(second)
        assert drafts == [MIB + 9] * 2
        # What was reserved is free again.
        origin.reset_pace()
        assert customer.blob(second).body == bodies[1]
        customer.until_kept(second)
