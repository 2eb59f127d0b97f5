"""May this request go through? The token says who asks; live state says yes or no."""

from __future__ import annotations

import logging

from django.conf import settings

from edge.http import RegistryError, Request
from edge.proxy.route import Route
from edge.services import EdgeServices
from edge.token.registry_token import RegistryToken, TokenInvalid
from oci.challenge import format_bearer_challenge
from oci.errors import ErrorCode
from registries.authorization import Allowed, Denied

logger = logging.getLogger(__name__)


async def authorize(request: Request, services: EdgeServices, route: Route) -> Allowed:
    """Return the decision that lets the request through.

    Raises:
        RegistryError: 401 with a challenge, for no token, a bad one, a denied pull or
            a token for something else.
        django.db.Error: the database does not answer; nothing is allowed then.
    """
    registry_token = read_token(request, services, route.scope)
    decision = await services.decisions.decide(registry_token.subject, route.name)
    if isinstance(decision, Denied):
        logger.info(
            "Pull denied: %s for %s by %s",
            decision.reason.value,
            route.name,
            decision.subject or "a stranger",
        )
        services.pulls.count(decision, route, request.method)
        raise _denied(request, route, decision)
    if not registry_token.allows("repository", str(route.name), "pull"):
        raise challenge(request, route.scope, "insufficient_scope")
    return decision


def read_token(request: Request, services: EdgeServices, scope: str) -> RegistryToken:
    """Return the verified token of a request, or raise the challenge to get one."""
    scheme, _, text = request.header("authorization").partition(" ")
    if scheme.lower() != "bearer":
        raise challenge(request, scope)
    try:
        return services.verifier.verify(text.strip())
    except TokenInvalid:
        raise challenge(request, scope, "invalid_token") from None


def challenge(request: Request, scope: str, error: str | None = None) -> RegistryError:
    """Tell a client where to get a token for what (auth/token.md)."""
    return RegistryError(
        401,
        ErrorCode.UNAUTHORIZED,
        "Log in with any username and your license ID as the password.",
        headers=[_challenge_header(request, scope, error)],
    )


def _denied(request: Request, route: Route, denied: Denied) -> RegistryError:
    # The sentence is in the challenge too: containerd asks with HEAD, whose answer
    # has no body, and prints the challenge's error as it is.
    return RegistryError(
        401,
        ErrorCode.DENIED,
        denied.message,
        headers=[_challenge_header(request, route.scope, denied.message)],
        detail={"reason": denied.public_reason.value},
    )


def _challenge_header(
    request: Request, scope: str, error: str | None
) -> tuple[str, str]:
    header = format_bearer_challenge(
        realm=f"{request.origin}/v2/token",
        service=settings.BERTH_PROXY_SERVICE,
        scope=scope or None,
        error=error,
    )
    return ("WWW-Authenticate", header)
