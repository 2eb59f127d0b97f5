"""The five places that serve the same images, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import urllib3

from bench.harness.client import bearer, content_request, fetch, token_request
from bench.harness.load import Request
from bench.harness.servers import Server
from bench.pulls.images import REPOSITORY, TAG, Images
from bench.pulls.registries import Registries
from bench.pulls.vendor import APPLICATION, OPEN, WITH_TOKENS
from portal.crypto.secrets import Secret

DIRECT = "Upstream directly"
MIRROR = "Distribution's cache"
EDGE = "Edge"
EDGE_PASSING_ON = "Edge, always asking the upstream"
EDGE_WITH_TOKENS = "The same, upstream asks for tokens"

# The edge keeps small content by digest for a minute, but answers no conditional
# request from memory. No upstream has this tag, so it still sends the whole content.
PAST_THE_EDGES_MEMORY = {"If-None-Match": '"none"'}

BLOB = "1 KB blob"
BY_TAG = "Manifest by tag"
BY_DIGEST = "Manifest by digest"
LARGE_BLOB = "Large blob"
KINDS = (BLOB, BY_TAG, BY_DIGEST)


@dataclass(frozen=True, slots=True)
class Target:
    """A server to pull from; ``authorize`` returns fresh headers for it."""

    name: str
    server: Server
    repository: str
    authorize: Callable[[], dict[str, str]]

    def request(self, kind: str, images: Images) -> Request:
        path = {
            BLOB: f"blobs/{images.small_blob}",
            BY_TAG: f"manifests/{TAG}",
            BY_DIGEST: f"manifests/{images.manifest}",
            LARGE_BLOB: f"blobs/{images.large_blob}",
        }[kind]
        return content_request(
            self.server.host, self.repository, path, self.authorize()
        )


def make_targets(
    registries: Registries, edge: Server, license_id: Secret
) -> list[Target]:
    """Return all targets, in the order of the report."""

    def through_edge(name: str, slug: str, headers: dict[str, str]) -> Target:
        repository = proxied(slug, REPOSITORY)
        request = token_request(edge.host, license_id, repository)

        def authorize() -> dict[str, str]:
            # Tokens expire after five minutes, before the run ends.
            with urllib3.PoolManager() as pool:
                return bearer(fetch(pool, request)) | headers

        return Target(name, edge, repository, authorize)

    return [
        Target(DIRECT, registries.upstream, REPOSITORY, dict),
        Target(MIRROR, registries.mirror, REPOSITORY, dict),
        through_edge(EDGE, OPEN, {}),
        through_edge(EDGE_PASSING_ON, OPEN, PAST_THE_EDGES_MEMORY),
        through_edge(EDGE_WITH_TOKENS, WITH_TOKENS, PAST_THE_EDGES_MEMORY),
    ]


def proxied(registry_slug: str, repository: str) -> str:
    """Return the name of a vendor's repository on the edge."""
    return f"proxy/{APPLICATION}/{registry_slug}/{repository}"
