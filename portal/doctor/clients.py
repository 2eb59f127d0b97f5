"""What clients see: TLS, where they are sent for tokens, and nginx before the edge."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import aiohttp
from django.conf import settings

from oci.challenge import parse_challenges
from portal.doctor.asking import Answer, NoAnswer, ask, certificate_end
from portal.doctor.findings import Finding, failed, ok, skipped, warning

RENEW_BEFORE = timedelta(days=14)
NAMES = "Check DNS, the load balancer or Ingress, and the certificates of nginx."


def scheme() -> str:
    """Return what clients use, by the portal's URL."""
    return urlsplit(settings.BERTH_PORTAL_URL).scheme or "https"


async def portal(session: aiohttp.ClientSession) -> Finding:
    """Ask the portal by its public URL."""
    check, url = "portal, as people see it", settings.BERTH_PORTAL_URL.rstrip("/")
    if not url:
        return skipped(check, "BERTH_PORTAL_URL is not set.")
    try:
        answer = await ask(session, f"{url}/readyz")
    except NoAnswer as error:
        return failed(check, f"{url} {error}.", NAMES)
    if answer.status != 200:
        text = f"{url}/readyz answers {answer.status}."
        return failed(
            check, text, f"{url}/readyz says why. Is the host in ALLOWED_HOSTS?"
        )
    return await _certificate(check, url) or ok(check, f"{url} is ready.")


async def realm(session: aiohttp.ClientSession) -> Finding:
    """Ask the proxy where clients get their tokens."""
    check = "proxy, as clients see it"
    if not settings.BERTH_PROXY_HOST:
        return skipped(check, "BERTH_PROXY_HOST is not set.")
    base = f"{scheme()}://{settings.BERTH_PROXY_HOST}"
    try:
        answer = await ask(session, f"{base}/v2/")
    except NoAnswer as error:
        return failed(check, f"{base} {error}.", NAMES)
    return (
        wrong_realm(check, base, answer, settings.BERTH_PROXY_SERVICE)
        or await _certificate(check, base)
        or ok(check, f"{base} sends clients to its own token service.")
    )


def wrong_realm(check: str, base: str, answer: Answer, service: str) -> Finding | None:
    """Return what is wrong with the challenge of a registry's ``/v2/``, if anything."""
    values = [answer.headers.get("WWW-Authenticate", "")]
    bearer = [item for item in parse_challenges(values) if item.scheme == "bearer"]
    if answer.status != 401 or not bearer:
        return failed(
            check,
            f"{base}/v2/ answers {answer.status}, and not 401 with a realm.",
            "Send /v2/ of this host to nginx and the edge. 421 or 400 is a host that "
            "is not in ALLOWED_HOSTS.",
        )
    sent = bearer[0].parameters
    realms = {f"{base}/v2/token", f"{scheme()}://{settings.BERTH_PROXY_HOST}/v2/token"}
    if sent.get("realm") not in realms:
        return failed(
            check,
            f"{base} sends clients to {sent.get('realm')} for tokens.",
            "nginx must pass X-Forwarded-Proto and the client's Host on, and its "
            "address must be in BERTH_TRUSTED_PROXIES.",
        )
    if sent.get("service") != service:
        text = f"{base} names the service {sent.get('service')}, and not {service}."
        return failed(
            check, text, "Give all processes the same BERTH_…_SERVICE settings."
        )
    return None


async def nginx(session: aiohttp.ClientSession) -> Finding:
    """Check that nginx is before the edge, and keeps its own questions from clients.

    Such a question, from outside, is 404 of nginx itself. The edge's own errors are
    JSON.
    """
    check = "nginx in front of the edge"
    if not settings.BERTH_PROXY_HOST:
        return skipped(check, "BERTH_PROXY_HOST is not set.")
    base = f"{scheme()}://{settings.BERTH_PROXY_HOST}"
    try:
        answer = await ask(session, f"{base}/v2/_pull")
    except NoAnswer as error:
        return skipped(check, f"{base} {error}.")
    is_of_edge = "json" in answer.headers.get("Content-Type", "")
    if answer.status == 404 and not is_of_edge:
        return ok(check, "It keeps its own questions from clients.")
    if settings.BERTH_PULL_LOG or settings.BERTH_CACHE_DIR:
        return failed(
            check,
            f"{base}/v2/_pull answers {answer.status}; nginx would answer 404.",
            "Put nginx with deploy/nginx/ before the edge: it counts pulls and serves "
            "the cache.",
        )
    return warning(
        check,
        f"{base}/v2/_pull answers {answer.status}: there is no nginx.",
        "The edge serves everything itself, and several edges count pulls twice. See "
        "docs/operations/nginx.md.",
    )


async def _certificate(check: str, url: str) -> Finding | None:
    ends = await certificate_end(url)
    if ends is None or ends - datetime.now(UTC) > RENEW_BEFORE:
        return None
    return warning(
        check,
        f"The certificate ends on {ends:%Y-%m-%d}.",
        "Renew it, and reload nginx.",
    )
