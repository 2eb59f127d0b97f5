"""Requests and answers of the edge, on top of ASGI."""

from __future__ import annotations

import asyncio
import json
from asyncio import FIRST_COMPLETED
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from edge.asgi_types import Message, Receive, Scope, Send
from oci.errors import ErrorCode, error_body
from oci.index import MAX_INDEX_BYTES, is_index
from portal.http.client_address import client_address, is_trusted_proxy, neighbourhood
from portal.http.draining import is_draining
from portal.limits.fair_share import ShareExceeded
from portal.logs.request_id import begin_request, current_request_id

T = TypeVar("T")
Headers = list[tuple[str, str]]
BODY_SECONDS = 30
# A client that reads nothing of a buffered answer for this long is disconnected. So is
# one that needs longer for the whole answer than this and the time at the slowest pace.
ANSWER_STALL_SECONDS = 20
ANSWER_BYTES_PER_SECOND = 64 * 1024
# What is handed to the server at once: as much as it holds before it makes us wait.
PIECE_BYTES = 64 * 1024
_CONDITIONS = ("range", "if-range", "if-none-match", "if-modified-since")
# All bytes of something, a part of it, or that the client has it already.
SUCCESS = frozenset({200, 206, 304})
API_VERSION = ("Docker-Distribution-Api-Version", "registry/2.0")


