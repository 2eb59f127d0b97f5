"""``/v2/proxy/…``: route, authorize, ask the upstream, pass its answer on."""

from __future__ import annotations

import logging
import uuid
from functools import partial
from urllib.parse import quote, urlencode

import aiohttp

from edge.http import RegistryError, Request, method_not_allowed
from edge.proxy.refusals import refusal
from edge.proxy.route import Kind, Route, parse_route
from edge.proxy.small_objects import is_worth_keeping, small_object_key
from edge.proxy.stream import Whole, relay
from edge.services import EdgeServices
from oci.errors import ErrorCode
from oci.media_types import DEFAULT_MANIFEST_ACCEPT
from oci.range import MalformedRange, parse_range
from registries.decision.credentials import Subject
from registries.decision.pull import AllowedPull, Denied
from registries.pulls.events import queue_check
from registries.upstream.client import UpstreamRequest
from registries.upstream.errors import (
    CredentialRejected,
    RepositoryDenied,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamTimeout,
)
from registries.upstream.target import pull_target

logger = logging.getLogger(__name__)
_PASSED_ON = ("if-none-match", "if-modified-since", "if-range")


async def serve_proxy(request: Request, services: EdgeServices) -> None:
    """Answer one request for a proxied image.

    Raises:
        RegistryError: in the form that registry clients print.
        django.db.Error: the database does not answer; nothing is allowed then.
    """
    if request.method not in {"GET", "HEAD"}:
        raise method_not_allowed(
            "The proxy only serves pulls. Push to your vendor's own registry.",
            ("GET", "HEAD"),
        )
    route = parse_route(request.path)
    headers = _upstream_headers(request, route)
    query = _upstream_query(request, route)
    allowed = await _authorize(request, services, route)
    try:
        await _answer(request, services, route, allowed, headers, query)
    except UpstreamError as error:
        _report(error, services, route)
        services.pulls.count(allowed, route.pulled, request.method, error.code)
        raise client_error(error) from error
    services.pulls.count(allowed, route.pulled, request.method)


async def _authorize(
    request: Request, services: EdgeServices, route: Route
) -> AllowedPull:
    """Return the decision that lets the request through.

    Raises:
        RegistryError: 401 with a challenge, for a missing or invalid token, a denied
            pull or a token for another repository.
    """
    gate = services.proxy_gate
    registry_token = gate.read_token(request, route.scope)
    decision = await services.decisions.decide(registry_token.subject, route.name)
    if isinstance(decision, Denied):
        logger.info(
            "Pull denied: %s for %s by %s",
            decision.reason.value,
            route.name,
            decision.subject or "an unknown credential",
        )
        services.pulls.count(decision, route.pulled, request.method)
        raise gate.denied(request, route.scope, decision)
    if not registry_token.allows("repository", str(route.name), "pull"):
        raise gate.challenge(request, route.scope, "insufficient_scope")
    return decision


def _upstream_headers(request: Request, route: Route) -> dict[str, str]:
    headers = {name: value for name in _PASSED_ON if (value := request.header(name))}
    accept = request.header("accept")
    if route.kind is Kind.MANIFESTS:
        # Without a manifest type, a registry may answer 404 for a manifest it has.
        accept = DEFAULT_MANIFEST_ACCEPT if accept in {"", "*/*"} else accept
    headers["Accept"] = accept or "*/*"
    if wanted := request.header("range"):
        try:
            headers["Range"] = parse_range(wanted)
        except MalformedRange as error:
            raise RegistryError(416, ErrorCode.RANGE_INVALID, str(error)) from error
    return headers


def _upstream_query(request: Request, route: Route) -> str:
    if route.kind not in {Kind.TAGS, Kind.REFERRERS}:
        return ""
    # Links to further pages of a list carry parameters of the upstream's choice.
    pairs = request.query
    texts = [text for pair in pairs for text in pair]
    if not all(text.isprintable() and len(text) <= 1024 for text in texts):
        raise RegistryError(400, ErrorCode.UNSUPPORTED, "The parameters are not valid.")
    return f"?{urlencode(pairs, quote_via=quote)}" if pairs else ""


async def _answer(
    request: Request,
    services: EdgeServices,
    route: Route,
    allowed: AllowedPull,
    headers: dict[str, str],
    query: str,
) -> None:
    """Answer from memory, or as the upstream does; raises its UpstreamError."""
    key = small_object_key(request, route, allowed)
    if key and (kept := services.small_objects.get(key)):
        await request.answer(200, kept.headers, kept.body)
        return
    response = await services.upstream.open(
        pull_target(allowed.registry),
        UpstreamRequest(
            method=request.method,
            path=route.upstream_path(allowed.repository) + query,
            scope=f"repository:{allowed.repository}:pull",
            headers=headers,
        ),
    )
    try:
        whole = await _pass_on(request, services, route, allowed, response)
    finally:
        response.close()
    if key and whole and is_worth_keeping(whole, route.reference):
        services.small_objects[key] = whole


def _report(error: UpstreamError, services: EdgeServices, route: Route) -> None:
    logger.warning(
        "Upstream failed for %s: %s: %s",
        *(route.name, error.code, error.detail_for_vendor),
    )
    if isinstance(error, CredentialRejected | RepositoryDenied):
        _check(services, error.target.registry_id)


def _check(
    services: EdgeServices, registry_id: uuid.UUID, *, after_success: bool = False
) -> None:
    """Queue a check, unless this process did for this cause within a minute."""
    if (registry_id, after_success) in services.checks_queued:
        return
    services.checks_queued[registry_id, after_success] = True
    check = partial(queue_check, registry_id, after_success=after_success)
    services.background.start(check)


def client_error(error: UpstreamError) -> RegistryError:
    """Return the answer to a client whose upstream failed."""
    if isinstance(error, UpstreamRateLimited):
        retry = [("Retry-After", error.retry_after)] if error.retry_after else []
        return RegistryError(
            429, ErrorCode.TOOMANYREQUESTS, error.message, headers=retry
        )
    status = 504 if isinstance(error, UpstreamTimeout) else 502
    return RegistryError(
        status, ErrorCode.UNAVAILABLE, error.message, detail={"reason": error.code}
    )


async def _pass_on(
    request: Request,
    services: EdgeServices,
    route: Route,
    allowed: AllowedPull,
    response: aiohttp.ClientResponse,
) -> Whole | None:
    if response.status in {200, 206, 304}:
        if allowed.registry.is_disproved_by_pulls and route.pulled:
            # A pull that worked is evidence that the trouble has ended.
            _check(services, allowed.registry.id, after_success=True)
        return await relay(
            request,
            response,
            route,
            allowed.subject,
            partial(_is_still_allowed, services, route, allowed.subject),
        )
    raise await refusal(response, route, allowed.repository)


async def _is_still_allowed(
    services: EdgeServices, route: Route, subject: Subject
) -> bool:
    """Decide once more; raises django.db.Error when that cannot be done."""
    # Over a connection of its own: no request delays it, not even of the same login.
    decision = await services.download_decisions.decide(subject, route.name)
    if isinstance(decision, Denied):
        logger.info(
            "Download denied: %s for %s by %s",
            *(decision.reason.value, route.name, subject),
        )
    return not isinstance(decision, Denied)
