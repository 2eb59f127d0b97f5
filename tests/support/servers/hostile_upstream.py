"""A registry that misbehaves on demand: the repository's name says how.

It speaks HTTP over raw sockets, because real servers would not do these things.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

BODY_SECRET = "upstream-internal-secret-7b1f"
CHUNK = b"x" * 65536


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class HostileUpstream:
    """What tests read: requests, answers under way, bytes sent by behaviour."""

    port: int
    host: str = "127.0.0.1"
    requests: list[Seen] = field(default_factory=list)
    answering: int = 0
    sent: dict[str, int] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return f"{self.host}:{self.port}"

    def requests_for(self, behaviour: str) -> list[Seen]:
        return [seen for seen in self.requests if f"/{behaviour}/" in seen.path]


@contextlib.contextmanager
def hostile_upstream(
    port: int, *, host: str = "127.0.0.1", elsewhere: str = ""
) -> Iterator[HostileUpstream]:
    """Run the server in a thread; ``elsewhere`` is where it points others to."""
    state = HostileUpstream(port, host)
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()

    async def main() -> None:
        server = await asyncio.start_server(
            lambda r, w: _connection(state, elsewhere, r, w), host, port
        )
        ready.set()
        await stop.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    assert ready.wait(5)
    try:
        yield state
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _connection(
    state: HostileUpstream,
    elsewhere: str,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            seen = _parse(head)
            state.requests.append(seen)
            state.answering += 1
            try:
                await _answer(_Exchange(state, seen, reader, writer, elsewhere))
            finally:
                state.answering -= 1
    except (asyncio.IncompleteReadError, ConnectionError, _Done):
        pass
    except asyncio.CancelledError:
        # The server ends. Python 3.11's streams log a cancelled connection as a fault.
        pass
    finally:
        writer.close()


class _Done(Exception):  # noqa: N818 -- ends the connection
    pass


@dataclass
class _Exchange:
    state: HostileUpstream
    seen: Seen
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    elsewhere: str

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        behaviour = self.seen.path.split("/")[2]
        self.state.sent[behaviour] = self.state.sent.get(behaviour, 0) + len(data)
        await self.writer.drain()

    async def head(self, status: str, *headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", *headers, "", ""]
        await self.send("\r\n".join(lines).encode("latin-1"))

    async def whole(self, status: str, body: bytes = b"", *headers: str) -> None:
        await self.head(status, *headers, f"Content-Length: {len(body)}")
        await self.send(body)


def _parse(head: bytes) -> Seen:
    request_line, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = request_line.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    return Seen(method, path, {n.strip().lower(): v.strip() for n, _, v in pairs})


async def _answer(exchange: _Exchange) -> None:
    behaviour = exchange.seen.path.split("/")[2].split("?")[0]
    await _BEHAVIOURS.get(behaviour, _not_found)(exchange)


async def _not_found(exchange: _Exchange) -> None:
    await exchange.whole("404 Not Found", BODY_SECRET.encode())


async def _realm_elsewhere(exchange: _Exchange) -> None:
    realm = f"http://{exchange.elsewhere}/token"
    await exchange.whole(
        "401 Unauthorized", b"", f'WWW-Authenticate: Bearer realm="{realm}",service="s"'
    )


async def _redirect_to_metadata(exchange: _Exchange) -> None:
    await exchange.whole(
        "307 Temporary Redirect", b"", "Location: https://169.254.169.254/latest"
    )


async def _redirect_elsewhere(exchange: _Exchange) -> None:
    if "authorization" not in exchange.seen.headers:
        await exchange.whole(
            "401 Unauthorized", b"", 'WWW-Authenticate: Basic realm="r"'
        )
        return
    location = f"Location: http://{exchange.elsewhere}/v2/blob/data"
    await exchange.whole("307 Temporary Redirect", b"", location)


async def _redirect_loop(exchange: _Exchange) -> None:
    location = f"Location: {exchange.seen.path}"
    await exchange.whole("302 Found", b"", location)


async def _blob(exchange: _Exchange) -> None:
    await exchange.whole("200 OK", b"redirected bytes")


async def _endless(exchange: _Exchange) -> None:
    await exchange.head("200 OK", "Transfer-Encoding: chunked")
    while True:
        await exchange.send(b"%x\r\n%s\r\n" % (len(CHUNK), CHUNK))


async def _lying_long(exchange: _Exchange) -> None:
    await exchange.head("200 OK", "Content-Length: 1000000")
    await exchange.send(CHUNK)
    raise _Done


async def _lying_short(exchange: _Exchange) -> None:
    await exchange.head("200 OK", "Content-Length: 10")
    await exchange.send(b"0123456789")
    await asyncio.sleep(0.2)
    await exchange.send(b"smuggled" * 100)
    raise _Done


async def _lying_at_once(exchange: _Exchange) -> None:
    lines = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
    await exchange.send(lines.encode() + b"0123456789" + b"smuggled" * 100)
    raise _Done


async def _drip(exchange: _Exchange) -> None:
    await exchange.head("200 OK", "Content-Length: 10000000")
    while True:
        await exchange.send(b"x")
        await asyncio.sleep(0.1)


async def _hang(exchange: _Exchange) -> None:
    await exchange.reader.read()
    raise _Done


async def _cut(exchange: _Exchange) -> None:
    await exchange.head("200 OK", "Content-Length: 10000000")
    for _ in range(10):
        await exchange.send(CHUNK)
    raw: socket.socket = exchange.writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.writer.transport.abort()
    raise _Done


async def _flood(exchange: _Exchange) -> None:
    size = 2**30
    await exchange.head("200 OK", f"Content-Length: {size}")
    for _ in range(size // len(CHUNK)):
        await exchange.send(CHUNK)


async def _limited(exchange: _Exchange) -> None:
    await exchange.whole(
        "429 Too Many Requests", BODY_SECRET.encode(), "Retry-After: 17"
    )


async def _fault(exchange: _Exchange) -> None:
    await exchange.whole("500 Internal Server Error", BODY_SECRET.encode())


async def _rejects(exchange: _Exchange) -> None:
    await exchange.whole(
        "401 Unauthorized", BODY_SECRET.encode(), 'WWW-Authenticate: Basic realm="r"'
    )


async def _forbids(exchange: _Exchange) -> None:
    await exchange.whole("403 Forbidden", BODY_SECRET.encode())


async def _no_challenge(exchange: _Exchange) -> None:
    await exchange.whole("401 Unauthorized", BODY_SECRET.encode())


async def _garbage(exchange: _Exchange) -> None:
    await exchange.send(b"this is not HTTP\r\n\r\n")
    raise _Done


async def _head_drip(exchange: _Exchange) -> None:
    """Send a header line now and then, and never the end of them."""
    await exchange.send(b"HTTP/1.1 200 OK\r\n")
    number = 0
    while True:
        number += 1
        await exchange.send(b"X-Line-%d: x\r\n" % number)
        await asyncio.sleep(0.3)


async def _token_drip(exchange: _Exchange) -> None:
    await exchange.head("200 OK", "Content-Length: 60000")
    while True:
        await exchange.send(b" ")
        await asyncio.sleep(0.3)


async def _deep_token(exchange: _Exchange) -> None:
    await exchange.whole("200 OK", b"[" * 60_000)


async def _long_expiry(exchange: _Exchange) -> None:
    await exchange.whole("200 OK", b'{"token": "a", "expires_in": 1%s}' % (b"0" * 400))


async def _odd_headers(exchange: _Exchange) -> None:
    await exchange.whole(
        "200 OK",
        b"odd",
        "ETag: \u00e9\u20ac".encode().decode("latin-1"),
        "Warning: \x01",
        "Content-Range: \u20ac".encode().decode("latin-1"),
        "Docker-Content-Digest: fine",
    )


async def _odd_limit(exchange: _Exchange) -> None:
    value = "Retry-After: \u0663".encode().decode("latin-1")
    await exchange.whole("429 Too Many Requests", b"", value)


async def _refuses_token(exchange: _Exchange) -> None:
    """Ask for a token, and refuse the one that its own realm gives."""
    realm = f"http://{exchange.seen.headers['host']}/v2/refuses-token-answer/token"
    await exchange.whole(
        "401 Unauthorized", b"", f'WWW-Authenticate: Bearer realm="{realm}"'
    )


async def _a_token(exchange: _Exchange) -> None:
    await exchange.whole("200 OK", b'{"token": "a-token", "expires_in": 3600}')


async def _not_modified(exchange: _Exchange) -> None:
    await exchange.head("304 Not Modified", "Content-Length: 400", 'ETag: "a"')


def _bad_redirect(location: str) -> Callable[[_Exchange], Awaitable[None]]:
    async def answer(exchange: _Exchange) -> None:
        own = exchange.seen.headers["host"]
        where = location.replace("OWN", own)
        await exchange.whole("307 Temporary Redirect", b"", f"Location: {where}")

    return answer


SMALL = b'{"small": true}'
SMALL_DIGEST = "sha256:" + hashlib.sha256(SMALL).hexdigest()


async def _small(exchange: _Exchange) -> None:
    """Not hostile: the same few bytes under any digest, right for SMALL_DIGEST."""
    await exchange.whole("200 OK", SMALL, "Content-Type: application/json")


async def _paged(exchange: _Exchange) -> None:
    """Not hostile: lists tags in pages, which Debian's registry does not."""
    path = exchange.seen.path.partition("?")[0]
    next_page = f'Link: <{path}?n=2&last=v2>; rel="next"'
    await exchange.whole("200 OK", b'{"tags":["v1","v2"]}', next_page)


