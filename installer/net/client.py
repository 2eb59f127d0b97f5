"""HTTP requests as all commands make them: with limits, and with no secret astray.

Redirects are followed by the caller, who knows what may go where. Corporate proxies
are taken from ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``, as curl does. The
time-out is for a whole request: its connection, its answer, and a body that is read at
once.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from installer.errors import UsageError
from installer.net.company_proxies import company_proxies, manager_for
from installer.net.deadline import Deadline

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 20.0
BLOCK_BYTES: Final = 1024 * 1024
_FIRST_PAUSE_SECONDS: Final = 0.5
_IDEMPOTENT: Final = frozenset({"GET", "HEAD"})
USER_AGENT: Final = "berth-installer"


class Trouble(StrEnum):
    """Why there is no answer."""

    DNS = "dns"
    TLS = "tls"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    BAD_ANSWER = "bad_answer"


class NoAnswer(Exception):  # noqa: N818 -- states the fact
    """A request brought no answer; the message is a sentence that names the host.

    ``host`` is the one it is about, which need not be the one that was asked first.
    """

    def __init__(self, trouble: Trouble, message: str, host: str = "") -> None:
        super().__init__(message)
        self.trouble = trouble
        self.host = host


class Answer:
    """An answer whose body is read as the caller wants it."""

    def __init__(
        self, response: urllib3.BaseHTTPResponse, host: str, deadline: Deadline
    ) -> None:
        self._response = response
        self._deadline = deadline
        self.host = host
        self.status = response.status
        self.headers = response.headers

    def blocks(self) -> Iterator[bytes]:
        """Yield the body as it was sent, for as long as bytes come.

        Raises:
            NoAnswer: the connection broke.
        """
        self._deadline.lift()
        yield from self._blocks()

    def _blocks(self) -> Iterator[bytes]:
        try:
            yield from self._response.stream(BLOCK_BYTES, decode_content=False)
        except (HTTPError, OSError, ValueError) as error:
            raise no_answer(error, self.host, self._deadline) from error

    def read(self, limit: int) -> bytes:
        """Return the whole body.

        Raises:
            NoAnswer: it is longer than ``limit``, or the request takes too long.
        """
        found = bytearray()
        for block in self._blocks():
            found += block
            if len(found) > limit:
                raise NoAnswer(
                    Trouble.BAD_ANSWER,
                    f"The answer of {self.host} is too long.",
                    self.host,
                )
        # Where no length was told, a connection that was shut down is a body's end.
        if self._deadline.has_passed:
            raise _timed_out(self.host)
        self._deadline.close()
        return bytes(found)

    def close(self) -> None:
        """Keep the connection if all was read, else close it."""
        self._deadline.close()
        if self._response.length_remaining == 0:
            self._response.drain_conn()
        self._response.close()


class _Request(NamedTuple):
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


class Web:
    """Sends requests. One object serves all threads."""

    def __init__(
        self,
        *,
        plain_http: frozenset[str] = frozenset(),
        ca_file: Path | None = None,
        read_seconds: float = READ_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        self._plain_http = frozenset(each.lower() for each in plain_http)
        self._seconds = read_seconds
        self._timeout = urllib3.Timeout(connect=connect_seconds, read=read_seconds)
        self._context = _tls_context(ca_file)
        self._proxies = company_proxies()
        self._managers = {
            proxy: manager_for(proxy, self._context)
            for proxy in {"", *self._proxies.values()}
        }
        self._lock = threading.Lock()
        self._deadlines: set[Deadline] = set()
        self._is_stopped = False

    def url(self, host: str, path: str) -> str:
        """Return the address of a path on a host, by HTTPS unless told otherwise."""
        scheme = "http" if host in self._plain_http else "https"
        return f"{scheme}://{host}{path}"

    def allows(self, url: str) -> bool:
        """Tell whether an address may be asked: by HTTPS, or a host named for HTTP."""
        parts = urlsplit(url)
        if parts.scheme == "https":
            return bool(parts.hostname)
        return parts.scheme == "http" and parts.netloc.lower() in self._plain_http

    def stop(self) -> None:
        """Break off all requests, and send no more."""
        with self._lock:
            self._is_stopped = True
            running = list(self._deadlines)
        for each in running:
            each.end()

    @contextmanager
    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Iterator[Answer]:
        """Yield the answer; a redirect is one too.

        Raises:
            NoAnswer: there is none.
        """
        host = host_of(url)
        if not self.allows(url):
            raise NoAnswer(
                Trouble.BAD_ANSWER,
                f"{host or 'An address'} would be asked without TLS. If that is meant, "
                f"give --plain-http {host or 'HOST'}.",
                host,
            )
        with self._deadline() as deadline:
            sent = {"User-Agent": USER_AGENT, **(headers or {})}
            request = _Request(method, url, sent, body)
            answer = Answer(self._request(request, deadline), host, deadline)
            try:
                yield answer
            finally:
                answer.close()

    @contextmanager
    def _deadline(self) -> Iterator[Deadline]:
        deadline = Deadline(self._seconds)
        with self._lock:
            self._deadlines.add(deadline)
            is_stopped = self._is_stopped
        if is_stopped:
            deadline.end()
        try:
            yield deadline
        finally:
            deadline.close()
            with self._lock:
                self._deadlines.discard(deadline)

    def _request(
        self, request: _Request, deadline: Deadline
    ) -> urllib3.BaseHTTPResponse:
        proxy = self._proxy(request.url)
        try:
            try:
                return self._ask(self._managers[proxy], request, deadline)
            except (HTTPError, OSError) as error:
                pause = _pause_before_another(error)
                is_idempotent = request.method in _IDEMPOTENT
                if pause is None or not is_idempotent or deadline.has_passed:
                    raise
                deadline.wait(pause)
                # Other connections that were kept may be closed as well.
                fresh = manager_for(proxy, self._context)
                return self._ask(fresh, request, deadline)
        except (HTTPError, OSError, ValueError) as error:
            raise no_answer(error, host_of(request.url), deadline) from error

    def _ask(
        self, manager: urllib3.PoolManager, request: _Request, deadline: Deadline
    ) -> urllib3.BaseHTTPResponse:
        with deadline.running():
            return manager.request(
                request.method,
                request.url,
                headers=request.headers,
                body=request.body,
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=self._timeout,
            )

    def _proxy(self, url: str) -> str:
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme) or self._proxies.get("all") or ""
        return "" if not proxy or proxy_bypass(parts.netloc) else proxy


def host_of(url: str) -> str:
    """Return host and port of an address.

    Raises:
        NoAnswer: it is no address that anybody should be sent to.
    """
    try:
        host = urlsplit(url).netloc
    except ValueError as error:
        raise NoAnswer(Trouble.BAD_ANSWER, "What was given is no address.") from error
    # Others read a backslash as the end of the host, and a name before it as the host.
    if "@" in host or "\\" in host:
        raise NoAnswer(
            Trouble.BAD_ANSWER, "An address with a user in it is not followed."
        )
    return host


def _pause_before_another(error: Exception) -> float | None:
    """Return how long to wait if asking once more may help, else None."""
    reason = error.__cause__ if isinstance(error, NameResolutionError) else None
    if isinstance(reason, socket.gaierror):
        return _FIRST_PAUSE_SECONDS if reason.errno == socket.EAI_AGAIN else None
    # The host closed a connection that was kept, as we were about to use it.
    cause = error.args[-1] if error.args else error
    is_closed = isinstance(error, ProtocolError) and isinstance(cause, ConnectionError)
    return 0.0 if is_closed or isinstance(cause, ssl.SSLEOFError) else None


def no_answer(error: Exception, host: str, deadline: Deadline) -> NoAnswer:
    """Return what went wrong as a sentence."""
    if deadline.has_passed:
        return _timed_out(host)
    cause = getattr(error, "original_error", error)
    if isinstance(cause, SSLError | ssl.SSLError):
        return NoAnswer(Trouble.TLS, _tls_sentence(cause, host), host)
    if isinstance(error, ProxyError):
        sentence = f"{host} cannot be reached through the HTTP proxy."
        return NoAnswer(Trouble.UNREACHABLE, sentence, host)
    for kinds, trouble, sentence in _SENTENCES:
        if isinstance(cause, kinds):
            return NoAnswer(trouble, sentence.format(host), host)
    return NoAnswer(
        Trouble.BAD_ANSWER, f"The connection to {host} broke before all was read.", host
    )


def _timed_out(host: str) -> NoAnswer:
    return NoAnswer(Trouble.TIMED_OUT, f"{host} did not answer in time.", host)


# In this order, from the special to the general: each is also one of those below.
_SENTENCES: Final = (
    (
        (NameResolutionError, socket.gaierror),
        Trouble.DNS,
        "The name {} is not known to DNS here.",
    ),
    ((NewConnectionError,), Trouble.UNREACHABLE, "{} cannot be reached from here."),
    (
        (ConnectTimeoutError, ReadTimeoutError, TimeoutError),
        Trouble.TIMED_OUT,
        "{} did not answer in time.",
    ),
    ((OSError,), Trouble.UNREACHABLE, "{} cannot be reached from here."),
    ((LocationParseError,), Trouble.BAD_ANSWER, "{} is no address."),
)


def _tls_sentence(error: Exception, host: str) -> str:
    inner = next((each for each in error.args if isinstance(each, ssl.SSLError)), error)
    reason = str(getattr(inner, "reason", None) or "no common ground")
    if isinstance(inner, ssl.SSLCertVerificationError):
        return (
            f"The certificate of {host} is not trusted: {inner.verify_message}. If it "
            "comes from an authority of your own, name that with --ca-file."
        )
    return (
        f"TLS with {host} failed: {reason.replace('_', ' ').lower()}. If it speaks no "
        f"TLS and that is meant, give --plain-http {host}."
    )


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"{ca_file} holds no certificates in PEM, or cannot be read.", "ca_file"
            ) from error
    return context


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds to wait: what is asked for, else a short pause."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
        return max(0.0, at.timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return _FIRST_PAUSE_SECONDS
