"""A registry that misbehaves on demand: the repository's name says how.

It speaks HTTP over raw sockets, because real servers would not do these things.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import socket
import struct
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

BODY_SECRET = "upstream-internal-secret-7b1f"
CHUNK = b"x" * 65536
SMUGGLED = b"smuggled" * 100
REDIRECTED = b"redirected bytes"
TEN_BYTES = b"0123456789"
ODD = b"odd"
SMALL = b'{"small": true}'
SMALL_DIGEST = "sha256:" + hashlib.sha256(SMALL).hexdigest()


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class HostileUpstream:
    """What tests read: requests, answers under way, bytes sent by behaviour.

    ``blobs`` are theirs to fill, by digest.
    """

    port: int
    host: str = "127.0.0.1"
    requests: list[Seen] = field(default_factory=list)
    answering: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)

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


_Behaviour = Callable[[_Exchange], Awaitable[None]]


def _parse(head: bytes) -> Seen:
    request_line, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = request_line.split(" ")
    pairs = (line.partition(":") for line in lines if line)
    return Seen(method, path, {n.strip().lower(): v.strip() for n, _, v in pairs})


async def _answer(exchange: _Exchange) -> None:
    behaviour = exchange.seen.path.split("/")[2].split("?")[0]
    await _BEHAVIOURS.get(behaviour, _NOT_FOUND)(exchange)


def _whole(status: str, body: bytes = b"", *headers: str) -> _Behaviour:
    """Send one answer; ``{own}``, ``{elsewhere}`` and ``{path}`` in headers are filled.

    ``{path}`` is that of the request, without its query.
    """

    async def answer(exchange: _Exchange) -> None:
        places = {
            "own": exchange.seen.headers.get("host", ""),
            "elsewhere": exchange.elsewhere,
            "path": exchange.seen.path.partition("?")[0],
        }
        filled = (header.format_map(places) for header in headers)
        await exchange.whole(status, body, *filled)

    return answer


def _pages(link: str) -> _Behaviour:
    tags = b'{"name":"its-own-name","tags":["v1","v2"]}'
    return _whole("200 OK", tags, f"Link: {link}")


def _tags(*tags: object) -> _Behaviour:
    text = json.dumps({"name": "its-own-name", "tags": tags}, ensure_ascii=False)
    return _whole("200 OK", text.encode())


def _asks_for_token(realm: str, more: str = "") -> _Behaviour:
    header = f'WWW-Authenticate: Bearer realm="http://{realm}"{more}'
    return _whole("401 Unauthorized", b"", header)


def _asks_own_realm(behaviour: str) -> _Behaviour:
    return _asks_for_token(f"{{own}}/v2/{behaviour}/token")


def _redirect(location: str, status: str = "307 Temporary Redirect") -> _Behaviour:
    return _whole(status, b"", f"Location: {location}")


def _stream(
    header: str,
    piece: bytes,
    seconds: float = 0,
    times: int = sys.maxsize,
    status: str = "200 OK",
) -> _Behaviour:
    """Send a body in pieces, without end unless ``times`` says so."""

    async def answer(exchange: _Exchange) -> None:
        await exchange.head(status, header)
        for _ in range(times):
            await exchange.send(piece)
            await asyncio.sleep(seconds)

    return answer


def _says(data: bytes) -> _Behaviour:
    """Send bytes and close the connection."""

    async def answer(exchange: _Exchange) -> None:
        await exchange.send(data)
        raise _Done

    return answer


def _utf8(header: str) -> str:
    """Return a header that goes out in UTF-8, where HTTP has latin-1."""
    return header.encode().decode("latin-1")


async def _redirect_elsewhere(exchange: _Exchange) -> None:
    signed = "authorization" in exchange.seen.headers
    location = "http://{elsewhere}/v2/blob/data"
    await (_redirect(location) if signed else _ASKS_LOGIN)(exchange)


async def _small(exchange: _Exchange) -> None:
    blobs = {SMALL_DIGEST: SMALL} | exchange.state.blobs
    reference = exchange.seen.path.partition("?")[0].rpartition("/")[2]
    if ":" in reference and reference not in blobs:
        await _NOT_FOUND(exchange)
        return
    body = blobs.get(reference, SMALL)
    await exchange.whole("200 OK", body, "Content-Type: application/json")


async def _lying_short(exchange: _Exchange) -> None:
    await exchange.head("200 OK", "Content-Length: 10")
    await exchange.send(TEN_BYTES)
    await asyncio.sleep(0.2)
    await exchange.send(SMUGGLED)
    raise _Done


async def _hang(exchange: _Exchange) -> None:
    await exchange.reader.read()
    raise _Done


async def _cut(exchange: _Exchange) -> None:
    await _stream("Content-Length: 10000000", CHUNK, times=10)(exchange)
    raw: socket.socket = exchange.writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.writer.transport.abort()
    raise _Done


async def _head_drip(exchange: _Exchange) -> None:
    """Send a header line now and then, and never the end of them."""
    await exchange.send(b"HTTP/1.1 200 OK\r\n")
    for number in itertools.count(1):
        await exchange.send(b"X-Line-%d: x\r\n" % number)
        await asyncio.sleep(0.3)


async def _not_modified(exchange: _Exchange) -> None:
    await exchange.head("304 Not Modified", "Content-Length: 400", 'ETag: "a"')


_SECRET_BODY = BODY_SECRET.encode()
_ERRORS = (
    b'{"errors":[{"code":"DENIED"},{"code":"MANIFEST_INVALID","message":"%s"}]}'
    % _SECRET_BODY
)
_BASIC = 'WWW-Authenticate: Basic realm="r"'
_ASKS_LOGIN = _whole("401 Unauthorized", b"", _BASIC)
_NOT_FOUND = _whole("404 Not Found", _SECRET_BODY)
_BEHAVIOURS: dict[str, _Behaviour] = {
    "realm-elsewhere": _asks_for_token("{elsewhere}/token", ',service="s"'),
    "redirect-metadata": _redirect("https://169.254.169.254/latest"),
    "redirect-elsewhere": _redirect_elsewhere,
    "redirect-loop": _redirect("{path}", "302 Found"),
    "blob": _whole("200 OK", REDIRECTED),
    "endless": _stream(
        "Transfer-Encoding: chunked", b"%x\r\n%s\r\n" % (len(CHUNK), CHUNK)
    ),
    "lying-long": _says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + CHUNK),
    "lying-short": _lying_short,
    "lying-at-once": _says(
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + TEN_BYTES + SMUGGLED
    ),
    "drip": _stream("Content-Length: 10000000", b"x", 0.1),
    "hang": _hang,
    "cut": _cut,
    "flood": _stream(f"Content-Length: {2**30}", CHUNK, times=2**30 // len(CHUNK)),
    "limited": _whole("429 Too Many Requests", _SECRET_BODY, "Retry-After: 17"),
    "fault": _whole("500 Internal Server Error", _SECRET_BODY),
    "odd-errors": _whole("400 Bad Request", b'{"errors":[{"code":["UNSUPPORTED"]}]}'),
    "deep-errors": _whole("400 Bad Request", b"[" * 60_000),
    "endless-errors": _stream(
        "Transfer-Encoding: chunked",
        b"%x\r\n%s\r\n" % (len(CHUNK), CHUNK),
        status="400 Bad Request",
    ),
    "slow-errors": _stream("Content-Length: 1000", b" ", 0.1, status="404 Not Found"),
    "rejects": _whole("401 Unauthorized", _SECRET_BODY, _BASIC),
    "forbids": _whole("403 Forbidden", _SECRET_BODY),
    **{
        f"says-{status}": _whole(f"{status} Reason", _ERRORS, "Allow: GET")
        for status in (400, 402, 405, 406, 407, 408, 410, 421, 426, 451, 500)
    },
    "no-challenge": _whole("401 Unauthorized", _SECRET_BODY),
    "garbage": _says(b"this is not HTTP\r\n\r\n"),
    # Not hostile: lists tags in pages, which Debian's registry does not.
    "paged": _pages('<{path}?n=2&last=v2>; rel="next"'),
    "paged-by-query": _pages('<?n=2&last=v2>; rel="next"'),
    "paged-in-place": _pages("<list?n=2&last=v2>;rel=next"),
    "paged-under-a-path": _pages('</artifactory{path}?n=2&last=v2>; rel="next"'),
    "paged-at-its-host": _pages('<https://{own}{path}?n=2&last=v2>; rel="next"'),
    "paged-twice": _pages('<?n=2>; rel="first", <{path}?n=2&last=v2>; rel="next"'),
    "paged-elsewhere": _pages('<https://evil.example/tags?n=2>; rel="next"'),
    "paged-to-nowhere": _pages('<{path}>; rel="next"'),
    "paged-badly": _pages("<?n=2"),
    "names-nothing": _whole("200 OK", b'["v1"]'),
    "no-json": _whole("200 OK", _SECRET_BODY),
    "many-tags": _tags(*(f"{number:040}" for number in range(10_000))),
    "too-many-tags": _whole("200 OK", b'{"tags":[%s[]]}' % (b"[]," * 2_700_000)),
    "tags-in-words": _tags("größe", "\u6700" * 10_000),
    "tags-and-numbers": _tags("v1", 1e15),
    "half-a-character": _whole("200 OK", b'{"tags":["v1","\\ud800"]}'),
    "null-tags": _whole("200 OK", b'{"name":"its-own-name","tags":null}'),
    # Not hostile: one small blob, others that a test adds, and the same under any tag.
    "small": _small,
    "short-document": _whole("200 OK", b" " * 50_000),
    "document": _whole("200 OK", b" " * 8 * 2**20, "Content-Type: application/json"),
    "head-drip": _head_drip,
    "token-drip": _asks_own_realm("token-drip-answer"),
    "token-drip-answer": _stream("Content-Length: 60000", b" ", 0.3),
    "deep-token": _asks_own_realm("deep-token-answer"),
    "deep-token-answer": _whole("200 OK", b"[" * 60_000),
    "long-expiry": _asks_own_realm("long-expiry-answer"),
    "long-expiry-answer": _whole(
        "200 OK", b'{"token": "a", "expires_in": 1%s}' % (b"0" * 400)
    ),
    "odd-headers": _whole(
        "200 OK",
        ODD,
        _utf8("ETag: \u00e9\u20ac"),
        "Warning: \x01",
        _utf8("Content-Range: \u20ac"),
        "Docker-Content-Digest: fine",
    ),
    "odd-limit": _whole("429 Too Many Requests", b"", _utf8("Retry-After: \u0663")),
    "not-modified": _not_modified,
    # It asks for a token, and refuses the one that its own realm gives.
    "refuses-token": _asks_own_realm("refuses-token-answer"),
    "refuses-token-answer": _whole(
        "200 OK", b'{"token": "a-token", "expires_in": 3600}'
    ),
    "redirect-login": _redirect("http://user:pw@{own}/v2/blob/x"),
    "redirect-port": _redirect("https://example.com:99999/"),
    "redirect-label": _redirect("https://a..b/"),
    "redirect-long": _redirect(f"https://{'a' * 70}.example/"),
    "redirect-nowhere": _redirect("https://"),
    "redirect-file": _redirect("file:///etc/passwd"),
    "redirect-plain": _redirect("http://example.com/"),
    **{
        f"redirect-{scheme}": _redirect(f"{scheme}://{{elsewhere}}/v2/blob/data")
        for scheme in ("ws", "wss", "tcp", "ftp", "unix")
    },
    "redirect-capitals": _redirect("WS://{elsewhere}/v2/blob/data"),
    "realm-ws": _whole(
        "401 Unauthorized", b"", 'WWW-Authenticate: Bearer realm="ws://{own}/token"'
    ),
    "huge-token": _asks_own_realm("huge-token-answer"),
    "huge-token-answer": _stream("Content-Length: 100000000", CHUNK),
    "odd-token": _asks_own_realm("odd-token-answer"),
    "odd-token-answer": _whole("200 OK", b'{"token": "a\\r\\nX-Injected: 1"}'),
}
