"""First pulls: license, repository and upstream are new to the edge.

The upstream requires tokens, so a first manifest costs a decision in the database, a
refused request, a token from the upstream's token service and the request itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import urllib3

from bench.harness.client import bearer, content_request, fetch, token_request
from bench.harness.rounds import say, timed
from bench.harness.servers import Server, Servers, running_edge
from bench.pulls.images import TAG, Images
from bench.pulls.plan import Plan
from bench.pulls.targets import proxied
from bench.pulls.vendor import WITH_TOKENS, Vendor


@dataclass(frozen=True, slots=True)
class FirstPull:
    """Milliseconds that the token took, and then the manifest."""

    token_ms: float
    manifest_ms: float


def measure_cold(
    servers: Servers, edge: Server, vendor: Vendor, images: Images, plan: Plan
) -> dict[str, list[FirstPull]]:
    """Pull every repository once, each with a license of its own.

    Return the pulls through new edges, and those through one that has been running.
    """
    warm_up, *repositories = images.repositories
    _first_pull(edge, vendor, warm_up)
    say(f"First pulls through {plan.fresh_edges} new edges …")
    fresh, rest = repositories[: plan.fresh_edges], repositories[plan.fresh_edges :]
    through_new_edges = []
    for repository in fresh:
        with running_edge(servers.environment, servers.directory) as new_edge:
            through_new_edges.append(_first_pull(new_edge, vendor, repository))
    say(f"First pulls of {plan.new_pairs} licenses and repositories …")
    return {
        "A new edge": through_new_edges,
        "A new license and repository": [
            _first_pull(edge, vendor, repository) for repository in rest
        ],
    }


def _first_pull(edge: Server, vendor: Vendor, repository: str) -> FirstPull:
    name = proxied(WITH_TOKENS, repository)
    license_id = vendor.issue_license()
    with urllib3.PoolManager() as pool:
        request = token_request(edge.host, license_id, name)
        token, token_ms = timed(partial(fetch, pool, request))
        request = content_request(edge.host, name, f"manifests/{TAG}", bearer(token))
        _, manifest_ms = timed(partial(fetch, pool, request))
    return FirstPull(token_ms, manifest_ms)
