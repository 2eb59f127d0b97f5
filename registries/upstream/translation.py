"""Upstream errors for exceptions of the HTTP client and of providers."""

from __future__ import annotations

from portal.outbound import Failure, certificate_problem, failure_of
from registries.providers import LoginNotMade
from registries.providers.problems import Problem
from registries.upstream.errors import (
    ConnectionBroke,
    CredentialRejected,
    UpstreamError,
    UpstreamFault,
    UpstreamRateLimited,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from registries.upstream.target import UpstreamTarget


def translate(error: BaseException, target: UpstreamTarget) -> UpstreamError | None:
    """Return the upstream error for an exception of the HTTP client, if it is one."""
    failure = failure_of(error)
    if failure in _UNREACHABLE:
        return UpstreamUnreachable(target, *_UNREACHABLE[failure])
    match failure:
        case None:
            return None
        case Failure.TIMEOUT:
            return UpstreamTimeout(target)
        case Failure.BAD_CERTIFICATE:
            return UpstreamUnreachable(
                target,
                "its TLS certificate is not valid",
                Problem.TLS,
                f"Renew or replace the certificate: {certificate_problem(error)}.",
            )
        case Failure.BAD_ADDRESS:
            return UpstreamFault(target, "redirected to an unusable address")
        case _:
            return ConnectionBroke(target)


def login_not_made(failure: LoginNotMade, target: UpstreamTarget) -> UpstreamError:
    """Return the upstream error for a provider that could not make a login."""
    error = _not_made(failure, target)
    error.not_made = failure
    error.problem = failure.problem
    error.http_status = None  # the registry itself was not asked
    return error


def _not_made(failure: LoginNotMade, target: UpstreamTarget) -> UpstreamError:
    match failure.problem:
        case Problem.WRONG_CREDENTIAL | Problem.NOT_LET_IN:
            return CredentialRejected(target)
        case Problem.RATE_LIMITED:
            return UpstreamRateLimited(target, "")
        case Problem.TIMEOUT:
            return UpstreamTimeout(target)
        case Problem.NO_CONNECTION:
            reason = "the service that makes its passwords does not answer"
            return UpstreamUnreachable(target, reason, failure.problem, failure.advice)
        case _:
            return UpstreamFault(target, "gave Berth no password to sign in with")


_UNREACHABLE = {
    Failure.NO_TLS: (
        "it does not speak TLS",
        Problem.TLS,
        "Check the port: registries answer by HTTPS, usually on port 443.",
    ),
    Failure.NAME_NOT_RESOLVED: (
        "its name does not resolve",
        Problem.NAME_NOT_FOUND,
        "Check the spelling. This installation's name servers do not know the name.",
    ),
    Failure.ADDRESS_NOT_PUBLIC: (
        "its address is not public",
        Problem.ADDRESS_NOT_PUBLIC,
        (
            "Berth connects to registries on the public Internet. The operator can "
            "allow private networks."
        ),
    ),
    Failure.REFUSED: (
        "it refused the connection",
        Problem.CONNECTION_REFUSED,
        "Check the port, and that a firewall lets Berth in.",
    ),
    Failure.NO_CONNECTION: (
        "no connection could be made",
        Problem.NO_CONNECTION,
        "Check the host, and that a firewall lets Berth in.",
    ),
}
