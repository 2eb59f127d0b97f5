"""What every request of the edge shares, made when the server starts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

from django.conf import settings

from edge.proxy.decisions import Decisions
from edge.proxy.pull_counter import PullCounter
from edge.proxy.small_objects import SmallObjects
from edge.threads import DatabaseThreads
from edge.token.keys import SigningKey, load_roots
from edge.token.rate_limit import RateLimiter
from edge.token.registry_token import TokenIssuer, TokenVerifier
from portal.crypto.fields import encryption_keyring, lookup_keyring
from registries.upstream import UpstreamClient, upstream_client

TOKEN_THREADS = 4


@dataclass(frozen=True, slots=True)
class EdgeServices:
    threads: DatabaseThreads
    token_threads: DatabaseThreads
    limiter: RateLimiter
    issuer: TokenIssuer
    verifier: TokenVerifier
    upstream: UpstreamClient
    decisions: Decisions
    pulls: PullCounter
    small_objects: SmallObjects


@asynccontextmanager
async def edge_services() -> AsyncIterator[EdgeServices]:
    """Make the services, and end them in order: pulls are counted to the last."""
    # Read now, so that a wrong key stops the server and not the first pull.
    encryption_keyring()
    lookup_keyring()
    key = SigningKey.parse(settings.BERTH_TOKEN_SIGNING_KEY)
    roots = load_roots(settings.BERTH_TOKEN_ROOTS)
    # Names are looked up in the default executor; one slow name server must not
    # keep all others waiting.
    lookups = ThreadPoolExecutor(32, thread_name_prefix="edge-lookup")
    asyncio.get_running_loop().set_default_executor(lookups)
    threads = DatabaseThreads()
    # Apart from the decisions, so that a rush of logins does not delay pulls.
    token_threads = DatabaseThreads(TOKEN_THREADS)
    limiter = RateLimiter(settings.REDIS_URL)
    pulls = PullCounter(threads)
    writer = asyncio.create_task(pulls.write_for_ever())
    async with upstream_client() as upstream:
        yield EdgeServices(
            threads=threads,
            token_threads=token_threads,
            limiter=limiter,
            issuer=TokenIssuer(key),
            verifier=TokenVerifier(roots, settings.BERTH_PROXY_SERVICE),
            upstream=upstream,
            decisions=Decisions(threads),
            pulls=pulls,
            small_objects=SmallObjects(),
        )
    writer.cancel()
    await pulls.write()
    await limiter.close()
    await token_threads.close()
    await threads.close()
