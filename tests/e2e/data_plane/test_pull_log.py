"""The log of pulls: a line for each answer to an allowed request, and no secret."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.local import images
from edge.pull_log.counting import LogCounter
from edge.pull_log.line import parse_line
from registries.models import ExternalRegistry
from tests.e2e.data_plane.conftest import DataPlane, Puller, in_front_of
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor
from tests.support.servers.canned_server import Answer, Request, http_server
from tests.support.stacks.disk_cache import put_manifest

CONTENT = b"counted" * 10_000
KEYS = (
    *("time", "request_id", "pull", "method", "name", "kind", "reference", "status"),
    *("type", "digest", "bytes", "cache", "stale", "place"),
)


def test_a_hit_is_one_line(plane: DataPlane, puller: Puller, counted: Vendor) -> None:
    digest = puller.keep(CONTENT)
    before = time.time()
    puller.get(f"blobs/{digest}?ns=secret-query")

    (line,) = plane.pulled(puller.name, 1)

    assert tuple(line) == KEYS
    assert before - 1 < line.pop("time") < time.time() + 1
    assert re.fullmatch("[0-9a-f]{32}", line.pop("request_id"))
    registry = ExternalRegistry.objects.get(team=counted.team)
    assert line == {
        "pull": (
            f"{counted.team.pk} license:{puller.license.pk} {registry.pk} "
            f"{puller.license.pk}"
        ),
        "method": "GET",
        "name": puller.name,
        "kind": "blobs",
        "reference": digest,
        "status": 200,
        "type": "application/octet-stream",
        "digest": digest,
        "bytes": len(CONTENT),
        "cache": "hit",
        "stale": False,
        "place": puller.place,
    }


def test_each_kind_of_answer_says_what_was_sent(
    plane: DataPlane, puller: Puller
) -> None:
    digest = puller.keep(CONTENT)
    manifest = put_manifest(plane.cache, puller.place, b"{}", images.INDEX)
    puller.get(f"blobs/{digest}", "HEAD")
    puller.get(f"blobs/{digest}", headers={"Range": "bytes=0-9"})
    puller.get(f"blobs/{digest}", headers={"If-None-Match": f'"{digest}"'})
    puller.get(f"manifests/{manifest}")

    lines = plane.pulled(puller.name, 4)

    assert [(item["method"], item["status"], item["bytes"]) for item in lines] == [
        ("HEAD", 200, 0),
        ("GET", 206, 10),
        ("GET", 304, 0),
        ("GET", 200, 2),
    ]
    assert (lines[-1]["kind"], lines[-1]["type"]) == ("manifests", images.INDEX)
    assert {item["cache"] for item in lines} == {"hit"}


@pytest.mark.parametrize("kind", ["tags", "referrers"])
def test_a_list_is_a_line_that_counts_bytes_and_no_pull(
    plane: DataPlane, tmp_path: Path, kind: str
) -> None:
    reference = "list" if kind == "tags" else f"sha256:{'1' * 64}"
    with _canned_plane(tmp_path, plane) as canned:
        canned.client.get("proxy/app/reg/repo", f"{kind}/{reference}", "t")
        canned.pulled("proxy/app/reg/repo", 1)
        (line,) = canned.pulls.read_bytes().splitlines()

    answer = parse_line(line)
    assert answer is not None
    usage = LogCounter().count([answer])
    assert not usage.pulls
    assert sum(usage.traffic.values()) == len(b"the edge's")


def test_no_secret_is_in_the_log(plane: DataPlane, puller: Puller) -> None:
    digest = puller.keep(CONTENT)
    secret = "query-secret-71c9"
    puller.get(f"blobs/{digest}?token={secret}", headers={"X-Secret": secret})
    plane.client.request("GET", puller.path(f"blobs/{digest}?_={puller.token}"))

    text = plane.pulls.read_text()

    assert digest in text
    assert secret not in text
    assert puller.token not in text
    assert puller.license.license_id.reveal() not in text
    assert "Bearer" not in text


def test_a_kill_loses_no_line(own_plane: DataPlane, puller: Puller) -> None:
    mine = Puller(own_plane, puller.license, puller.name, puller.token)
    digest = mine.keep(CONTENT)
    for _ in range(10):
        mine.get(f"blobs/{digest}")
    # Over the same connection, so after the lines of the requests before.
    own_plane.client.request("GET", "/")

    psutil.Process(own_plane.client.process.pid).kill()

    assert len(own_plane.pulled(mine.name)) == 10


TEAM = "00000000-0000-0000-0000-000000000001"
PULL = f"{TEAM} license:{TEAM} {TEAM} {TEAM}"
PLACE = f"{TEAM}/{'a' * 32}"
EDGE_ANSWERS = {
    "plain": {"X-Berth-Pull": PULL, "Docker-Content-Digest": "sha256:1"},
    "hit": {"X-Berth-Pull": PULL, "X-Berth-Cache": "hit", "X-Berth-Place": PLACE},
    "stale": {"X-Berth-Pull": PULL, "Warning": '110 - "Response is Stale"'},
    "refused": {},
    "list": {"X-Berth-Pull": PULL},
    f"sha256:{'1' * 64}": {"X-Berth-Pull": PULL},
}


def _edge_answer(request: Request) -> Answer:
    if request.address.path == "/v2/_pull":
        return Answer(200, {"X-Berth-Pull": PULL, "X-Berth-Place": PLACE})
    tag = request.address.path.rpartition("/")[2]
    headers = EDGE_ANSWERS.get(tag, {}) | {"Content-Type": images.MANIFEST}
    return Answer(200, headers, b"the edge's")


@contextmanager
def _canned_plane(directory: Path, plane: DataPlane) -> Iterator[DataPlane]:
    with http_server(_edge_answer) as port:
        edge = EdgeClient(f"localhost:{port}", plane.edge.process, plane.edge.log)
        with in_front_of(edge, directory / "nginx") as canned:
            yield canned


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("plain", {"cache": "miss", "digest": "sha256:1", "place": ""}),
        ("hit", {"cache": "hit", "digest": "", "place": PLACE}),
        ("stale", {"cache": "miss", "stale": True}),
    ],
)
def test_an_answer_of_the_edge_is_logged_as_the_edge_says(
    plane: DataPlane, tmp_path: Path, tag: str, expected: dict[str, Any]
) -> None:
    with _canned_plane(tmp_path, plane) as canned:
        answer = canned.client.get("proxy/app/reg/repo", f"manifests/{tag}", "t")

        (line,) = canned.pulled("proxy/app/reg/repo", 1)
    assert line["pull"] == PULL
    assert (line["kind"], line["reference"]) == ("manifests", tag)
    assert (line["type"], line["bytes"]) == (images.MANIFEST, len(b"the edge's"))
    assert {name: line[name] for name in expected} == expected
    assert not [name for name in answer.headers if name.lower().startswith("x-berth")]


def test_what_the_edge_does_not_count_is_not_logged(
    plane: DataPlane, tmp_path: Path
) -> None:
    """Even after an allowed question, if the edge then answers otherwise."""
    digest = f"sha256:{'0' * 64}"
    with _canned_plane(tmp_path, plane) as canned:
        for rest in ("manifests/refused", f"blobs/{digest}", f"manifests/{digest}"):
            answer = canned.client.get("proxy/app/reg/repo", rest, "t")
            assert answer.body == b"the edge's"

        assert canned.pulls.read_text() == ""


def test_a_name_cannot_break_a_line(plane: DataPlane, tmp_path: Path) -> None:
    with _canned_plane(tmp_path, plane) as canned:
        canned.client.get("proxy/app/reg/%22%5c%7f%c3%a9", "manifests/plain", "t")

        (line,) = canned.pulled('proxy/app/reg/"\\\x7fé', 1)
    assert line["reference"] == "plain"
