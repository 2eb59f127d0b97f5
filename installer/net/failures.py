"""Why a request brought no usable response, as a sentence for people."""

from __future__ import annotations

import socket
import ssl
from enum import StrEnum
from typing import Final

from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

# What reading a document of a stranger can raise if it is malformed.
MALFORMED: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


class Failure(StrEnum):
    DNS = "dns"
    TLS = "tls"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    BAD_RESPONSE = "bad_answer"


class RequestError(Exception):
    """A request brought no usable response; the message is a sentence.

    ``host`` is the one at fault, which may differ from the one asked first.
    """

    def __init__(self, failure: Failure, message: str, host: str = "") -> None:
        super().__init__(message)
        self.failure = failure
        self.host = host


def timed_out(host: str) -> RequestError:
    return RequestError(Failure.TIMED_OUT, f"{host} did not respond in time.", host)


def request_error(error: Exception, host: str) -> RequestError:
    """Return what urllib3 or the system raised as a ``RequestError``."""
    cause = getattr(error, "original_error", error)
    if isinstance(cause, SSLError | ssl.SSLError):
        return RequestError(Failure.TLS, _tls_sentence(cause, host), host)
    if isinstance(error, ProxyError):
        sentence = f"{host} cannot be reached through the HTTP proxy."
        return RequestError(Failure.UNREACHABLE, sentence, host)
    for kinds, failure, sentence in _SENTENCES:
        if isinstance(cause, kinds):
            return RequestError(failure, sentence.format(host), host)
    sentence = f"The connection to {host} was lost before the response was complete."
    return RequestError(Failure.BAD_RESPONSE, sentence, host)


# Specific errors first: most are subclasses of later ones.
_SENTENCES: Final = (
    (
        (NameResolutionError, socket.gaierror),
        Failure.DNS,
        "{} could not be resolved.",
    ),
    ((NewConnectionError,), Failure.UNREACHABLE, "{} cannot be reached."),
    (
        (ConnectTimeoutError, ReadTimeoutError, TimeoutError),
        Failure.TIMED_OUT,
        "{} did not respond in time.",
    ),
    ((OSError,), Failure.UNREACHABLE, "{} cannot be reached."),
    ((LocationParseError,), Failure.BAD_RESPONSE, "{} is not a valid address."),
)


def _tls_sentence(error: Exception, host: str) -> str:
    inner = next((arg for arg in error.args if isinstance(arg, ssl.SSLError)), error)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return (
            f"The certificate of {host} is not trusted: {inner.verify_message}. If "
            "your own certificate authority issued it, pass that with --ca-file."
        )
    reason = str(getattr(inner, "reason", None) or "handshake failed")
    return (
        f"TLS with {host} failed: {reason.replace('_', ' ').lower()}. If this host "
        f"uses plain HTTP, give --plain-http {host}."
    )
