"""``/v2/token``: parse, authenticate, grant, issue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from django.conf import settings

from edge.fair_threads import in_time
from edge.http import RegistryError, Request, method_not_allowed
from edge.pull_counter import PulledImage
from edge.services import EdgeServices
from edge.token.limits import (
    count_anonymous,
    count_failure,
    count_password,
    count_request,
    limit_failures,
)
from edge.token.parse import TokenRequest, parse_token_request
from oci.errors import ErrorCode
from oci.reference import MalformedName, parse_repository
from oci.scope import Scope
from registries.decision.credentials import (
    ApiTokenHolder,
    Holder,
    LicenseHolder,
    PresentedCredential,
)
from registries.decision.image import ImageAccess
from registries.decision.proxied_name import parse_proxied_name
from registries.decision.pull import (
    PRIVATE_REGISTRY,
    Allowed,
    Denied,
    allowed_vendor_actions,
    authorize_login,
    authorize_password_login,
    authorize_pull,
)
from teams.api_tokens import touch_api_token

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
    holder = await _authenticate(request, services, service, wanted)
    grants = await _grant(services, service, wanted, holder)
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
) -> Holder | None:
    """Return the holder of the credential; None for an anonymous request."""
    presented = wanted.credential
    if presented is None:
        await count_anonymous(request, services)
        return None
    await limit_failures(request, services)
    decided_later = bool(wanted.scopes) and _is_decided_later(request, service)
    identify = partial(_identify, presented, service, decided_later=decided_later)
    # To its end even if the client leaves, so that every guess is counted.
    login = await asyncio.shield(
        _look_up(request, services, presented, len(wanted.scopes), identify)
    )
    if login.subject is None and presented.may_be_account_password:
        login = await _try_password(
            request, services, presented, len(wanted.scopes), service
        )
    if isinstance(login, Denied):
        _count_refused(services, service, wanted.scopes, login)
        raise RegistryError(
            401,
            ErrorCode.UNAUTHORIZED,
            login.message,
            headers=[("WWW-Authenticate", 'Basic realm="Berth"')],
            detail={"reason": login.reason.value},
        )
    return login


async def _look_up(
    request: Request,
    services: EdgeServices,
    presented: PresentedCredential,
    scopes: int,
    identify: Callable[[], Holder | Denied],
) -> Holder | Denied:
    """Identify the holder, and count the login, the password or the failure."""
    login = await services.token_threads.call_for(
        _turn(presented),
        identify,
        other_turn=services.token_addresses.turn(request.neighbourhood),
    )
    if login.subject is not None:
        await count_request(services, login.subject, scopes)
    elif presented.may_be_account_password:
        await count_password(request, services)
    else:
        await count_failure(request, services)
    return login


async def _try_password(
    request: Request,
    services: EdgeServices,
    presented: PresentedCredential,
    scopes: int,
    service: str,
) -> Holder | Denied:
    """Hash a password that was counted, and count its login or failure."""
    is_private = service == settings.BERTH_REGISTRY_SERVICE
    login = await services.password_threads.call_for(
        request.neighbourhood,
        lambda: authorize_password_login(presented, is_private=is_private),
    )
    if login.subject is None:
        await count_failure(request, services)
    else:
        await count_request(services, login.subject, scopes)
    return login


def _turn(presented: PresentedCredential) -> int:
    """Return what a login's requests have in common before it is identified."""
    return hash(presented.password.reveal())


def _is_decided_later(request: Request, service: str) -> bool:
    """Return whether the edge is asked again about what the token will be used for.

    It is for every request to the proxy; for those to the private registry if nginx is
    in front of it and says so (deploy/nginx/berth.conf). A client that sends the header
    itself gains nothing: what an inactive license gets is a token for nothing.
    """
    is_private = service == settings.BERTH_REGISTRY_SERVICE
    return not is_private or request.header(ASKED_PER_REQUEST) == "1"


def _identify(
    presented: PresentedCredential, service: str, *, decided_later: bool
) -> Holder | Denied:
    """Identify the holder; an inactive license is refused unless it is later.

    Where the request itself is decided, all clients print the sentence that says what
    is wrong. containerd prints none of the token service's. Distribution's own answer,
    without nginx, says nothing but "denied".
    """
    login = authorize_login(
        presented,
        is_private=service == settings.BERTH_REGISTRY_SERVICE,
        even_if_inactive=decided_later,
    )
    if isinstance(login, ApiTokenHolder):
        touch_api_token(login.api_token)
    return login


async def _grant(
    services: EdgeServices, service: str, wanted: TokenRequest, holder: Holder | None
) -> list[Scope]:
    """Return the allowed part of each scope, and no scope without one.

    Asking for too much is not an error (auth/token.md): the service that needs the rest
    says why it is missing.
    """
    if holder is None or wanted.credential is None or not wanted.scopes:
        return []
    return await services.token_threads.call_for(
        _turn(wanted.credential), lambda: _allowed_part(service, wanted.scopes, holder)
    )


def _allowed_part(service: str, scopes: list[Scope], holder: Holder) -> list[Scope]:
    granted = []
    for scope in scopes:
        allowed = _allowed_actions(service, scope, holder)
        actions = tuple(action for action in scope.actions if action in allowed)
        if actions:
            granted.append(Scope(scope.type, scope.name, actions))
    return granted


def _allowed_actions(service: str, scope: Scope, holder: Holder) -> frozenset[str]:
    if scope.type != "repository" or not scope.actions:
        return frozenset()
    try:
        if service == settings.BERTH_PROXY_SERVICE:
            return _proxy_actions(scope.name, holder)
        return _private_registry_actions(parse_repository(scope.name), holder)
    except MalformedName:
        return frozenset()


def _proxy_actions(name: str, holder: Holder) -> frozenset[str]:
    proxied = parse_proxied_name(name)
    decision = authorize_pull(
        holder, proxied.application, proxied.upstream, proxied.repository
    )
    return frozenset({"pull"}) if isinstance(decision, Allowed) else frozenset()


def _private_registry_actions(name: str, holder: Holder) -> frozenset[str]:
    application, _, image = name.partition("/")
    if not image:
        return frozenset()
    if not isinstance(holder, LicenseHolder):
        return allowed_vendor_actions(holder, application)
    decision = authorize_pull(holder, application, PRIVATE_REGISTRY, image)
    return frozenset({"pull"}) if isinstance(decision, Allowed) else frozenset()


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
