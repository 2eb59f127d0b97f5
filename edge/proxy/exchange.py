"""One allowed request to the proxy, and the upstream that can answer it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import aiohttp

from edge.bodies import BodyBroke, TooLate
from edge.http import SUCCESS, Request
from edge.proxy.refusals import refusal
from edge.proxy.route import Route
from edge.proxy.stream import Whole, relay
from edge.services import EdgeServices
from registries.decision.pull import AllowedPull, Denied, within_networks
from registries.pulls.events import queue_check
from registries.upstream.client import UpstreamRequest
from registries.upstream.errors import UpstreamError, UpstreamFault, UpstreamTimeout
from registries.upstream.target import UpstreamTarget, pull_target

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request with its decision; ``headers`` and ``query`` go to the upstream."""

    request: Request
    services: EdgeServices
    route: Route
    allowed: AllowedPull
    headers: Mapping[str, str]
    query: str

    @property
    def target(self) -> UpstreamTarget:
        return pull_target(self.allowed.registry)

    @property
    def wants_all(self) -> bool:
        """Return whether it is a GET of all bytes, whatever the client may have."""
        return self.request.method == "GET" and self.request.wants_all

    async def open(self, method: str = "") -> aiohttp.ClientResponse:
        """Send the request to the upstream; raises its UpstreamError."""
        return await self.services.upstream.open(
            self.target,
            UpstreamRequest(
                method=method or self.request.method,
                path=self.route.upstream_path(self.allowed.repository) + self.query,
                scope=f"repository:{self.allowed.repository}:pull",
                headers=self.headers,
            ),
        )

    async def ask(self, digest: str = "") -> Whole | None:
        """Answer as the upstream does; return the answer if it was read whole.

        With a ``digest``, no answer that differs from it is ever finished.

        Raises:
            UpstreamError, RegistryError: it refused, or did not answer.
        """
        response = await self.open()
        try:
            return await self.pass_on(response, digest)
        finally:
            response.close()

    async def pass_on(
        self, response: aiohttp.ClientResponse, digest: str = ""
    ) -> Whole | None:
        """Pass an open answer of the upstream on, as ``ask`` does."""
        if response.status not in SUCCESS:
            raise await refusal(response, self.route, self.allowed.repository)
        if response.status == 206 and "Range" not in self.headers:
            # A part of something: whether its bytes are right cannot be known.
            raise UpstreamFault(self.target, "sent a part, and was asked for all")
        self.note_success()
        coding = response.headers.getall("Content-Encoding", ())
        is_whole = response.status == 200 and set(coding) <= {"identity"}
        try:
            return await relay(
                self.request,
                response,
                self.route,
                self.allowed.subject,
                self.is_still_allowed,
                digest if is_whole else "",
            )
        except BodyBroke as error:
            raise self.broken(error) from error

    def broken(self, error: BodyBroke) -> UpstreamError:
        """Return the failure of an upstream that answered, but not to the end."""
        if isinstance(error, TooLate):
            return UpstreamTimeout(self.target)
        return UpstreamFault(self.target, str(error))

    def note_success(self) -> None:
        """Have the registry checked if a pull that worked shows that it recovered."""
        registry = self.allowed.registry
        if registry.is_disproved_by_pulls and self.route.pulled:
            self.check(registry.id, after_success=True)

    def check(self, registry_id: uuid.UUID, *, after_success: bool = False) -> None:
        """Queue a check, unless this process did for this cause within a minute."""
        queued = self.services.checks_queued
        if (registry_id, after_success) in queued:
            return
        queued[registry_id, after_success] = True
        check = partial(queue_check, registry_id, after_success=after_success)
        self.services.background.start(check)

    async def is_still_allowed(self) -> bool:
        """Decide once more; raises django.db.Error when that cannot be done."""
        subject, name = self.allowed.subject, self.route.name
        # Over a connection of its own: no request of the same login delays it.
        decision = within_networks(
            await self.services.download_decisions.decide(subject, name),
            self.request.address,
        )
        if isinstance(decision, Denied):
            logger.info(
                "Download denied: %s for %s by %s",
                *(decision.reason.value, name, decision.who),
            )
        return not isinstance(decision, Denied)
