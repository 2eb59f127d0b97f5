"""``/v2/_authorize``: what nginx asks before each request to the private registry.

nginx names the request in ``X-Original-Method`` and ``X-Original-URI``, and passes the
client's ``Authorization`` on (deploy/nginx/berth.conf). Anybody but a proxy of
BERTH_TRUSTED_PROXIES gets 404.
"""

from __future__ import annotations

import logging

from edge.facts import in_time
from edge.http import RegistryError, Request
from edge.registry.route import Wanted, parse_wanted
from edge.services import EdgeServices
from oci.errors import ErrorCode
from registries.decision.image import ImageAccess
from registries.decision.pull import Decision, Denied, denied, within_networks
from registries.decision.sentences import catalog_not_listed
from registries.models.outcomes import Reason
from registries.tokens.registry_token import RegistryToken

logger = logging.getLogger(__name__)
# Mistakes of a vendor whose login is valid: the name, or the action.
_MISTAKES = {
    Reason.APPLICATION_MISMATCH,
    Reason.REPOSITORY_NOT_ALLOWED,
    Reason.ACTION_NOT_ALLOWED,
}


async def serve_authorize(request: Request, services: EdgeServices) -> None:
    """Answer 200 if a request may go on to the registry.

    Raises:
        RegistryError: it may not. nginx uses nothing but the status.
    """
    async with in_time():
        await _authorize(request, services, _wanted(request), counted=True)
    await request.answer(200, [], b"")


async def serve_refusal(request: Request, services: EdgeServices) -> None:
    """Answer a refused request, since nginx drops the body of ``_authorize``.

    Raises:
        RegistryError: always, as the client's answer.
    """
    async with in_time():
        await _authorize(request, services, _wanted(request), counted=False)
    raise RegistryError(
        503,
        ErrorCode.UNAVAILABLE,
        "Access could not be checked. Try again.",
        headers=[("Retry-After", "1")],
    )


def _wanted(request: Request) -> Wanted:
    method, uri = request.header("x-original-method"), request.header("x-original-uri")
    return parse_wanted(method, uri)


async def _authorize(
    request: Request, services: EdgeServices, wanted: Wanted, *, counted: bool
) -> None:
    """Return if a request may go on; ``counted`` counts refused pulls.

    Raises:
        RegistryError: 401 with a challenge, for a missing or invalid token, a denied
            access or a token for another access.
        django.db.Error: the database does not answer; nothing is allowed then.
    """
    gate = services.registry_gate
    registry_token = gate.read_token(request, wanted.scope)
    if refused := _refused(registry_token, wanted):
        raise gate.denied(request, wanted.scope, refused)
    for access in wanted.accesses:
        decision = await _decide(request, services, registry_token, access)
        if isinstance(decision, Denied):
            logger.info(
                "%s denied: %s for %s by %s",
                access.action.capitalize(),
                decision.reason.value,
                access.repository,
                decision.who,
            )
            if counted:
                services.pulls.count(decision, wanted.pulled, wanted.method)
            if _is_denied_push(wanted, decision):
                raise RegistryError(404, ErrorCode.BLOB_UNKNOWN, decision.message)
            raise gate.denied(request, wanted.scope, decision)
    for access in wanted.accesses:
        if not _is_granted(registry_token, access):
            raise gate.challenge(request, wanted.scope, "insufficient_scope")


async def _decide(
    request: Request,
    services: EdgeServices,
    registry_token: RegistryToken,
    access: ImageAccess,
) -> Decision:
    decisions, subject = services.image_decisions, registry_token.subject
    decision = within_networks(await decisions.decide(subject, access), request.address)
    if isinstance(decision, Denied) or _is_granted(registry_token, access):
        return decision
    # A revocation may be older than the token and newer than this decision.
    decision = await decisions.decide_now(subject, access)
    return within_networks(decision, request.address)


def _is_granted(registry_token: RegistryToken, access: ImageAccess) -> bool:
    return registry_token.allows("repository", access.repository, access.action)


def _refused(registry_token: RegistryToken, wanted: Wanted) -> Denied | None:
    """Return what refuses a request whatever live state says."""
    if wanted.is_catalog:
        return denied(catalog_not_listed())
    return registry_token.refusal


def _is_denied_push(wanted: Wanted, denied: Denied) -> bool:
    """Return whether this HEAD of a blob is the start of a vendor's push.

    podman and skopeo give up at a 401, which has no body here, and print no reason.
    After a 404 they ask for the upload, and print the sentence of that answer.
    """
    is_vendor = denied.subject is not None and denied.license_id is None
    return wanted.is_probe and is_vendor and denied.reason in _MISTAKES
