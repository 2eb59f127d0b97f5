"""The private registry: it trusts Berth, and nobody reaches it past nginx."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import uuid
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp
from django.conf import settings

from oci.scope import Scope
from portal.doctor.asking import NoAnswer, ask
from portal.doctor.clients import NAMES, scheme, wrong_realm
from portal.doctor.findings import Finding, failed, ok, skipped
from registries.decision.credentials import Subject, SubjectKind
from registries.tokens.registry_token import TokenIssuer
from registries.tokens.signing_keys import SigningKey, SigningKeyError

REPOSITORY = "doctor/nothing"
BEHIND_NGINX = (
    "Send all of /v2/ of this host through the nginx of deploy/nginx/, and let nobody "
    "else connect to the registry: a revoked license could go on for minutes."
)


async def behind(session: aiohttp.ClientSession) -> Finding:
    """Check that the registry answers Berth, and accepts its tokens."""
    check = "private registry, as Berth sees it"
    url = settings.BERTH_REGISTRY_URL.rstrip("/")
    if not url:
        return skipped(check, "There is none: BERTH_REGISTRY_URL is not set.")
    try:
        token = _token()
        answer = await ask(session, f"{url}/v2/", token)
    except SigningKeyError:
        return skipped(check, "Not asked without a signing key.")
    except NoAnswer as error:
        advice = "Check BERTH_REGISTRY_URL, and that the registry runs."
        return failed(check, f"{url} {error}.", advice)
    if answer.status == 401:
        return failed(
            check,
            f"{url} does not accept Berth's tokens.",
            "Run manage.py write_registry_config … --force, restart the registry, and "
            "compare the clocks of both hosts.",
        )
    if answer.status != 200:
        return failed(
            check,
            f"{url}/v2/ answers {answer.status}.",
            "503 means that its storage does not respond: see its log.",
        )
    return ok(check, f"{url} accepts Berth's tokens.")


async def in_front(session: aiohttp.ClientSession) -> Finding:
    """Check that each request to the registry's public host is decided by the edge.

    The question has a valid token of a license that does not exist. The registry would
    believe it; the edge, which nginx asks, does not.
    """
    check = "private registry, as clients see it"
    if not settings.BERTH_REGISTRY_HOST:
        return skipped(check, "There is none: BERTH_REGISTRY_HOST is not set.")
    base = f"{scheme()}://{settings.BERTH_REGISTRY_HOST}"
    try:
        greeting = await ask(session, f"{base}/v2/")
        problem = wrong_realm(check, base, greeting, settings.BERTH_REGISTRY_SERVICE)
        if problem:
            return problem
        url = f"{base}/v2/{REPOSITORY}/manifests/latest"
        answer = await ask(session, url, _token_of_nobody())
    except SigningKeyError:
        return skipped(check, "Not asked without a signing key.")
    except NoAnswer as error:
        return failed(check, f"{base} {error}.", NAMES)
    return _answer_to_nobody(check, base, answer.status)


def _answer_to_nobody(check: str, base: str, status: int) -> Finding:
    if status == 401:
        return ok(check, f"{base} asks Berth about each request.")
    if status >= 500:
        text = f"{base} answers {status}."
        return failed(check, text, "Check that edge and registry run.")
    text = f"{base} answers {status} to a license that does not exist."
    return failed(check, text, BEHIND_NGINX)


async def beside(session: aiohttp.ClientSession) -> Finding:
    """Check that the registry's own port is closed on its public host."""
    check = "private registry, past nginx"
    own = urlsplit(settings.BERTH_REGISTRY_URL)
    host = urlsplit(f"//{settings.BERTH_REGISTRY_HOST}")
    port = own.port or (443 if own.scheme == "https" else 80)
    public_port = host.port or (443 if scheme() == "https" else 80)
    if not own.hostname or not host.hostname:
        return skipped(check, "There is none.")
    if port == public_port or await _is_loopback(host.hostname):
        return skipped(check, "Not tried: its public host is this one, or its port.")
    url = f"{own.scheme}://{host.hostname}:{port}"
    try:
        answer = await ask(session, f"{url}/v2/")
    except NoAnswer:
        return ok(check, f"{url} does not answer.")
    return failed(check, f"{url} answers {answer.status}.", BEHIND_NGINX)


async def _is_loopback(hostname: str) -> bool:
    """Return whether a name leads to this host, where all ports are open."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(item[4][0]).is_loopback for item in found)


def _token_of_nobody() -> str:
    return _token(
        Subject(SubjectKind.LICENSE, uuid.uuid4()),
        Scope("repository", REPOSITORY, ("pull",)),
    )


def _token(subject: Subject | str = "berth", *grants: Scope) -> str:
    """Sign a token for a minute.

    Raises:
        SigningKeyError: there is no key.
    """
    key = SigningKey.parse(settings.BERTH_TOKEN_SIGNING_KEY)
    return TokenIssuer(key).issue(
        subject=subject,
        service=settings.BERTH_REGISTRY_SERVICE,
        grants=list(grants),
        issued_at=datetime.now(UTC),
        lifetime_seconds=60,
    )
