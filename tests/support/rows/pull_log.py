"""Lines as nginx logs them (deploy/nginx/berth/pulls.conf)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from oci.media_types import OCI_INDEX, OCI_MANIFEST

INDEX, CHILD, SINGLE, BLOB = (f"sha256:{name * 64}" for name in "1234")
AT = 1_780_000_000.25


@dataclass
class LogLines:
    """Makes lines of one holder's pulls; each is a tenth of a second later."""

    pull: str
    name: str = "proxy/my-app/sample/my-org/api"
    at: float = AT
    place: str = ""

    def line(self, named: str, **changes: Any) -> str:
        self.at = round(self.at + 0.1, 3)
        fields = {
            "time": self.at,
            "pull": self.pull,
            "method": "GET",
            "name": self.name,
            "kind": "manifests",
            "reference": named,
            "status": 200,
            "type": OCI_MANIFEST,
            "digest": named if ":" in named else SINGLE,
            "bytes": 500,
            "cache": "miss",
            "stale": False,
            "place": self.place,
        }
        return json.dumps(fields | changes, separators=(",", ":")) + "\n"

    def index(self, named: str, **changes: Any) -> str:
        fields = {"type": OCI_INDEX, "digest": INDEX}
        return self.line(named, **(fields | changes))

    def blob(self, **changes: Any) -> str:
        return self.line(
            BLOB, **({"kind": "blobs", "type": "", "bytes": 10_000} | changes)
        )

    def docker(self) -> str:
        """Return a pull by docker: HEAD of a tag, its index, a child and a blob."""
        return (
            self.index("v1", method="HEAD", bytes=0)
            + self.index(INDEX)
            + self.line(CHILD)
            + self.blob()
        )

    def podman(self) -> str:
        return self.index("v1") + self.line(CHILD) + self.blob(cache="hit")
