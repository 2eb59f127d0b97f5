"""``/v2/proxy/…``: route, authorize, answer from what is kept or from upstream."""

from __future__ import annotations

import logging
from urllib.parse import quote, urlencode

from edge.http import RegistryError, Request, method_not_allowed
from edge.proxy.access import decide
from edge.proxy.exchange import Exchange
from edge.proxy.objects import answer_object
from edge.proxy.route import Kind, Route, parse_route
from edge.proxy.tags import answer_tag
from edge.services import EdgeServices
from oci.errors import ErrorCode
from oci.media_types import DEFAULT_MANIFEST_ACCEPT
from oci.range import MalformedRange, parse_range
from registries.decision.pull import AllowedPull, Denied
from registries.upstream.errors import (
    CredentialRejected,
    RepositoryDenied,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamTimeout,
)

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
    services.pulls.name_in_log(allowed, request)
    exchange = Exchange(request, services, route, allowed, headers, query)
    try:
        await _answer(exchange)
        services.pulls.count_answer(allowed, route.pulled, request)
    except UpstreamError as error:
        _report(error, exchange)
        services.pulls.count(allowed, route.pulled, request.method, error.code)
        raise client_error(error) from error
    finally:
        services.pulls.count_bytes(allowed, request)


async def _authorize(
    request: Request, services: EdgeServices, route: Route
) -> AllowedPull:
    """Return the decision that lets the request through.

    Raises:
        RegistryError: 401 with a challenge, for a missing or invalid token, a denied
            pull or a token for another repository.
    """
    decision = await decide(request, services, route.name)
    if isinstance(decision, Denied):
        services.pulls.count(decision, route.pulled, request.method)
        raise services.proxy_gate.denied(request, route.scope, decision)
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


async def _answer(exchange: Exchange) -> None:
    """Answer from what is kept, or as the upstream does; raises its UpstreamError."""
    if exchange.route.is_immutable:
        await answer_object(exchange)
    elif exchange.route.kind is Kind.MANIFESTS:
        await answer_tag(exchange)
    else:
        await exchange.ask()


def _report(error: UpstreamError, exchange: Exchange) -> None:
    logger.warning(
        "Upstream failed for %s: %s: %s",
        *(exchange.route.name, error.code, error.detail_for_vendor),
    )
    if isinstance(error, CredentialRejected | RepositoryDenied):
        exchange.check(error.target.registry_id)


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
