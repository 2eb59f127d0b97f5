"""The first pull: nothing about the license, the repository or the upstream is known.

The upstream asks for tokens, so a first manifest costs a decision in the database, a
refused request, a token from the upstream's token service and the request itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import urllib3

from bench.harness.client import bearer, fetch, manifest_request, token_request
from bench.harness.servers import Edge, Servers, running_edge
from bench.pulls.images import TAG, Images
from bench.pulls.plan import Plan
from bench.pulls.rounds import Say
from bench.pulls.targets import proxied
from bench.pulls.vendor import WITH_TOKENS, Vendor


@dataclass(frozen=True, slots=True)
class FirstPull:
    """Milliseconds until a client had its token, and then its manifest."""

    token_ms: float
    manifest_ms: float


@dataclass(frozen=True, slots=True)
class Cold:
    """First pulls through edges just started, and through one that is running."""

    fresh_edges: list[FirstPull]
    new_pairs: list[FirstPull]


def measure_cold(
    servers: Servers, edge: Edge, vendor: Vendor, images: Images, plan: Plan, say: Say
) -> Cold:
    """Pull each of a number of repositories once, each with a license of its own."""
    repositories = iter(images.repositories)
    _first_pull(edge, vendor, next(repositories))
    say(f"First pulls through {plan.fresh_edges} edges just started …")
    fresh = []
    for _ in range(plan.fresh_edges):
        with running_edge(servers) as new_edge:
            fresh.append(_first_pull(new_edge, vendor, next(repositories)))
    say(f"First pulls of {plan.new_pairs} licenses and repositories …")
    return Cold(fresh, list(_pull_rest(edge, vendor, repositories)))


def _pull_rest(
    edge: Edge, vendor: Vendor, repositories: Iterator[str]
) -> Iterator[FirstPull]:
    for repository in repositories:
        yield _first_pull(edge, vendor, repository)


def median_first_pull(pulls: list[FirstPull]) -> FirstPull:
    return FirstPull(
        token_ms=median(each.token_ms for each in pulls),
        manifest_ms=median(each.manifest_ms for each in pulls),
    )


def _first_pull(edge: Edge, vendor: Vendor, repository: str) -> FirstPull:
    name = proxied(WITH_TOKENS, repository)
    license_id = vendor.another_license()
    with urllib3.PoolManager() as pool:
        started = time.perf_counter()
        answer = fetch(pool, token_request(edge.host, license_id, name))
        has_token = time.perf_counter()
        fetch(pool, manifest_request(edge.host, name, TAG, bearer(answer)))
        has_manifest = time.perf_counter()
    return FirstPull((has_token - started) * 1000, (has_manifest - has_token) * 1000)
