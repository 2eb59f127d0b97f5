"""``/v2/token``: parse, authenticate, grant, issue."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from django.conf import settings

from edge.facts import in_time
from edge.http import RegistryError, Request, method_not_allowed
from edge.pull_counter import PulledImage
from edge.services import EdgeServices
from edge.token.grant import granted, wanted_image
from edge.token.limits import (
    check_failures_here,
    count_anonymous,
    count_failure,
    count_password,
    count_request,
)
from edge.token.parse import TokenRequest, parse_token_request
from licenses.services import is_use_noted, touch_pull_credential
from oci.errors import ErrorCode
from oci.reference import MalformedName, parse_repository
from oci.scope import Scope
from registries.decision.credentials import PresentedCredential, PullCredential
from registries.decision.facts import (
    ApiTokenHolder,
    Facts,
    Holder,
    LicenseHolder,
    UserHolder,
)
from registries.decision.image import ImageAccess
from registries.decision.passwords import authorize_password_login
from registries.decision.pull import Denied, decide_login
from registries.decision.query import FactsQuery
from teams.api_tokens import touch_api_token, was_used_long_ago

T = TypeVar("T")
# nginx sends it where it asks ``/v2/_authorize`` before each request.
ASKED_PER_REQUEST = "x-berth-asked-per-request"
PROXY_TOKEN_SECONDS = 300
PRIVATE_REGISTRY_TOKEN_SECONDS = 60


async def serve_token(request: Request, services: EdgeServices) -> None:
    """Answer a token request.

    Raises:
        RegistryError: 400 malformed, 401 refused, 405, 429 too many.
    """
    if request.method not in {"GET", "HEAD", "POST"}:
        raise method_not_allowed(
            "The token service accepts GET and POST.", ("GET", "HEAD", "POST")
        )
    wanted = await parse_token_request(request)
    async with in_time():
        answer = await request.while_connected(_answer(request, services, wanted))
    await request.answer_json(200, answer, [("Cache-Control", "no-store")])


async def _answer(
    request: Request, services: EdgeServices, wanted: TokenRequest
) -> dict[str, object]:
    service, lifetime_seconds = _service(wanted.service)
    facts = await _authenticate(request, services, service, wanted)
    holder = facts.holder if facts else None
    grants = []
    if facts and holder:
        grants = granted(service, wanted.scopes, facts, request.address)
    issued_at = datetime.now(UTC).replace(microsecond=0)
    registry_token = services.issuer.issue(
        subject=holder.subject if holder else None,
        service=service,
        grants=grants,
        issued_at=issued_at,
        lifetime_seconds=lifetime_seconds,
    )
    answer: dict[str, object] = {
        "token": registry_token,
        "access_token": registry_token,
        "expires_in": lifetime_seconds,
        "issued_at": issued_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if wanted.is_oauth:
        answer["scope"] = " ".join(str(scope) for scope in grants)
    return answer


def _service(name: str) -> tuple[str, int]:
    if name in {"", settings.BERTH_PROXY_SERVICE}:
        return settings.BERTH_PROXY_SERVICE, PROXY_TOKEN_SECONDS
    if name == settings.BERTH_REGISTRY_SERVICE:
        return settings.BERTH_REGISTRY_SERVICE, PRIVATE_REGISTRY_TOKEN_SECONDS
    raise RegistryError(400, ErrorCode.UNSUPPORTED, "Unknown service. Check the realm.")


async def _authenticate(
    request: Request, services: EdgeServices, service: str, wanted: TokenRequest
) -> Facts | None:
    """Return what is known of the login; None for an anonymous request."""
    presented = wanted.credential
    if presented is None:
        await count_anonymous(request, services.counts)
        return None
    check_failures_here(request)
    # To its end even if the client leaves, so that every guess is counted.
    facts = await _to_its_end(_look_up(request, services, service, wanted))
    login: Holder | Denied = decide_login(
        facts,
        request.address,
        is_private=service == settings.BERTH_REGISTRY_SERVICE,
        even_if_inactive=bool(wanted.scopes) and _is_decided_later(request, service),
    )
    if facts.holder is None and presented.may_be_account_password:
        login = await _try_password(request, services, service, presented)
        if isinstance(login, UserHolder):
            facts = await _facts(request, services, service, wanted, login.subject)
    if isinstance(login, Denied):
        _count_refused(services, service, wanted.scopes, login)
        raise RegistryError(
            401,
            ErrorCode.UNAUTHORIZED,
            login.message,
            headers=[("WWW-Authenticate", 'Basic realm="Berth"')],
            detail={"reason": login.reason.value},
        )
    _note_use(request, services, facts)
    return facts


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Do work even if the client leaves, and then keep its error to yourself."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda task: task.cancelled() or task.exception())
    return await asyncio.shield(task)


async def _look_up(
    request: Request, services: EdgeServices, service: str, wanted: TokenRequest
) -> Facts:
    """Identify the holder, and count the login, the password or the failure."""
    facts = await _facts(request, services, service, wanted, wanted.credential)
    if facts.holder is not None:
        subject = facts.holder.subject
        await count_request(request, services.counts, subject, len(wanted.scopes))
    elif wanted.credential and wanted.credential.may_be_account_password:
        await count_password(request, services.counts)
    else:
        await count_failure(request, services.counts)
    return facts


async def _facts(
    request: Request,
    services: EdgeServices,
    service: str,
    wanted: TokenRequest,
    credential: PullCredential,
) -> Facts:
    images = [wanted_image(service, scope) for scope in wanted.scopes]
    return await services.token_facts.fetch_for(
        _turn(wanted),
        FactsQuery(credential, images, with_secrets=False),
        other_turn=services.token_addresses.turn(request.neighbourhood),
    )


async def _try_password(
    request: Request,
    services: EdgeServices,
    service: str,
    presented: PresentedCredential,
) -> UserHolder | Denied:
    """Hash a password that was counted."""
    is_private = service == settings.BERTH_REGISTRY_SERVICE
    return await services.password_threads.call_for(
        request.neighbourhood,
        lambda: authorize_password_login(presented, is_private=is_private),
    )


def _note_use(request: Request, services: EdgeServices, facts: Facts) -> None:
    """Store in the background that a credential was used, unless that is known."""
    holder = facts.holder
    if isinstance(holder, ApiTokenHolder) and was_used_long_ago(holder.last_used_at):
        touch = partial(touch_api_token, holder.team_id, holder.id)
        services.background.start(touch)
    if not isinstance(holder, LicenseHolder) or holder.credential is None:
        return
    # What may not pull anything gets an empty token, and is not in use.
    is_refused = isinstance(decide_login(facts, request.address), Denied)
    credential = holder.credential
    if not is_refused and not is_use_noted(
        credential.id, credential.last_used_at, request.address
    ):
        services.background.start(
            partial(
                touch_pull_credential,
                holder.team_id,
                credential.id,
                request.address,
                request.header("user-agent"),
            )
        )


def _turn(wanted: TokenRequest) -> int:
    """Return what a login's requests have in common before it is identified."""
    return hash(wanted.credential and wanted.credential.password.reveal())


def _is_decided_later(request: Request, service: str) -> bool:
    """Return whether the edge is asked again about what the token will be used for.

    Then that answer says what is wrong with an inactive license, and all clients print
    it. containerd prints none of the token service's, and Distribution's own answer,
    without nginx, says nothing but "denied".

    The edge is asked for every request to the proxy; for those to the private registry
    if nginx is in front of it and says so (deploy/nginx/berth.conf). A client that
    sends the header itself gains nothing: what an inactive license gets is a token for
    nothing.
    """
    is_private = service == settings.BERTH_REGISTRY_SERVICE
    return not is_private or request.header(ASKED_PER_REQUEST) == "1"


def _count_refused(
    services: EdgeServices, service: str, scopes: list[Scope], denied: Denied
) -> None:
    """Count pulls that end here, before the client names a tag."""
    if service != settings.BERTH_REGISTRY_SERVICE:
        return
    for scope in scopes:
        if scope.type != "repository" or "pull" not in scope.actions:
            continue
        with suppress(MalformedName):
            access = ImageAccess(parse_repository(scope.name), "pull")
            image = PulledImage(access.application, access.image, "", is_private=True)
            services.pulls.count(denied, image, "GET")
