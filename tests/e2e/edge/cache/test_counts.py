"""An edge with a disk cache counts pulls, its use of the cache, and stale answers."""

from __future__ import annotations

import json
import time
from typing import Any

from oci.media_types import OCI_INDEX, OCI_MANIFEST
from registries.models import CacheUse, LicenseTraffic, PullEvent
from tests.e2e.edge.cache.conftest import REPOSITORY, Customer
from tests.e2e.edge.conftest import eventually
from tests.support.clients.edge import Answer
from tests.support.objects.object_registry import ObjectRegistry, Stored, digest_of


def manifest(name: str) -> bytes:
    return json.dumps({"schemaVersion": 2, "layers": [], "name": name}).encode()


def push_index(origin: ObjectRegistry) -> tuple[str, list[str]]:
    """Store an index of two manifests as v1; return their digests."""
    children = [origin.add(REPOSITORY, manifest(name), OCI_MANIFEST) for name in "ab"]
    body = json.dumps({"manifests": [{"digest": digest} for digest in children]})
    index = Stored(OCI_INDEX, body.encode())
    for reference in ("v1", digest_of(index.body)):
        origin.objects[REPOSITORY, reference] = index
    return digest_of(index.body), children


def pulls(customer: Customer) -> dict[str, tuple[int, int]]:
    rows = PullEvent.objects.for_team(customer.vendor.team.pk).filter(outcome="allowed")
    return {row.reference: (row.count, row.stale) for row in rows}


def use(customer: Customer) -> dict[str, Any]:
    row = CacheUse.objects.for_team(customer.vendor.team.pk).get()
    return {"hits": row.hits, "misses": row.misses, "stale": row.stale_pulls}


def test_copies_of_all_platforms_count_once_from_disk_too(
    customer: Customer, origin: ObjectRegistry
) -> None:
    index, children = push_index(origin)
    sent: list[Answer] = []
    for _ in range(3):
        sent = [customer.get("manifests/v1")]
        sent += [customer.get(f"manifests/{digest}") for digest in children]
        assert [answer.status for answer in sent] == [200] * 3
        customer.until_kept(index)
        customer.until_kept(children[1])

    expected = {"v1": (3, 0)}
    eventually(lambda: pulls(customer) == expected, "not counted", 15)
    time.sleep(5.5)
    assert pulls(customer) == expected
    assert use(customer) == {"hits": 6, "misses": 3, "stale": 0}
    traffic = LicenseTraffic.objects.get(license=customer.license)
    assert traffic.bytes == 3 * sum(len(answer.body) for answer in sent)


def test_pulls_while_the_registry_is_down_are_counted_as_stale(
    customer: Customer, origin: ObjectRegistry
) -> None:
    index, _ = push_index(origin)
    customer.get("manifests/v1")
    customer.until_tagged(index)
    origin.status = 503
    assert customer.get("manifests/v1").headers["Warning"].startswith("110 ")

    eventually(lambda: pulls(customer) == {"v1": (2, 1)}, "not counted", 15)
    assert use(customer) == {"hits": 1, "misses": 1, "stale": 1}
