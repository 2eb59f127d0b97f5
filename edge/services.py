"""What all requests of the edge share, made when the server starts."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    aclosing,
    asynccontextmanager,
)
from dataclasses import dataclass

from cachetools import TTLCache
from django.conf import settings

from edge.cache.disk_cache import DiskCache, disk_cache
from edge.counts import MinuteCounts
from edge.decisions import Decisions
from edge.facts import FactsSource
from edge.proxy.downloads import DOWNLOADS
from edge.proxy.small_objects import SmallObjects, small_objects
from edge.pull_counter import PullCounter, counted_pulls
from edge.threads import DatabaseThreads, FairThreads
from edge.token.identities import IdentityLogins
from edge.token_gate import TokenGate
from edge.turns import Turns
from portal.crypto.fields import encryption_keyring, lookup_keyring
from portal.limits.fair_share import FairShare
from registries.decision.credentials import Subject
from registries.decision.image import ImageAccess, decide_image
from registries.decision.proxied_name import ProxiedName
from registries.decision.pull import AllowedImage, AllowedPull, Denied, decide_pull
from registries.decision.query import FactsQuery
from registries.decision.sentences import LICENSE_LOGIN, UNKNOWN_LOGIN
from registries.tokens.registry_token import TokenIssuer, TokenVerifier
from registries.tokens.signing_keys import SigningKey, load_roots
from registries.upstream.client import UpstreamClient, upstream_client

# Each carries many questions at once.
DECISION_CONNECTIONS = 2
DOWNLOAD_CONNECTIONS = 1
TOKEN_CONNECTIONS = 2
# Of the questions that are answered at a time: less than half of a connection's.
QUESTIONS_OF_HOLDER = 15
# Counting pulls, queueing checks and the like, for which no client waits.
BACKGROUND_THREADS = 2
PROBE_THREADS = 2
# Argon2 takes 100 MB and a processor for a moment.
PASSWORD_THREADS = 2
# Each login by workload token asks twice for a millisecond, and verifies a signature.
IDENTITY_THREADS = 4
# Pulls need not queue a check again so soon: it would not be made.
CHECK_QUEUED_SECONDS = 60
MAX_CHECKS_QUEUED = 10_000
# Of a registry and its cause: whether it follows a success.
ChecksQueued = TTLCache[tuple[uuid.UUID, bool], bool]
PullDecision = Callable[[Subject | None, ProxiedName], Awaitable[AllowedPull | Denied]]
ImageDecision = Callable[
    [Subject | None, ImageAccess], Awaitable[AllowedImage | Denied]
]


@dataclass(frozen=True, slots=True)
class EdgeServices:
    background: DatabaseThreads
    probe_threads: DatabaseThreads
    password_threads: FairThreads
    identities: IdentityLogins
    token_facts: FactsSource
    token_addresses: Turns
    counts: MinuteCounts
    issuer: TokenIssuer
    proxy_gate: TokenGate
    registry_gate: TokenGate
    upstream: UpstreamClient
    decisions: Decisions[ProxiedName, AllowedPull | Denied]
    download_decisions: Decisions[ProxiedName, AllowedPull | Denied]
    image_decisions: Decisions[ImageAccess, AllowedImage | Denied]
    pulls: PullCounter
    cache: DiskCache | None
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
    async with AsyncExitStack() as stack:
        use = stack.enter_async_context
        # Closed last: pulls are still counted.
        background = await use(_threads(BACKGROUND_THREADS, "background"))
        decision_facts, download_facts, token_facts = [
            await use(source) for source in _facts_sources()
        ]
        yield EdgeServices(
            background=background,
            # Separate, so that readiness probes wait for no request.
            probe_threads=await use(_threads(PROBE_THREADS, "probe")),
            password_threads=await use(_password_threads()),
            identities=IdentityLogins(await use(_identity_threads())),
            token_facts=token_facts,
            token_addresses=_token_addresses(),
            counts=await use(aclosing(MinuteCounts())),
            issuer=TokenIssuer(key),
            proxy_gate=proxy_gate,
            registry_gate=registry_gate,
            upstream=await use(upstream_client()),
            decisions=Decisions(_pull_decision(decision_facts)),
            download_decisions=Decisions(_pull_decision(download_facts)),
            image_decisions=Decisions(_image_decision(decision_facts)),
            pulls=await use(counted_pulls(background)),
            cache=await use(disk_cache()),
            small_objects=small_objects(),
            checks_queued=TTLCache(MAX_CHECKS_QUEUED, ttl=CHECK_QUEUED_SECONDS),
        )


def _threads(count: int, name: str) -> AbstractAsyncContextManager[DatabaseThreads]:
    return aclosing(DatabaseThreads(count, name=name))


def _password_threads() -> AbstractAsyncContextManager[FairThreads]:
    share = FairShare("edge-password-logins", total=30, each=10)
    return aclosing(FairThreads(PASSWORD_THREADS, name="password", each=1, share=share))


def _identity_threads() -> AbstractAsyncContextManager[FairThreads]:
    share = FairShare("edge-identity-logins", total=4000, each=2000)
    return aclosing(FairThreads(IDENTITY_THREADS, name="identity", each=2, share=share))


def _facts_sources() -> tuple[FactsSource, FactsSource, FactsSource]:
    """Return the sources for decisions, for downloads and for tokens.

    Separate, so that a rush of logins does not delay decisions about pulls, nor a rush
    of pulls the end of downloads. A cluster of a thousand nodes may ask at once with
    one license.
    """
    decisions = FairShare("edge-decisions", total=4000, each=2000)
    tokens = FairShare("edge-token-requests", total=4000, each=2000)
    # One for each download.
    downloads = FairShare(
        "edge-download-decisions", total=DOWNLOADS.total, each=DOWNLOADS.each
    )
    return (
        FactsSource(DECISION_CONNECTIONS, each=QUESTIONS_OF_HOLDER, share=decisions),
        FactsSource(DOWNLOAD_CONNECTIONS, each=QUESTIONS_OF_HOLDER, share=downloads),
        FactsSource(TOKEN_CONNECTIONS, each=QUESTIONS_OF_HOLDER, share=tokens),
    )


def _token_addresses() -> Turns:
    """Return the turns of addresses whose logins are not yet identified.

    A stranger has a new password for each request. A cluster of a thousand nodes may
    have one address.
    """
    share = FairShare("edge-token-addresses", total=4000, each=2000)
    return Turns(each=QUESTIONS_OF_HOLDER, share=share)


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


def _pull_decision(source: FactsSource) -> PullDecision:
    async def decide(
        subject: Subject | None, name: ProxiedName
    ) -> AllowedPull | Denied:
        facts = await source.fetch_for(subject, FactsQuery(subject, [name.wanted]))
        return decide_pull(facts, facts.images[0], name)

    return decide


def _image_decision(source: FactsSource) -> ImageDecision:
    async def decide(
        subject: Subject | None, access: ImageAccess
    ) -> AllowedImage | Denied:
        facts = await source.fetch_for(subject, FactsQuery(subject, [access.wanted]))
        return decide_image(facts, facts.images[0], access)

    return decide
