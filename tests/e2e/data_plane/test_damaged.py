"""nginx gives out no file that changed after the edge had checked it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import urllib3

from tests.e2e.data_plane.conftest import DataPlane, Puller, in_front_of, puller_of
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor
from tests.support.servers.hostile_upstream import HostileUpstream
from tests.support.stacks.disk_cache import blob_file

CONTENT = b"layer" * 5000
SECRET = CONTENT + b"secret"


def _flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"L")


def _truncate(path: Path) -> None:
    os.truncate(path, 100)


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _replace(path: Path) -> None:
    path.unlink()
    path.write_bytes(CONTENT)


def _remove(path: Path) -> None:
    path.unlink()


def _make_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage",
    [_flip, _truncate, _empty, _append, _replace, _remove, _make_a_directory],
)
def test_a_file_that_changed_is_the_edges(
    plane: DataPlane,
    puller: Puller,
    upstream: HostileUpstream,
    damage: Callable[[Path], None],
) -> None:
    """The edge asks the upstream, which has the blob as JSON."""
    digest = puller.keep(CONTENT)
    upstream.blobs[digest] = CONTENT
    assert puller.get(f"blobs/{digest}").body == CONTENT

    damage(blob_file(plane.cache, puller.place, digest))
    answer = puller.get(f"blobs/{digest}")

    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["Content-Type"] == "application/json"
    assert "ETag" not in answer.headers
    assert len(answer.headers.getlist("Docker-Distribution-Api-Version")) == 1
    assert upstream.requests_for("small")


def test_a_range_and_a_condition_of_a_file_that_changed(
    plane: DataPlane, puller: Puller, upstream: HostileUpstream
) -> None:
    """The upstream of this test knows neither, and sends everything."""
    digest = puller.keep(CONTENT)
    upstream.blobs[digest] = CONTENT
    _flip(blob_file(plane.cache, puller.place, digest))

    ranged = puller.get(f"blobs/{digest}", headers={"Range": "bytes=0-9"})
    same = puller.get(f"blobs/{digest}", headers={"If-None-Match": f'"{digest}"'})

    for answer in (ranged, same):
        assert (answer.status, answer.body) == (200, CONTENT)
    assert len(upstream.requests_for("small")) == 2


@pytest.mark.parametrize("cut", [_truncate, _empty])
def test_a_file_that_is_cut_while_it_is_sent_breaks_off(
    plane: DataPlane, puller: Puller, cut: Callable[[Path], None]
) -> None:
    # More than all buffers on the way.
    digest = puller.keep(CONTENT * 2000)
    with begun(puller, digest) as response:
        assert response.read(1000) == (CONTENT * 2)[:1000]

        cut(blob_file(plane.cache, puller.place, digest))

        with pytest.raises(urllib3.exceptions.ProtocolError):
            response.read()


def test_nginx_that_is_killed_while_it_sends_breaks_off(
    own_plane: DataPlane, counted: Vendor
) -> None:
    puller = puller_of(own_plane, counted)
    digest = puller.keep(CONTENT * 2000)
    with begun(puller, digest) as response:
        assert response.read(1000) == (CONTENT * 2)[:1000]

        psutil.Process(own_plane.client.process.pid).kill()

        with pytest.raises(urllib3.exceptions.ProtocolError):
            response.read()


def test_an_edge_that_is_killed_does_not_end_what_nginx_sends(
    own_plane: DataPlane, counted: Vendor
) -> None:
    puller = puller_of(own_plane, counted)
    digest = puller.keep(CONTENT * 2000)
    with begun(puller, digest) as response:
        first = response.read(1000)

        psutil.Process(own_plane.edge.process.pid).kill()

        assert first + response.read() == CONTENT * 2000


@contextmanager
def begun(puller: Puller, digest: str) -> Iterator[urllib3.BaseHTTPResponse]:
    """Begin a download that nginx cannot have sent to its end."""
    with puller.plane.client.http.request(
        "GET",
        f"http://{puller.plane.client.host}{puller.path(f'blobs/{digest}')}",
        headers=puller.bearer,
        preload_content=False,
    ) as response:
        assert response.status == 200
        yield response


def test_a_file_that_nginx_may_not_read(
    edge: EdgeClient, counted: Vendor, upstream: HostileUpstream, tmp_path: Path
) -> None:
    # Root may otherwise read every file.
    drop = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    command = drop if os.geteuid() == 0 else ()
    with in_front_of(edge, tmp_path / "nginx", command) as plane:
        puller = puller_of(plane, counted)
        readable, secret = puller.keep(CONTENT), puller.keep(SECRET)
        upstream.blobs[secret] = SECRET
        blob_file(plane.cache, puller.place, secret).chmod(0)

        assert puller.get(f"blobs/{readable}").body == CONTENT
        assert upstream.requests == []
        assert puller.get(f"blobs/{secret}").body == SECRET
        assert len(upstream.requests_for("small")) == 1
