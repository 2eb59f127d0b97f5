"""HTTP requests as all commands make them: with limits, and with no secret astray.

Redirects are followed by the caller, who knows what may go where. Corporate proxies
are taken from ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``, as curl does.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from installer.errors import UsageFault

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 20.0
BLOCK_BYTES: Final = 1024 * 1024
_FIRST_PAUSE_SECONDS: Final = 0.5
USER_AGENT: Final = "berth-installer"


class Trouble(StrEnum):
    """Why there is no answer."""

    DNS = "dns"
    TLS = "tls"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    BAD_ANSWER = "bad_answer"


class NoAnswer(Exception):  # noqa: N818 -- states the fact
    """A request brought no answer; the message is a sentence that names the host."""

    def __init__(self, trouble: Trouble, message: str) -> None:
        super().__init__(message)
        self.trouble = trouble


class Answer:
    """An answer whose body is read as the caller wants it."""

    def __init__(self, response: urllib3.BaseHTTPResponse, host: str) -> None:
        self._response = response
        self.host = host
        self.status = response.status
        self.headers = response.headers

    def blocks(self) -> Iterator[bytes]:
        """Yield the body as it was sent.

        Raises:
            NoAnswer: the connection broke.
        """
        try:
            yield from self._response.stream(BLOCK_BYTES, decode_content=False)
        except (HTTPError, OSError) as error:
            raise no_answer(error, self.host) from error

    def read(self, limit: int, seconds: float = READ_SECONDS) -> bytes:
        """Return the whole body.

        Raises:
            NoAnswer: it is longer than ``limit``, or takes longer than ``seconds``.
        """
        found, end = bytearray(), time.monotonic() + seconds
        for block in self.blocks():
            found += block
            if len(found) > limit:
                raise NoAnswer(
                    Trouble.BAD_ANSWER, f"The answer of {self.host} is too long."
                )
            if time.monotonic() > end:
                raise NoAnswer(
                    Trouble.TIMED_OUT, f"{self.host} did not answer in time."
                )
        return bytes(found)

    def close(self) -> None:
        """Keep the connection if all was read, else close it."""
        if self._response.length_remaining == 0:
            self._response.drain_conn()
        self._response.close()


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
        self._timeout = urllib3.Timeout(connect=connect_seconds, read=read_seconds)
        self._context = _tls_context(ca_file)
        self._direct = self._manager("")
        self._through = {
            scheme: self._manager(url) for scheme, url in _company_proxies().items()
        }

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
        answer = self._request(method, url, headers or {}, body)
        try:
            yield answer
        finally:
            answer.close()

    def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        host = urlsplit(url).netloc
        if not self.allows(url):
            raise NoAnswer(
                Trouble.BAD_ANSWER,
                f"{host or 'An address'} would be asked without TLS. If that is meant, "
                f"give --plain-http {host or 'HOST'}.",
            )
        try:
            response = self._for(url).request(
                method,
                url,
                headers={"User-Agent": USER_AGENT, **headers},
                body=body,
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=self._timeout,
            )
        except (HTTPError, OSError, ValueError) as error:
            raise no_answer(error, host) from error
        return Answer(response, host)

    def _for(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        through = self._through.get(parts.scheme) or self._through.get("all")
        return self._direct if not through or proxy_bypass(parts.netloc) else through

    def _manager(self, proxy: str) -> urllib3.PoolManager:
        if not proxy:
            return urllib3.PoolManager(maxsize=16, ssl_context=self._context)
        try:
            return urllib3.ProxyManager(proxy, maxsize=16, ssl_context=self._context)
        except (HTTPError, ValueError) as error:
            raise UsageFault(
                "HTTPS_PROXY or HTTP_PROXY names a proxy that is not spoken to here. "
                "Give one like http://proxy.example.com:3128.",
                "http_proxy",
            ) from error


def _company_proxies() -> dict[str, str]:
    """Return the HTTP proxies of the environment by scheme; ``all`` is the rest."""
    found = getproxies_environment()
    return {
        scheme: url if "://" in url else f"http://{url}"
        for scheme, url in found.items()
        if scheme in {"http", "https", "all"} and url
    }


def no_answer(error: Exception, host: str) -> NoAnswer:
    """Return what went wrong as a sentence."""
    cause = getattr(error, "original_error", error)
    if isinstance(cause, SSLError | ssl.SSLError):
        return NoAnswer(Trouble.TLS, _tls_sentence(cause, host))
    if isinstance(error, ProxyError):
        return NoAnswer(
            Trouble.UNREACHABLE, f"{host} cannot be reached through the HTTP proxy."
        )
    for kinds, trouble, sentence in _SENTENCES:
        if isinstance(cause, kinds):
            return NoAnswer(trouble, sentence.format(host))
    return NoAnswer(
        Trouble.BAD_ANSWER, f"The connection to {host} broke before all was read."
    )


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
            raise UsageFault(
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
    except (ValueError, TypeError):
        return _FIRST_PAUSE_SECONDS