def _own_realm(kind: str) -> Callable[[_Exchange], Awaitable[None]]:
    async def answer(exchange: _Exchange) -> None:
        realm = f"http://{exchange.seen.headers['host']}/v2/{kind}-answer/token"
        await exchange.whole(
            "401 Unauthorized", b"", f'WWW-Authenticate: Bearer realm="{realm}"'
        )

    return answer


async def _huge_token(exchange: _Exchange) -> None:
    await exchange.head("200 OK", "Content-Length: 100000000")
    while True:
        await exchange.send(CHUNK)


async def _odd_token(exchange: _Exchange) -> None:
    await exchange.whole("200 OK", b'{"token": "a\\r\\nX-Injected: 1"}')


_BEHAVIOURS: dict[str, Callable[[_Exchange], Awaitable[None]]] = {
    "realm-elsewhere": _realm_elsewhere,
    "redirect-metadata": _redirect_to_metadata,
    "redirect-elsewhere": _redirect_elsewhere,
    "redirect-loop": _redirect_loop,
    "blob": _blob,
    "endless": _endless,
    "lying-long": _lying_long,
    "lying-short": _lying_short,
    "lying-at-once": _lying_at_once,
    "drip": _drip,
    "hang": _hang,
    "cut": _cut,
    "flood": _flood,
    "limited": _limited,
    "fault": _fault,
    "rejects": _rejects,
    "forbids": _forbids,
    "no-challenge": _no_challenge,
    "garbage": _garbage,
    "paged": _paged,
    "small": _small,
    "head-drip": _head_drip,
    "token-drip": _own_realm("token-drip"),
    "token-drip-answer": _token_drip,
    "deep-token": _own_realm("deep-token"),
    "deep-token-answer": _deep_token,
    "long-expiry": _own_realm("long-expiry"),
    "long-expiry-answer": _long_expiry,
    "odd-headers": _odd_headers,
    "odd-limit": _odd_limit,
    "not-modified": _not_modified,
    "refuses-token": _refuses_token,
    "refuses-token-answer": _a_token,
    "redirect-login": _bad_redirect("http://user:pw@OWN/v2/blob/x"),
    "redirect-port": _bad_redirect("https://example.com:99999/"),
    "redirect-label": _bad_redirect("https://a..b/"),
    "redirect-long": _bad_redirect(f"https://{'a' * 70}.example/"),
    "redirect-nowhere": _bad_redirect("https://"),
    "redirect-file": _bad_redirect("file:///etc/passwd"),
    "redirect-plain": _bad_redirect("http://example.com/"),
    "huge-token": _own_realm("huge-token"),
    "huge-token-answer": _huge_token,
    "odd-token": _own_realm("odd-token"),
    "odd-token-answer": _odd_token,
}
