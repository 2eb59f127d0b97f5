"""From what the HTTP client raises to what Berth says of a registry."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import aiohttp

from portal.address_guard import AddressBlocked
from registries.providers import LoginNotMade
from registries.providers.problems import Problem
from registries.upstream.errors import (
    CredentialRejected,
    UpstreamError,
    UpstreamFault,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from registries.upstream.target import UpstreamTarget


def translate(error: BaseException, target: UpstreamTarget) -> UpstreamError | None:
    """Return the upstream error that a client library's exception stands for."""
    for kinds, told in _TRANSLATIONS:
        if isinstance(error, kinds):
            return told(target, error)
    return None


def login_not_made(why: LoginNotMade, target: UpstreamTarget) -> UpstreamError:
    """Return the upstream error that a provider's failure to make a login is."""
    error = _not_made(why, target)
    error.not_made = why
    error.problem = why.problem
    error.http_status = None  # the registry itself was not asked
    return error


def _not_made(why: LoginNotMade, target: UpstreamTarget) -> UpstreamError:
    match why.problem:
        case Problem.WRONG_CREDENTIAL | Problem.NOT_LET_IN:
            return CredentialRejected(target)
        case Problem.RATE_LIMITED:
            return UpstreamRateLimited(target, "")
        case Problem.TIMEOUT:
            return UpstreamTimeout(target)
        case Problem.NO_CONNECTION:
            reason = "the service that makes its passwords does not answer"
            return UpstreamUnreachable(target, reason, why.problem, why.advice)
        case _:
            return UpstreamFault(target, "gives Berth no password to sign in with")


def _tls_problem(target: UpstreamTarget, error: Any) -> UpstreamError:
    cause = getattr(error, "certificate_error", None) or error.os_error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return UpstreamUnreachable(
            target,
            "its TLS certificate is not valid",
            Problem.TLS,
            f"Renew or replace the certificate: {cause.verify_message.rstrip('.')}.",
        )
    return UpstreamUnreachable(
        target,
        "it does not speak TLS",
        Problem.TLS,
        "Check the port: registries answer by HTTPS, usually on port 443.",
    )


def _name_problem(target: UpstreamTarget, _error: Any) -> UpstreamError:
    return UpstreamUnreachable(
        target,
        "its name does not resolve",
        Problem.NAME_NOT_FOUND,
        "Check the spelling. If it is right, the name servers that this installation "
        "asks do not know the name.",
    )


def _connect_problem(target: UpstreamTarget, error: Any) -> UpstreamError:
    cause: OSError = error.os_error
    if isinstance(cause, AddressBlocked) or "is not a public address" in str(cause):
        return UpstreamUnreachable(
            target,
            "its address is not public",
            Problem.ADDRESS_NOT_PUBLIC,
            "Berth connects to registries on the public Internet. Whoever operates "
            "this installation can open a private network to it.",
        )
    if isinstance(cause, ConnectionRefusedError):
        return UpstreamUnreachable(
            target,
            "it refused the connection",
            Problem.CONNECTION_REFUSED,
            "Check the port, and that a firewall lets Berth in.",
        )
    return UpstreamUnreachable(
        target,
        "no connection could be made",
        Problem.NO_CONNECTION,
        "Check the host, and that a firewall lets Berth in.",
    )


_TRANSLATIONS: list[
    tuple[
        tuple[type[BaseException], ...],
        Callable[[UpstreamTarget, Any], UpstreamError],
    ]
] = [
    ((TimeoutError,), lambda target, _: UpstreamTimeout(target)),
    (
        (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError),
        _tls_problem,
    ),
    ((aiohttp.ClientConnectorDNSError,), _name_problem),
    ((aiohttp.ClientConnectorError,), _connect_problem),
    (
        (aiohttp.InvalidURL, ValueError),
        lambda target, _: UpstreamFault(target, "redirected to an unusable address"),
    ),
    (
        (aiohttp.ClientError, OSError),
        lambda target, _: UpstreamFault(target, "broke the connection"),
    ),
]
