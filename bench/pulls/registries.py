"""The three registries of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.harness.distribution import running_distribution
from bench.harness.servers import Server, Servers
from deploy.local.demo_settings import REGISTRY_SERVICE
from deploy.local.registry import TokenAuth


@dataclass(frozen=True, slots=True)
class Registries:
    """Two upstreams and a mirror.

    ``upstream`` and ``token_upstream`` serve the same storage: the first is open, the
    second requires a token from Berth's token service. ``mirror`` is Distribution's
    own pull-through cache of ``upstream``.
    """

    upstream: Server
    token_upstream: Server
    mirror: Server


@contextmanager
def running_registries(servers: Servers) -> Iterator[Registries]:
    """Run all three registries.

    Raises:
        LocalStackError: a registry did not start.
    """
    directory, settings = servers.directory, servers.settings
    storage = directory / "images"
    token = TokenAuth(
        realm=f"http://{settings.portal_host}/v2/token",
        service=REGISTRY_SERVICE,
        issuer="berth",
        root_bundle=settings.signing / "root.crt",
    )
    with (
        running_distribution(
            directory / "upstream", storage, port=settings.sample_port
        ) as upstream,
        running_distribution(
            directory / "tokens", storage, port=settings.registry_port, token=token
        ) as token_upstream,
        running_distribution(
            directory / "mirror",
            directory / "mirrored",
            proxy_remote=f"http://{upstream.host}",
        ) as mirror,
    ):
        yield Registries(upstream, token_upstream, mirror)
