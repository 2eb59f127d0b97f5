"""The same over TLS and HTTP/2, which containerd and docker use."""

from __future__ import annotations

import subprocess

from licenses.services import revoke_license
from tests.e2e.data_plane.conftest import MISS, DataPlane, Puller
from tests.support.rows.vendor import Vendor
from tests.support.servers.hostile_upstream import SMALL_DIGEST

CONTENT = b"over HTTP/2 " * 10_000


def _get(plane: DataPlane, puller: Puller, path: str) -> tuple[str, str, bytes]:
    """Return version, status and body."""
    finished = subprocess.run(
        [
            *("curl", "--silent", "--http2", "--cacert", str(plane.authority)),
            *("--header", f"Authorization: Bearer {puller.token}"),
            *("--write-out", "%{stderr}%{http_version} %{response_code}"),
            f"https://{plane.tls}{puller.path(path)}",
        ],
        capture_output=True,
        check=True,
        timeout=60,
    )
    version, status = finished.stderr.decode().split()
    return version, status, finished.stdout


def test_hits_misses_and_refusals(
    plane: DataPlane, puller: Puller, counted: Vendor
) -> None:
    digest = puller.keep(CONTENT)

    asked = _get(plane, puller, f"blobs/{digest}")
    remembered = _get(plane, puller, f"blobs/{digest}")
    miss = _get(plane, puller, f"blobs/{SMALL_DIGEST}")
    revoke_license(actor=counted.actor, license=puller.license, reason="test")
    while (denied := _get(plane, puller, f"blobs/{digest}"))[1] == "200":
        pass

    assert asked == remembered == ("2", "200", CONTENT)
    assert miss == ("2", "200", MISS)
    assert denied[:2] == ("2", "401")
    assert b"This license was revoked" in denied[2]
