"""The places that serve the same images, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import urllib3

from bench.harness.client import bearer, content_request, fetch
from bench.harness.load import Request
from bench.harness.servers import Server
from bench.pulls.images import REPOSITORY, TAG, Images
from bench.pulls.places import Places
from bench.pulls.pullers import Puller, Tokens, seeded_repository
from bench.pulls.vendor import APPLICATION
from bench.revisions.calls import License

DIRECT = "Upstream directly"
MIRROR = "Distribution's pull-through cache"
BARE = "nginx, static files"
PLAIN_CACHE = "nginx, proxy_cache without decisions"
NGINX = "Berth behind nginx"
CROWD = "Berth behind nginx, different licenses"
EDGE_DISK = "Edge alone, with its disk cache"
EDGE_MEMORY = "Edge alone, from memory"
EDGE_PASSING_ON = "Edge alone, always asking the upstream"
BEFORE = "The same, commit before"

# The edge keeps small content by digest for a minute, but answers no conditional
# request from memory. No upstream has this tag, so it still sends the whole content.
PAST_THE_EDGES_MEMORY = {"If-None-Match": '"none"'}

BLOB = "1 KB blob"
BY_TAG = "Manifest by tag"
BY_DIGEST = "Manifest by digest"
LARGE_BLOB = "Large blob"
KINDS = (BLOB, BY_TAG, BY_DIGEST)

# A repository and the headers to pull from it.
Login = tuple[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Target:
    """A server to pull from; ``logins`` returns fresh ones."""

    name: str
    server: Server
    logins: Callable[[], Sequence[Login]] = lambda: [(REPOSITORY, {})]
    headers: Mapping[str, str] = field(default_factory=dict)

    def requests(self, kind: str, images: Images) -> list[Request]:
        """Return a request for each login."""
        path = {
            BLOB: f"blobs/{images.small_blob}",
            BY_TAG: f"manifests/{TAG}",
            BY_DIGEST: f"manifests/{images.manifest}",
            LARGE_BLOB: f"blobs/{images.large_blob}",
        }[kind]
        return [
            content_request(self.server.host, name, path, {**login, **self.headers})
            for name, login in self.logins()
        ]


def make_targets(
    places: Places, tokens: Tokens, crowd: Sequence[Puller], license: License
) -> list[Target]:
    """Return all targets, in the order of the report.

    ``license`` is one that the commit before knows.
    """
    berth = places.berth
    one, all_of_them = signed(tokens, crowd[:1]), signed(tokens, crowd)
    return [
        Target(DIRECT, places.registries.upstream),
        Target(MIRROR, places.registries.mirror),
        Target(BARE, places.bare_nginx),
        Target(PLAIN_CACHE, places.caching_nginx),
        Target(NGINX, berth.front, one),
        Target(CROWD, berth.front, all_of_them),
        Target(EDGE_DISK, berth.edge, one),
        Target(EDGE_MEMORY, berth.plain, one),
        Target(EDGE_PASSING_ON, berth.plain, one, PAST_THE_EDGES_MEMORY),
        Target(
            BEFORE,
            berth.before,
            partial(_asked, berth.before, license),
            PAST_THE_EDGES_MEMORY,
        ),
    ]


def signed(tokens: Tokens, pullers: Sequence[Puller]) -> Callable[[], list[Login]]:
    """Return the logins of licenses, with tokens by the issuer."""
    return lambda: [(item.repository, tokens.headers(item)) for item in pullers]


def _asked(edge: Server, license: License) -> list[Login]:
    """Return the login of a license, with a token from the edge itself."""
    repository = seeded_repository(license.application)
    with urllib3.PoolManager() as pool:
        token = fetch(pool, license.token_request(edge, repository))
    return [(repository, bearer(token))]


def proxied(registry_slug: str, repository: str) -> str:
    """Return the name of a vendor's repository on the edge."""
    return f"proxy/{APPLICATION}/{registry_slug}/{repository}"
