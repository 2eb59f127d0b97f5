"""Without a disk cache, too, nobody gets all of what differs from its digest."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import urllib3

from oci.media_types import OCI_MANIFEST
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.objects.bodies import random_bytes
from tests.support.objects.object_registry import ObjectRegistry, Stored, digest_of
from tests.support.rows.vendor import Vendor

REPOSITORY = "org/api"
LARGE = random_bytes(21, 2 * 2**20 + 7)
WRONG = LARGE[:-1] + bytes([LARGE[-1] ^ 1])
SMALL, OTHER = b'{"small": true}', b'{"small": null}'


@dataclass
class Customer:
    """A customer of a vendor whose registry is the origin of a test."""

    edge: EdgeClient
    name: str
    token: str

    def get(self, rest: str, method: str = "GET", **headers: str) -> Answer:
        return self.edge.get(
            self.name, rest, self.token, method=method, headers=headers
        )

    def download(self, rest: str) -> tuple[bytes, bool]:
        """Return what arrives of a body, and whether it is finished."""
        got = b""
        with self.edge.http.request(
            "GET",
            f"http://{self.edge.host}/v2/{self.name}/{rest}",
            headers={"Authorization": f"Bearer {self.token}"},
            preload_content=False,
        ) as response:
            assert response.status == 200
            try:
                while piece := response.read(65536):
                    got += piece
            except (urllib3.exceptions.ProtocolError, ConnectionError):
                return got, False
        return got, True


@pytest.fixture
def customer(edge: EdgeClient, vendor: Vendor, origin: ObjectRegistry) -> Customer:
    vendor.connect(origin.endpoint, "origin")
    name = f"proxy/{vendor.application.slug}/origin/{REPOSITORY}"
    token = edge.token(vendor.license().license_id.reveal(), name)
    return Customer(edge, name, token)


def replace(origin: ObjectRegistry, digest: str, body: bytes) -> None:
    """Have a registry send other bytes under a digest."""
    origin.objects[REPOSITORY, digest] = Stored(OCI_MANIFEST, body)


@pytest.mark.parametrize("is_chunked", [False, True], ids=["declared", "chunked"])
def test_a_large_blob_of_other_bytes_breaks_off_before_its_end(
    customer: Customer, origin: ObjectRegistry, is_chunked: bool
) -> None:
    digest = origin.add(REPOSITORY, LARGE)
    origin.is_chunked = is_chunked
    assert customer.download(f"blobs/{digest}") == (LARGE, True)
    replace(origin, digest, WRONG)

    got, is_finished = customer.download(f"blobs/{digest}")

    assert not is_finished
    assert WRONG.startswith(got)
    assert len(got) < len(WRONG)


@pytest.mark.parametrize("kind", ["blobs", "manifests"])
def test_other_bytes_that_are_read_whole_are_a_sentence(
    customer: Customer, origin: ObjectRegistry, kind: str
) -> None:
    digest = digest_of(SMALL)
    replace(origin, digest, OTHER)

    answers = [customer.get(f"{kind}/{digest}") for _ in range(2)]

    for answer in answers:
        assert (answer.status, answer.error[0]) == (502, "UNAVAILABLE")
        assert "sent other bytes than the digest promises" in answer.error[1]
    # Nothing was remembered.
    assert origin.times(digest) == 2
    replace(origin, digest, SMALL)
    assert customer.get(f"{kind}/{digest}").body == SMALL


@pytest.mark.parametrize("body", [LARGE, SMALL], ids=["large", "small"])
def test_what_carries_no_whole_body_passes(
    customer: Customer, origin: ObjectRegistry, body: bytes
) -> None:
    digest = origin.add(REPOSITORY, body)

    head = customer.get(f"blobs/{digest}", "HEAD")
    part = customer.get(f"blobs/{digest}", Range="bytes=3-9")

    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(body))
    assert (part.status, part.body) == (206, body[3:10])
    assert part.headers["Content-Range"] == f"bytes 3-9/{len(body)}"


def test_all_bytes_are_checked_although_a_range_was_asked_for(
    customer: Customer, origin: ObjectRegistry
) -> None:
    digest = origin.add(REPOSITORY, SMALL)
    origin.ignores_ranges = True
    right = customer.get(f"blobs/{digest}", Range="bytes=3-9")
    replace(origin, digest, OTHER)

    wrong = customer.get(f"blobs/{digest}", Range="bytes=3-9")

    assert (right.status, right.body) == (200, SMALL)
    assert (wrong.status, wrong.error[0]) == (502, "UNAVAILABLE")
