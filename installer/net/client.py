"""The HTTP client of all commands, with limits on time and size.

Callers follow redirects, because only they know which secrets may go where. Company
proxies come from ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``, as for curl. The
timeout covers a whole request: the connection, the response, and a body read at once.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError, NameResolutionError, ProtocolError

from installer.errors import UsageError
from installer.net.company_proxies import company_proxies, manager_for
from installer.net.deadline import Deadline
from installer.net.failures import Failure, RequestError, request_error, timed_out

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 20.0
BLOCK_BYTES: Final = 1024 * 1024
USER_AGENT: Final = "berth-installer"
_DNS_RETRY_SECONDS: Final = 0.5
_IDEMPOTENT: Final = frozenset({"GET", "HEAD"})


class Response:
    """A response whose body the caller reads in the way it needs."""

    def __init__(
        self, response: urllib3.BaseHTTPResponse, host: str, deadline: Deadline
    ) -> None:
        self._response = response
        self._deadline = deadline
        self.host = host
        self.status = response.status
        self.headers = response.headers

    def blocks(self) -> Iterator[bytes]:
        """Yield the body as it was sent, without a limit on the whole time.

        Raises:
            RequestError: the connection was lost.
        """
        self._deadline.lift()
        yield from self._blocks()

    def _blocks(self) -> Iterator[bytes]:
        try:
            yield from self._response.stream(BLOCK_BYTES, decode_content=False)
        except (HTTPError, OSError, ValueError) as error:
            raise _failed(error, self.host, self._deadline) from error

    def read(self, limit: int) -> bytes:
        """Return the whole body.

        Raises:
            RequestError: it is longer than ``limit``, or the request takes too long.
        """
        body = bytearray()
        for block in self._blocks():
            body += block
            if len(body) > limit:
                sentence = f"The response from {self.host} is too long."
                raise RequestError(Failure.BAD_RESPONSE, sentence, self.host)
        # Without a Content-Length, a connection that was shut down looks complete.
        if self._deadline.has_passed:
            raise timed_out(self.host)
        self._deadline.close()
        return bytes(body)

    def close(self) -> None:
        """Keep the connection if the whole body was read, else close it."""
        self._deadline.close()
        if self._response.length_remaining == 0:
            self._response.drain_conn()
        self._response.close()


class HttpClient:
    """Sends requests. All threads share one."""

    def __init__(
        self,
        *,
        plain_http: frozenset[str] = frozenset(),
        ca_file: Path | None = None,
        read_seconds: float = READ_SECONDS,
        connect_seconds: float = CONNECT_SECONDS,
    ) -> None:
        self._plain_http = frozenset(host.lower() for host in plain_http)
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
        """Return the URL of a path: HTTPS, unless the host was named for plain HTTP."""
        scheme = "http" if host in self._plain_http else "https"
        return f"{scheme}://{host}{path}"

    def allows(self, url: str) -> bool:
        """Return whether a URL uses HTTPS, or a host that was named for plain HTTP."""
        parts = urlsplit(url)
        if parts.scheme == "https":
            return bool(parts.hostname)
        return parts.scheme == "http" and parts.netloc.lower() in self._plain_http

    def stop(self) -> None:
        """Abort all requests, and send no more."""
        with self._lock:
            self._is_stopped = True
            running = list(self._deadlines)
        for deadline in running:
            deadline.end()

    @contextmanager
    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Iterator[Response]:
        """Yield the response, even if it is a redirect.

        Raises:
            RequestError: there is none.
        """
        host = host_of(url)
        if not self.allows(url):
            raise RequestError(
                Failure.BAD_RESPONSE,
                f"{host or 'A host'} would be asked without TLS. To allow that, give "
                f"--plain-http {host or 'HOST'}.",
                host,
            )
        sent = {"User-Agent": USER_AGENT, **(headers or {})}
        with self._deadline() as deadline:
            ask = partial(self._request, deadline, method, url, sent, body)
            try:
                may_retry = method in _IDEMPOTENT
                raw = self._with_retry(
                    ask, self._proxy(url), deadline, may_retry=may_retry
                )
            except (HTTPError, OSError, ValueError) as error:
                raise _failed(error, host, deadline) from error
            response = Response(raw, host, deadline)
            try:
                yield response
            finally:
                response.close()

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

    def _with_retry(
        self,
        ask: Callable[[urllib3.PoolManager], urllib3.BaseHTTPResponse],
        proxy: str,
        deadline: Deadline,
        *,
        may_retry: bool,
    ) -> urllib3.BaseHTTPResponse:
        try:
            return ask(self._managers[proxy])
        except (HTTPError, OSError) as error:
            pause = _pause_before_retry(error)
            if pause is None or not may_retry or deadline.has_passed:
                raise
        deadline.wait(pause)
        # The server may have closed other idle connections too.
        return ask(manager_for(proxy, self._context))

    def _request(
        self,
        deadline: Deadline,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        manager: urllib3.PoolManager,
    ) -> urllib3.BaseHTTPResponse:
        with deadline.running():
            return manager.request(
                method,
                url,
                headers=headers,
                body=body,
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
    """Return the host and port of a URL.

    Raises:
        RequestError: the URL is invalid, or has credentials.
    """
    try:
        host = urlsplit(url).netloc
    except ValueError as error:
        raise RequestError(Failure.BAD_RESPONSE, "Not a valid address.") from error
    # Some parsers end the host at a backslash, and take what precedes it as the host.
    if "@" in host or "\\" in host:
        sentence = "URLs with credentials are rejected."
        raise RequestError(Failure.BAD_RESPONSE, sentence)
    return host


def _pause_before_retry(error: Exception) -> float | None:
    """Return the seconds to wait before a retry, None if that would not help."""
    reason = error.__cause__ if isinstance(error, NameResolutionError) else None
    if isinstance(reason, socket.gaierror):
        return _DNS_RETRY_SECONDS if reason.errno == socket.EAI_AGAIN else None
    # The server closed an idle connection just as we were about to use it.
    cause = error.args[-1] if error.args else error
    is_closed = isinstance(error, ProtocolError) and isinstance(cause, ConnectionError)
    return 0.0 if is_closed or isinstance(cause, ssl.SSLEOFError) else None


def _failed(error: Exception, host: str, deadline: Deadline) -> RequestError:
    return timed_out(host) if deadline.has_passed else request_error(error, host)


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"{ca_file} has no PEM certificates, or cannot be read.", "ca_file"
            ) from error
    return context
