"""Whether the registry token of a request and live state let it read a repository."""

from __future__ import annotations

import logging

from edge.http import Request
from edge.services import EdgeServices
from registries.decision.proxied_name import ProxiedName
from registries.decision.pull import AllowedPull, Denied, within_networks

logger = logging.getLogger(__name__)


async def decide(
    request: Request, services: EdgeServices, name: ProxiedName, *, now: bool = False
) -> AllowedPull | Denied:
    """Return the decision; ``now`` takes none from memory.

    Raises:
        RegistryError: 401 with a challenge, for a missing or invalid token, or one for
            another repository.
        django.db.Error: the database does not answer; nothing is allowed then.
    """
    gate = services.proxy_gate
    registry_token = gate.read_token(request, name.scope)
    is_granted = registry_token.allows("repository", str(name), "pull")
    decision: AllowedPull | Denied
    if registry_token.refusal is not None:
        decision = registry_token.refusal
    else:
        ask = services.decisions.decide_now if now else services.decisions.decide
        decision = await ask(registry_token.subject, name)
        if isinstance(decision, AllowedPull) and not (is_granted or now):
            # A revocation may be older than the token and newer than this decision.
            decision = await services.decisions.decide_now(registry_token.subject, name)
        decision = within_networks(decision, request.address)
    if isinstance(decision, Denied):
        logger.info(
            "Pull denied: %s for %s by %s",
            decision.reason.value,
            name,
            decision.who,
        )
    elif not is_granted:
        raise gate.challenge(request, name.scope, "insufficient_scope")
    return decision
