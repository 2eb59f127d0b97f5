"""Several edges behind one nginx: each fetches objects of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.e2e.data_plane.conftest import DataPlane, in_front_of
from tests.support.clients.edge import EdgeClient
from tests.support.servers.canned_server import Answer, Request, http_server

TEAM = "00000000-0000-0000-0000-000000000001"
ALLOWED = {
    "X-Berth-Pull": f"{TEAM} license:{TEAM} {TEAM} {TEAM}",
    "X-Berth-Place": f"{TEAM}/{'a' * 32}",
}
CLIENTS = 4


def edge_named(name: str, seen: dict[str, set[str]]) -> Callable[[Request], Answer]:
    """Return an edge that allows everything, and notes what it is asked for."""

    def answer(request: Request) -> Answer:
        seen[request.address.path].add(name)
        return Answer(200, ALLOWED, b"the edge's")

    return answer


@pytest.mark.usefixtures("vendor")
@pytest.mark.parametrize("kind", ["blobs", "manifests"])
def test_all_who_want_an_object_reach_the_same_edge(
    plane: DataPlane, tmp_path: Path, kind: str
) -> None:
    """With a decision that nginx has just asked for, and with one it remembers."""
    seen: dict[str, set[str]] = defaultdict(set)
    digests = [f"sha256:{sha256(bytes([number])).hexdigest()}" for number in range(20)]
    with (
        http_server(edge_named("one", seen)) as one,
        http_server(edge_named("other", seen)) as other,
    ):
        edge = EdgeClient(f"localhost:{one}", plane.edge.process, plane.edge.log)
        with in_front_of(edge, tmp_path / "nginx", other_edge=other) as both:
            for digest in digests:
                for client in range(CLIENTS):
                    rest, token = f"{kind}/{digest}", f"{client}-of-{digest}"
                    for _ in range(2):
                        both.client.get("proxy/app/reg/repo", rest, token)

    assert seen.pop("/v2/_pull") == {"one", "other"}
    assert len(seen) == len(digests)
    assert [edges for edges in seen.values() if len(edges) > 1] == []
    assert set.union(*seen.values()) == {"one", "other"}
