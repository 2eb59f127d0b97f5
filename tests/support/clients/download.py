"""A long download from an upstream of the tests, read slowly."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
import urllib3

from licenses.models import License
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor

DIGEST = "sha256:" + "a" * 64
# Five seconds, one for the decision's age, and much for two busy cores.
SOON = 20.0
PIECE = 2**16


@dataclass
class Download:
    """One GiB, read so slowly that it does not end."""

    response: urllib3.BaseHTTPResponse

    def read_for(self, seconds: float) -> None:
        """Read on; raises what a client sees if the download breaks off."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.response.read(PIECE), "it ended as if it were whole"
            time.sleep(0.02)

    def seconds_until_it_breaks_off(self) -> float:
        started = time.monotonic()
        with pytest.raises((urllib3.exceptions.ProtocolError, ConnectionError)):
            self.read_for(SOON)
        return time.monotonic() - started


def begin(edge: EdgeClient, vendor: Vendor, license: License) -> Download:
    """Begin one from the hostile upstream, which is connected as ``large``."""
    name = f"proxy/{vendor.application.slug}/large/flood/{license.pk.hex}"
    token = edge.token(license.license_id.reveal(), name)
    response = edge.http.request(
        "GET",
        f"http://{edge.host}/v2/{name}/blobs/{DIGEST}",
        headers={"Authorization": f"Bearer {token}"},
        preload_content=False,
    )
    assert response.status == 200
    return Download(response)
