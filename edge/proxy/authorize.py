"""May this request go through? The token says who asks; live state says yes or no."""

from __future__ import annotations

import logging

from edge.http import Request
from edge.proxy.route import Route
from edge.services import EdgeServices
from registries.decision.pull import AllowedPull, Denied

logger = logging.getLogger(__name__)


async def authorize(
    request: Request, services: EdgeServices, route: Route
) -> AllowedPull:
    """Return the decision that lets the request through.

    Raises:
        RegistryError: 401 with a challenge, for no token, a bad one, a denied pull or
            a token for something else.
        django.db.Error: the database does not answer; nothing is allowed then.
    """
    gate = services.proxy_gate
    registry_token = gate.read_token(request, route.scope)
    decision = await services.decisions.decide(registry_token.subject, route.name)
    if isinstance(decision, Denied):
        logger.info(
            "Pull denied: %s for %s by %s",
            decision.reason.value,
            route.name,
            decision.subject or "a stranger",
        )
        services.pulls.count(decision, route.pulled, request.method)
        raise gate.denied(request, route.scope, decision)
    if not registry_token.allows("repository", str(route.name), "pull"):
        raise gate.challenge(request, route.scope, "insufficient_scope")
    return decision
