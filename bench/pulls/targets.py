"""Where the same images are pulled from, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import urllib3

from bench.harness.client import (
    bearer,
    blob_request,
    fetch,
    manifest_request,
    token_request,
)
from bench.harness.distribution import Distribution
from bench.harness.load import Request
from bench.harness.servers import Edge, Servers
from bench.pulls.images import REPOSITORY, TAG, Images
from bench.pulls.vendor import APPLICATION, OPEN, WITH_TOKENS, Vendor

DIRECT = "Upstream directly"
MIRROR = "Distribution's cache"
EDGE = "Edge"
EDGE_PASSING_ON = "Edge, always asking the upstream"
EDGE_WITH_TOKENS = "The same, upstream asks for tokens"

# The edge keeps small things by digest for a minute, but answers no conditional
# request from there. No upstream has this tag, so its answer is whole all the same.
PAST_THE_EDGES_MEMORY = {"If-None-Match": '"none"'}

BLOB = "1 KB blob"
BY_TAG = "Manifest by tag"
BY_DIGEST = "Manifest by digest"
KINDS = (BLOB, BY_TAG, BY_DIGEST)


@dataclass(frozen=True, slots=True)
class Target:
    """One place to pull from; ``authorize`` gives fresh headers to do it with."""

    name: str
    pid: int
    host: str
    repository: str
    authorize: Callable[[], dict[str, str]]

    def request(self, kind: str, images: Images) -> Request:
        headers = self.authorize()
        if kind == BLOB:
            return blob_request(self.host, self.repository, images.small_blob, headers)
        reference = TAG if kind == BY_TAG else images.manifest
        return manifest_request(self.host, self.repository, reference, headers)

    def large_blob(self, images: Images) -> Request:
        return blob_request(
            self.host, self.repository, images.large_blob, self.authorize()
        )


def make_targets(servers: Servers, edge: Edge, vendor: Vendor) -> list[Target]:
    """Return all targets, in the order of the report."""
    return [
        _open_target(DIRECT, servers, servers.upstream),
        _open_target(MIRROR, servers, servers.mirror),
        _edge_target(EDGE, edge, vendor, OPEN, {}),
        _edge_target(EDGE_PASSING_ON, edge, vendor, OPEN, PAST_THE_EDGES_MEMORY),
        _edge_target(
            EDGE_WITH_TOKENS, edge, vendor, WITH_TOKENS, PAST_THE_EDGES_MEMORY
        ),
    ]


def proxied(registry_slug: str, repository: str) -> str:
    """Return the name that a repository of the vendor has on the edge."""
    return f"proxy/{APPLICATION}/{registry_slug}/{repository}"


def _open_target(name: str, servers: Servers, registry: Distribution) -> Target:
    pid = servers.pids[registry.name]
    return Target(name, pid, registry.endpoint, REPOSITORY, dict)


def _edge_target(
    name: str, edge: Edge, vendor: Vendor, registry_slug: str, headers: dict[str, str]
) -> Target:
    repository = proxied(registry_slug, REPOSITORY)

    def authorize() -> dict[str, str]:
        # Tokens live five minutes, and a whole run takes longer.
        request = token_request(edge.host, vendor.license_id, repository)
        with urllib3.PoolManager() as pool:
            return bearer(fetch(pool, request)) | headers

    return Target(name, edge.process.pid, edge.host, repository, authorize)
