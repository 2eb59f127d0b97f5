"""First pulls: license, repository and upstream are new to the edge.

The upstream requires tokens, so a first manifest costs a decision in the database, a
refused request, a token from the upstream's token service and the request itself. The
blob after it is new to the edge too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import urllib3

from bench.harness.client import bearer, content_request, fetch, token_request
from bench.harness.rounds import say, timed
from bench.harness.servers import Server, running_edge
from bench.pulls.images import TAG, Images
from bench.pulls.plan import Plan
from bench.pulls.targets import proxied
from bench.pulls.vendor import WITH_TOKENS, Vendor


@dataclass(frozen=True, slots=True)
class FirstPull:
    """Milliseconds that the token took, then the manifest, then a layer of 1 KB."""

    token_ms: float
    manifest_ms: float
    blob_ms: float


@dataclass(frozen=True, slots=True)
class FirstPulls:
    """Pulls each repository once, each with a license of its own."""

    vendor: Vendor
    images: Images
    plan: Plan

    def measure(
        self,
        edge: Server,
        front: Server,
        environment: Mapping[str, str],
        directory: Path,
    ) -> dict[str, list[FirstPull]]:
        """Pull through new edges, then through running ones, alone and behind nginx."""
        repositories = iter(self.images.repositories)
        # The upstream's token service has answered before.
        self._pull(edge, next(repositories))
        fresh, pairs = self.plan.fresh_edges, self.plan.new_pairs
        say(f"First pulls through {fresh} new edges …")
        through_new_edges = []
        for _ in range(fresh):
            with running_edge(environment, directory) as new_edge:
                through_new_edges.append(self._pull(new_edge, next(repositories)))
        say(f"First pulls of {pairs} licenses and repositories …")
        alone = [self._pull(edge, next(repositories)) for _ in range(pairs)]
        behind = [self._pull(front, next(repositories)) for _ in range(pairs)]
        return {
            "A new edge": through_new_edges,
            "A new license and repository": alone,
            "The same, behind nginx": behind,
        }

    def _pull(self, server: Server, repository: str) -> FirstPull:
        name = proxied(WITH_TOKENS, repository)
        license_id = self.vendor.issue_license()
        with urllib3.PoolManager() as pool:
            request = token_request(server.host, license_id, name)
            token, token_ms = timed(partial(fetch, pool, request))
            headers = bearer(token)
            request = content_request(server.host, name, f"manifests/{TAG}", headers)
            manifest, manifest_ms = timed(partial(fetch, pool, request))
            layer = json.loads(manifest)["layers"][0]["digest"]
            request = content_request(server.host, name, f"blobs/{layer}", headers)
            _, blob_ms = timed(partial(fetch, pool, request))
        return FirstPull(token_ms, manifest_ms, blob_ms)