class RegistryError(Exception):
    """An answer in the OCI error form (distribution-spec, "Error Codes")."""

    def __init__(
        self,
        status: int,
        code: ErrorCode,
        message: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        detail: object | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = list(headers)
        self.detail = detail


def method_not_allowed(message: str, allowed: Iterable[str]) -> RegistryError:
    headers = [("Allow", ", ".join(allowed))]
    return RegistryError(405, ErrorCode.UNSUPPORTED, message, headers=headers)


def share_exceeded(error: ShareExceeded) -> RegistryError:
    """Return the answer to a client for which nothing of a resource is left."""
    whose = "of your requests" if error.is_own else "requests"
    return RegistryError(
        429 if error.is_own else 503,
        ErrorCode.TOOMANYREQUESTS if error.is_own else ErrorCode.UNAVAILABLE,
        f"Too many {whose} are being answered at the same time. Try again in "
        f"{error.retry_after} seconds.",
        headers=[("Retry-After", str(error.retry_after))],
    )


class ClientGone(Exception):  # noqa: N818 -- states the fact
    """The client closed its connection; nobody is left to answer."""


@dataclass(slots=True)
class Sent:
    """What was answered so far; ``index`` is the beginning of an index."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    size: int = 0
    index: bytearray | None = None

    def start(self, status: int, headers: Headers) -> None:
        self.status, self.headers = status, dict(headers)
        if is_index(self.headers.get("content-type", "")):
            self.index = bytearray()

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.index is not None and len(self.index) <= MAX_INDEX_BYTES:
            self.index += chunk


@dataclass(eq=False)
class Request:
    """One HTTP request, and how to answer it."""

    scope: Scope
    receive: Receive
    send: Send
    started: bool = field(default=False, init=False)
    sent: Sent = field(default_factory=Sent, init=False)
    # Headers for nginx, of whatever answer.
    log_headers: Headers = field(default_factory=list, init=False)
    # Whether the answer is from the disk cache.
    is_hit: bool = field(default=False, init=False)

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def path(self) -> str:
        return str(self.scope["path"])

    @cached_property
    def _headers(self) -> dict[str, list[str]]:
        headers: dict[str, list[str]] = {}
        for name, value in self.scope["headers"]:
            headers.setdefault(name.decode("latin-1"), []).append(
                value.decode("latin-1")
            )
        return headers

    def header(self, name: str) -> str:
        """Return a header's values joined as RFC 9110 section 5.3 allows, or ""."""
        return ", ".join(self._headers.get(name, ()))

    @property
    def wants_all(self) -> bool:
        """Return whether it asks for all bytes, whatever the client may have."""
        return not any(map(self.header, _CONDITIONS))

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        """Return the query's pairs.

        Raises:
            RegistryError: the query is not UTF-8, or has too many parts.
        """
        return parse_form(self.scope["query_string"])

    @cached_property
    def address(self) -> str:
        """Return the client's address, as far as proxies can be trusted."""
        trusted = settings.BERTH_TRUSTED_PROXIES
        forwarded = self.header("x-forwarded-for")
        return client_address(self._peer, forwarded, trusted) or "unknown"

    @cached_property
    def neighbourhood(self) -> str:
        """Return the address, or an IPv6 client's /64 network, for rate limits."""
        return neighbourhood(self.address)

    def begin(self) -> None:
        """Let all that is logged from here on name the request."""
        begin_request(self.header("x-request-id") if self.is_from_proxy else "")

    @cached_property
    def origin(self) -> str:
        """Return the ``scheme://host`` that the client used.

        Raises:
            RegistryError: the Host header names another host.
        """
        scheme = str(self.scope["scheme"])
        if self.is_from_proxy:
            forwarded = self.header("x-forwarded-proto")
            scheme = forwarded if forwarded in {"http", "https"} else scheme
        host = self.header("host").lower()
        domain, _ = split_domain_port(host)
        # A wildcard looks at the end alone: evil.test/x.example.com has it too.
        if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
            raise RegistryError(
                400,
                ErrorCode.UNSUPPORTED,
                "This host name is not served here. Check the registry's address.",
            )
        return f"{scheme}://{host}"

    @cached_property
    def is_from_proxy(self) -> bool:
        """Return whether a trusted proxy has sent it, for a client or by itself."""
        return is_trusted_proxy(self._peer, settings.BERTH_TRUSTED_PROXIES)

    @property
    def _peer(self) -> str:
        client = self.scope.get("client")
        return str(client[0]) if client else ""

    async def body(self, limit: int) -> bytes:
        """Read the whole body.

        Raises:
            RegistryError: it is larger than ``limit`` bytes, or takes too long.
            ClientGone: the client disconnected before the end.
        """
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await self._read_body(limit)
        except TimeoutError as error:
            raise RegistryError(
                408, ErrorCode.UNSUPPORTED, "The body did not arrive in time."
            ) from error

    async def _read_body(self, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise RegistryError(
                    413,
                    ErrorCode.SIZE_INVALID,
                    f"The body is larger than {limit} bytes.",
                )
            if not message.get("more_body"):
                return b"".join(parts)

    async def while_connected(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work whose body was read; drop it when the client disconnects.

        Raises:
            ClientGone: the client disconnected before the work was done.
        """
        leaving = asyncio.ensure_future(self._disconnected())
        working = asyncio.ensure_future(work)
        try:
            await asyncio.wait({working, leaving}, return_when=FIRST_COMPLETED)
            if not working.done():
                raise ClientGone
            return working.result()
        finally:
            leaving.cancel()
            working.cancel()

    async def _disconnected(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Send the status line and headers.

        Raises:
            ClientGone: the client read nothing of an earlier answer in time.
        """
        self.started = True
        await self._send_in_time(ANSWER_STALL_SECONDS, self._beginning(status, headers))

    def _beginning(self, status: int, headers: Iterable[tuple[str, str]]) -> Message:
        lowered = [
            (name.lower(), value) for name, value in (*headers, *self.log_headers)
        ]
        lowered.append(("x-request-id", current_request_id()))
        if is_draining():
            # The next request then comes on a connection to a process that stays.
            lowered.append(("connection", "close"))
        if self.log_headers and self.is_hit:
            lowered.append(("x-berth-cache", "hit"))
        self.sent.start(status, lowered)
        encoded = [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in lowered
        ]
        return {"type": "http.response.start", "status": status, "headers": encoded}

    async def send_chunk(self, chunk: bytes, *, more: bool) -> None:
        await self.send(_piece(chunk, more=more))
        self.sent.add(chunk)

    async def send_in_time(
        self, chunk: bytes, seconds: float, *, more: bool = True
    ) -> None:
        """Send a part of a body.

        Raises:
            ClientGone: the client read nothing in time, and was disconnected.
        """
        await self._send_in_time(seconds, _piece(chunk, more=more))

    async def _send_in_time(self, seconds: float, *messages: Message) -> None:
        """Disconnect the client if sending takes longer; raises ClientGone then."""
        try:
            async with asyncio.timeout(seconds):
                for message in messages:
                    await self.send(message)
                    self.sent.add(message.get("body", b""))
        except TimeoutError:
            raise self._gone() from None

    def _gone(self) -> ClientGone:
        # Without waiting for the client to read what the server still holds.
        self.scope["state"].get("disconnect", lambda: None)()
        return ClientGone()

    async def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer, or its headers alone for HEAD.

        Returns when the client has read nearly all, so that its size can be counted.

        Raises:
            ClientGone: the client read nothing for a while, or not all of it in time,
                and was disconnected.
        """
        length = ("Content-Length", str(len(body)))
        beginning = self._beginning(status, [*headers, length])
        if self.method == "HEAD":
            body = b""
        self.started = True
        if len(body) <= PIECE_BYTES:
            end = _piece(body, more=False)
            await self._send_in_time(ANSWER_STALL_SECONDS, beginning, end)
            return
        try:
            async with asyncio.timeout(
                ANSWER_STALL_SECONDS + len(body) / ANSWER_BYTES_PER_SECOND
            ):
                await self._send_in_time(ANSWER_STALL_SECONDS, beginning)
                await self._send_body(body)
        except TimeoutError:
            raise self._gone() from None

    async def _send_body(self, body: bytes) -> None:
        for begin in range(0, len(body), PIECE_BYTES):
            end = begin + PIECE_BYTES
            await self.send_in_time(
                body[begin:end], ANSWER_STALL_SECONDS, more=end < len(body)
            )

    async def answer_json(
        self, status: int, content: object, headers: Headers | None = None
    ) -> None:
        body = json.dumps(content, separators=(",", ":")).encode()
        kind = [("Content-Type", "application/json"), API_VERSION]
        await self.answer(status, [*kind, *(headers or [])], body)

    async def answer_error(self, error: RegistryError) -> None:
        body = error_body(error.code, error.message, error.detail)
        headers = [
            ("Content-Type", "application/json"),
            ("Cache-Control", "no-store"),
            API_VERSION,
            *error.headers,
        ]
        await self.answer(error.status, headers, body)


def _piece(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def parse_form(encoded: bytes) -> list[tuple[str, str]]:
    """Return the pairs of a query or a form body.

    Raises:
        RegistryError: it is not UTF-8, or has more than 100 parts.
    """
    try:
        return parse_qsl(
            encoded.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=100,
        )
    except ValueError as error:
        raise RegistryError(
            400, ErrorCode.UNSUPPORTED, "The parameters are not valid."
        ) from error
