"""nginx serves the disk cache as the edge would, and asks no more than who may."""

from __future__ import annotations

import json
import time

import pytest

from tests.e2e.data_plane.conftest import MISS, DataPlane, Puller
from tests.support.servers.hostile_upstream import SMALL_DIGEST, HostileUpstream
from tests.support.stacks.disk_cache import ENDINGS, put_manifest

CONTENT = bytes(range(256)) * 40
LAST = len(CONTENT) - 1


def test_a_hit_asks_neither_upstream_nor_edge_for_content(
    plane: DataPlane, puller: Puller, upstream: HostileUpstream
) -> None:
    digest = puller.keep(CONTENT)
    before = plane.asked("/v2/_pull")

    answers = [puller.get(f"blobs/{digest}") for _ in range(20)]

    assert [item.body for item in answers] == [CONTENT] * 20
    assert upstream.requests == []
    assert plane.asked(puller.path(f"blobs/{digest}")) == 0
    assert 1 <= plane.asked("/v2/_pull") - before <= 3


def test_the_decision_is_asked_for_once_in_0_8_seconds(
    plane: DataPlane, puller: Puller
) -> None:
    digest = puller.keep(CONTENT)
    before = plane.asked("/v2/_pull")
    started = time.monotonic()

    while (took := time.monotonic() - started) < 2.5:
        assert puller.get(f"blobs/{digest}").body == CONTENT

    # One asks a little before the time is over.
    assert plane.asked("/v2/_pull") - before <= took / 0.7 + 1


def test_a_blob_has_the_headers_of_the_edge(puller: Puller) -> None:
    digest = puller.keep(CONTENT)

    get = puller.get(f"blobs/{digest}")
    head = puller.get(f"blobs/{digest}", "HEAD")

    for answer in (get, head):
        assert answer.status == 200
        headers = {name.lower(): value for name, value in answer.headers.items()}
        del headers["date"], headers["x-request-id"]
        assert headers == {
            "server": "nginx",
            "connection": "keep-alive",
            "content-length": str(len(CONTENT)),
            "content-type": "application/octet-stream",
            "docker-content-digest": digest,
            "docker-distribution-api-version": "registry/2.0",
            "etag": f'"{digest}"',
            "accept-ranges": "bytes",
        }
    assert (get.body, head.body) == (CONTENT, b"")


@pytest.mark.parametrize("media_type", ENDINGS)
def test_a_manifest_has_its_own_type(
    plane: DataPlane, puller: Puller, media_type: str
) -> None:
    content = json.dumps({"mediaType": media_type}).encode()
    digest = put_manifest(plane.cache, puller.place, content, media_type)

    get = puller.get(f"manifests/{digest}")
    head = puller.get(f"manifests/{digest}", "HEAD")

    assert get.body == content
    for answer in (get, head):
        assert answer.headers["Content-Type"] == media_type
        assert answer.headers["Docker-Content-Digest"] == digest
        assert answer.headers["Content-Length"] == str(len(content))


def test_a_query_changes_nothing(puller: Puller) -> None:
    digest = puller.keep(CONTENT)

    assert puller.get(f"blobs/{digest}?ns=registry.example").body == CONTENT


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=100-299", 100, 299),
        ("bytes=9000-", 9000, LAST),
        ("bytes=-5", LAST - 4, LAST),
        (f"bytes=9000-{10**9}", 9000, LAST),
    ],
)
def test_ranges_of_a_hit(puller: Puller, wanted: str, first: int, last: int) -> None:
    digest = puller.keep(CONTENT)

    answer = puller.get(f"blobs/{digest}", headers={"Range": wanted})

    assert (answer.status, answer.body) == (206, CONTENT[first : last + 1])
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(CONTENT)}"
    assert answer.headers["Docker-Content-Digest"] == digest


def test_a_range_outside_the_blob(
    plane: DataPlane, puller: Puller, upstream: HostileUpstream
) -> None:
    digest = puller.keep(CONTENT)

    answer = puller.get(f"blobs/{digest}", headers={"Range": f"bytes={len(CONTENT)}-"})

    assert (answer.status, answer.error[0]) == (416, "RANGE_INVALID")
    assert answer.headers.getlist("Content-Range") == [f"bytes */{len(CONTENT)}"]
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers.getlist("Docker-Distribution-Api-Version") == ["registry/2.0"]
    assert upstream.requests == []


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "items=0-1", "none"])
def test_a_range_that_is_not_understood_gets_the_whole(
    puller: Puller, wanted: str
) -> None:
    digest = puller.keep(CONTENT)

    answer = puller.get(f"blobs/{digest}", headers={"Range": wanted})

    assert (answer.status, answer.body) == (200, CONTENT)


def test_a_download_goes_on_only_with_the_same_content(puller: Puller) -> None:
    digest = puller.keep(CONTENT)

    same, other, dated = (
        puller.get(
            f"blobs/{digest}", headers={"Range": "bytes=10-19", "If-Range": value}
        )
        for value in (
            f'"{digest}"',
            f'"{SMALL_DIGEST}"',
            "Thu, 01 Jan 1970 00:00:01 GMT",
        )
    )

    assert (same.status, same.body) == (206, CONTENT[10:20])
    assert (other.status, other.body) == (200, CONTENT)
    assert (dated.status, dated.body) == (200, CONTENT)


def test_what_a_client_already_has_is_not_sent(
    puller: Puller, upstream: HostileUpstream
) -> None:
    digest = puller.keep(CONTENT)

    same = puller.get(f"blobs/{digest}", headers={"If-None-Match": f'"{digest}"'})
    other = puller.get(f"blobs/{digest}", headers={"If-None-Match": '"x"'})
    dated = puller.get(
        f"blobs/{digest}",
        headers={"If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"},
    )

    assert (same.status, same.body) == (304, b"")
    assert same.headers["ETag"] == f'"{digest}"'
    assert (other.status, other.body) == (200, CONTENT)
    assert (dated.status, dated.body) == (200, CONTENT)
    assert upstream.requests == []


def test_what_is_not_in_the_cache_is_the_edges(
    plane: DataPlane, puller: Puller, upstream: HostileUpstream
) -> None:
    answer = puller.get(f"blobs/{SMALL_DIGEST}")
    behind = plane.edge.get(puller.name, f"blobs/{SMALL_DIGEST}", puller.token)

    assert answer.body == behind.body == MISS
    for item in (answer, behind):
        for name in ("Date", "Server", "Connection", "X-Request-ID"):
            item.headers.pop(name, None)
    assert answer.headers == behind.headers
    assert len(upstream.requests_for("small")) == 1


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "OPTIONS"])
def test_a_hit_is_read_and_nothing_else(puller: Puller, method: str) -> None:
    digest = puller.keep(CONTENT)
    assert puller.get(f"blobs/{digest}").body == CONTENT

    answer = puller.get(f"blobs/{digest}", method)

    assert (answer.status, answer.error[0]) == (405, "UNSUPPORTED")
