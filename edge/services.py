"""What all requests of the edge share, made when the server starts."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

from cachetools import TTLCache
from django.conf import settings

from edge.decisions import Decisions
from edge.fair_threads import FairThreads
from edge.proxy.downloads import DOWNLOADS
from edge.proxy.small_objects import SmallObjects, small_objects
from edge.pull_counter import PullCounter
from edge.threads import DatabaseThreads
from edge.token_gate import TokenGate
from edge.turns import Turns
from portal.crypto.fields import encryption_keyring, lookup_keyring
from portal.limits.fair_share import FairShare
from registries.decision.credentials import Subject
from registries.decision.image import ImageAccess, authorize_image
from registries.decision.proxied_name import ProxiedName
from registries.decision.pull import AllowedImage, AllowedPull, Denied, authorize_pull
from registries.decision.sentences import LICENSE_LOGIN, UNKNOWN_LOGIN
from registries.tokens.registry_token import TokenIssuer, TokenVerifier
from registries.tokens.signing_keys import SigningKey, load_roots
from registries.upstream.client import UpstreamClient, upstream_client

DECISION_THREADS = 6
DOWNLOAD_THREADS = 2
TOKEN_THREADS = 4
PROBE_THREADS = 2
# Argon2 takes 100 MB and a processor for a moment.
PASSWORD_THREADS = 2
# As many as there are connections to Redis (CACHES in portal/settings.py).
COUNTING_THREADS = 8
# Pulls need not queue a check again so soon: it would not be made.
CHECK_QUEUED_SECONDS = 60
MAX_CHECKS_QUEUED = 10_000
# Of a registry and its cause: whether it follows a success.
ChecksQueued = TTLCache[tuple[uuid.UUID, bool], bool]


@dataclass(frozen=True, slots=True)
class EdgeServices:
    threads: FairThreads
    download_threads: FairThreads
    probe_threads: DatabaseThreads
    token_threads: FairThreads
    password_threads: FairThreads
    counting: ThreadPoolExecutor
    token_addresses: Turns
    issuer: TokenIssuer
    proxy_gate: TokenGate
    registry_gate: TokenGate
    upstream: UpstreamClient
    decisions: Decisions[ProxiedName, AllowedPull | Denied]
    download_decisions: Decisions[ProxiedName, AllowedPull | Denied]
    image_decisions: Decisions[ImageAccess, AllowedImage | Denied]
    pulls: PullCounter
    small_objects: SmallObjects
    checks_queued: ChecksQueued


@asynccontextmanager
async def edge_services() -> AsyncIterator[EdgeServices]:
    """Make the services, and end them in order, so that every pull is counted."""
    # Read now, so that a wrong key stops the server rather than the first pull.
    encryption_keyring()
    lookup_keyring()
    key = SigningKey.parse(settings.BERTH_TOKEN_SIGNING_KEY)
    proxy_gate, registry_gate = _token_gates()
    # The default executor looks names up; one slow name server must not delay others.
    lookups = ThreadPoolExecutor(32, thread_name_prefix="edge-lookup")
    asyncio.get_running_loop().set_default_executor(lookups)
    threads, download_threads, token_threads, password_threads = _database_threads()
    # Separate, so that readiness probes wait for no request.
    probe_threads = DatabaseThreads(PROBE_THREADS, name="probe")
    counting = ThreadPoolExecutor(COUNTING_THREADS, thread_name_prefix="edge-counting")
    pulls = PullCounter(threads)
    writer = asyncio.create_task(pulls.write_forever())
    async with upstream_client() as upstream:
        yield EdgeServices(
            threads=threads,
            download_threads=download_threads,
            token_threads=token_threads,
            probe_threads=probe_threads,
            password_threads=password_threads,
            counting=counting,
            token_addresses=_token_addresses(),
            issuer=TokenIssuer(key),
            proxy_gate=proxy_gate,
            registry_gate=registry_gate,
            upstream=upstream,
            decisions=Decisions(threads, _decide_pull),
            download_decisions=Decisions(download_threads, _decide_pull),
            image_decisions=Decisions(threads, authorize_image),
            pulls=pulls,
            small_objects=small_objects(),
            checks_queued=TTLCache(MAX_CHECKS_QUEUED, ttl=CHECK_QUEUED_SECONDS),
        )
    writer.cancel()
    await pulls.write()
    counting.shutdown()
    await password_threads.close()
    await token_threads.close()
    await probe_threads.close()
    await download_threads.close()
    await threads.close()


def _database_threads() -> tuple[FairThreads, FairThreads, FairThreads, FairThreads]:
    """Return the threads for decisions, for downloads, tokens and hashing passwords.

    Separate, so that a rush of logins does not delay decisions about pulls, nor a rush
    of pulls the end of downloads. A cluster of a thousand nodes may ask at once with
    one license.
    """
    decisions = FairShare("edge-decisions", total=4000, each=2000)
    tokens = FairShare("edge-token-requests", total=4000, each=2000)
    passwords = FairShare("edge-password-logins", total=30, each=10)
    # One for each download.
    downloads = FairShare(
        "edge-download-decisions", total=DOWNLOADS.total, each=DOWNLOADS.each
    )
    return (
        FairThreads(DECISION_THREADS, name="decision", each=3, share=decisions),
        FairThreads(DOWNLOAD_THREADS, name="download", each=1, share=downloads),
        FairThreads(TOKEN_THREADS, name="token", each=2, share=tokens),
        FairThreads(PASSWORD_THREADS, name="password", each=1, share=passwords),
    )


def _token_addresses() -> Turns:
    """Return the turns of addresses whose logins are not yet identified.

    A stranger has a new password for each request. A cluster of a thousand nodes may
    have one address.
    """
    share = FairShare("edge-token-addresses", total=4000, each=2000)
    return Turns(each=TOKEN_THREADS // 2, share=share)


def _token_gates() -> tuple[TokenGate, TokenGate]:
    """Return the gates of the proxy and of the private registry."""
    roots = load_roots(settings.BERTH_TOKEN_ROOTS)
    proxy, registry = settings.BERTH_PROXY_SERVICE, settings.BERTH_REGISTRY_SERVICE
    return (
        TokenGate(
            proxy,
            TokenVerifier(roots, proxy),
            advice=LICENSE_LOGIN,
        ),
        TokenGate(registry, TokenVerifier(roots, registry), advice=UNKNOWN_LOGIN),
    )


def _decide_pull(subject: Subject | None, name: ProxiedName) -> AllowedPull | Denied:
    return authorize_pull(subject, name.application, name.upstream, name.repository)
