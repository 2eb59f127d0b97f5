"""Many clients that pull, each one request after the other, and note what they see."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from threading import Event

import aiohttp
from aiohttp.connector import AddrInfoType

from bench.harness.load import Request
from bench.revocation.clock import Clock
from bench.revocation.generator import Pulls, Wanted
from bench.revocation.history import Answer, Kind, Route
from bench.revocation.plan import Plan
from bench.revocation.requests import Requests, granted_token

# Of a download's reader: what the kernel holds for it arrives after the edge broke off.
RECEIVE_BUFFER = 128 * 1024
_CHUNK = 64 * 1024
# A download is marked this often.
_MARK_SECONDS = 0.25
_FAILURES = (aiohttp.ClientError, OSError, TimeoutError)


@dataclass(slots=True)
class _Seen:
    """What one answer has brought so far."""

    status: int = 0
    first_byte: float = math.nan
    size: int = 0
    body: bytes = b""
    marks: list[float] = field(default_factory=list)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Clients:
    """Pulls until ``stopped``; every answer is added to ``answers``."""

    plan: Plan
    requests: Requests
    generator: Pulls
    random: Random
    clock: Clock
    answers: list[Answer]
    stopped: Event

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        async with _session() as session, asyncio.TaskGroup() as tasks:
            for _ in range(self.plan.clients):
                tasks.create_task(self._pull_on(session))
            for route in Route:
                tasks.create_task(self._download_on(session, route))

    async def _pull_on(self, session: aiohttp.ClientSession) -> None:
        rate = self.plan.requests_per_second / self.plan.clients
        while not self.stopped.is_set():
            await asyncio.sleep(self.random.expovariate(rate))
            await self._pull(session, self.generator.draw())

    async def _download_on(self, session: aiohttp.ClientSession, route: Route) -> None:
        while not self.stopped.is_set():
            await asyncio.sleep(self.random.random())
            wanted = self.generator.draw_download(route)
            self.generator.downloading.add(wanted.license)
            await self._pull(session, wanted)
            self.generator.downloading.discard(wanted.license)

    async def _pull(self, session: aiohttp.ClientSession, wanted: Wanted) -> None:
        old = self.requests.tokens.is_old(
            wanted.license, wanted.route, self.clock.now()
        )
        if old and wanted.kind is not Kind.TOKEN:
            token = Wanted(wanted.license, wanted.route, Kind.TOKEN, wanted.patience)
            await self._ask(session, token)
        await self._ask(session, wanted)

    async def _ask(self, session: aiohttp.ClientSession, wanted: Wanted) -> None:
        request, seen = self.requests.make(wanted), _Seen()
        sent = self.clock.now()
        try:
            await self._receive(session, request, wanted, seen)
        except _FAILURES as error:
            seen.error = type(error).__name__
        token = granted_token(seen.body) if wanted.kind is Kind.TOKEN else ""
        if token:
            self.requests.tokens.keep(wanted.license, wanted.route, token, sent)
        self.answers.append(
            Answer(
                wanted.route,
                wanted.kind,
                wanted.license,
                sent,
                self.clock.now(),
                seen.status,
                seen.first_byte,
                seen.size,
                bool(token),
                tuple(seen.marks),
                seen.error,
            )
        )

    async def _receive(
        self,
        session: aiohttp.ClientSession,
        request: Request,
        wanted: Wanted,
        seen: _Seen,
    ) -> None:
        is_download = wanted.kind is Kind.DOWNLOAD
        async with asyncio.timeout(wanted.patience) as patience:
            async with session.get(request.url, headers=request.headers) as response:
                seen.status = response.status
                while chunk := await response.content.read(_CHUNK):
                    self._note(seen, chunk, wanted)
                    if is_download:
                        self._be_patient(patience)
                        await self._keep_pace(seen)
                        if self.stopped.is_set():
                            break

    def _note(self, seen: _Seen, chunk: bytes, wanted: Wanted) -> None:
        now = self.clock.now()
        if math.isnan(seen.first_byte):
            seen.first_byte = now
        seen.size += len(chunk)
        if wanted.kind is Kind.TOKEN:
            seen.body += chunk
        if wanted.kind is Kind.DOWNLOAD and (
            not seen.marks or now - seen.marks[-1] >= _MARK_SECONDS
        ):
            seen.marks.append(now)

    def _be_patient(self, patience: asyncio.Timeout) -> None:
        # With a download for as long as it goes on.
        patience.reschedule(asyncio.get_running_loop().time() + 15)

    async def _keep_pace(self, seen: _Seen) -> None:
        due = seen.first_byte + seen.size / self.plan.download_pace
        await asyncio.sleep(max(0.0, due - self.clock.now()))


@asynccontextmanager
async def _session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0, socket_factory=_small_socket)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, auto_decompress=False
    ) as session:
        yield session


def _small_socket(address: AddrInfoType) -> socket.socket:
    family, kind, protocol = address[:3]
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    return made
