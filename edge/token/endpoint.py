"""``/v2/token``: parse, authenticate, grant, issue."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from django.conf import settings

from edge.http import RegistryError, Request
from edge.pull_counter import PulledImage
from edge.services import EdgeServices
from edge.token.grant import grant
from edge.token.parse import TokenRequest, parse_token_request
from oci.errors import ErrorCode
from oci.reference import MalformedName, parse_repository
from oci.scope import Scope
from registries.decision.credentials import ApiTokenHolder, Holder, PresentedCredential
from registries.decision.image import ImageAccess
from registries.decision.pull import PRIVATE_REGISTRY, Denied, authorize_login
from teams.api_tokens import touch_api_token

PROXY_TOKEN_SECONDS = 300
PRIVATE_REGISTRY_TOKEN_SECONDS = 60


async def serve_token(request: Request, services: EdgeServices) -> None:
    """Answer a token request.

    Raises:
        RegistryError: 400 malformed, 401 refused, 405, 429 too many.
    """
    if request.method not in {"GET", "HEAD", "POST"}:
        raise RegistryError(
            405,
            ErrorCode.UNSUPPORTED,
            "The token service takes GET and POST.",
            headers=[("Allow", "GET, HEAD, POST")],
        )
    wanted = await parse_token_request(request)
    service, lifetime_seconds = _service(wanted.service)
    holder = await _authenticate(request, services, service, wanted)
    grants = await services.token_threads.call(
        lambda: grant(service, wanted.scopes, holder)
    )
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
        answer["scope"] = " ".join(str(each) for each in grants)
    await request.answer_json(200, answer, [("Cache-Control", "no-store")])


def _service(name: str) -> tuple[str, int]:
    if name in {"", settings.BERTH_PROXY_SERVICE}:
        return settings.BERTH_PROXY_SERVICE, PROXY_TOKEN_SECONDS
    if name == settings.BERTH_REGISTRY_SERVICE:
        return settings.BERTH_REGISTRY_SERVICE, PRIVATE_REGISTRY_TOKEN_SECONDS
    raise RegistryError(
        400, ErrorCode.UNSUPPORTED, "No such service is known here. Check the realm."
    )


async def _authenticate(
    request: Request, services: EdgeServices, service: str, wanted: TokenRequest
) -> Holder | None:
    """Return whoever asks; None for an anonymous request."""
    if wanted.credential is None:
        asked = await services.limiter.count(f"anonymous:{request.neighbourhood}")
        if asked > settings.BERTH_TOKEN_REQUESTS_PER_MINUTE:
            raise _too_many(services, "Too many requests from this address.")
        return None
    presented = wanted.credential
    await _limit_guesses(request, services, presented)
    holder = await services.token_threads.call(
        lambda: _identify(presented, service, wanted.scopes)
    )
    if holder.subject is None:
        await services.limiter.count(f"failures:{request.neighbourhood}")
    else:
        requests = await services.limiter.count(f"requests:{holder.subject}")
        if requests > settings.BERTH_TOKEN_REQUESTS_PER_MINUTE:
            raise _too_many(services, "This login asks for tokens too often.")
    if isinstance(holder, Denied):
        _count_refused(services, service, wanted.scopes, holder)
        raise RegistryError(
            401,
            ErrorCode.UNAUTHORIZED,
            holder.message,
            headers=[("WWW-Authenticate", 'Basic realm="Berth"')],
            detail={"reason": holder.reason.value},
        )
    return holder


def _identify(
    presented: PresentedCredential, service: str, scopes: list[Scope]
) -> Holder | Denied:
    """Identify; a login with a license that is over is refused at once.

    Not so for a pull through the proxy: the license's state is left to the place where
    the pull happens, since only there do all clients print the sentence that says what
    is wrong. The private registry itself has no sentence but "denied".
    """
    is_private = service == settings.BERTH_REGISTRY_SERVICE
    login = authorize_login(
        presented,
        PRIVATE_REGISTRY if is_private else None,
        even_if_over=bool(scopes) and not is_private,
    )
    if isinstance(login, Denied):
        return login
    if isinstance(login.holder, ApiTokenHolder):
        touch_api_token(login.holder.api_token)
    return login.holder


def _count_refused(
    services: EdgeServices, service: str, scopes: list[Scope], denied: Denied
) -> None:
    """Count what the registry is not asked for any more: nobody says which tag."""
    if service != settings.BERTH_REGISTRY_SERVICE:
        return
    for scope in scopes:
        if scope.type != "repository" or "pull" not in scope.actions:
            continue
        with suppress(MalformedName):
            access = ImageAccess(parse_repository(scope.name), "pull")
            image = PulledImage(access.application, access.image, "", is_private=True)
            services.pulls.count(denied, image, "GET")


async def _limit_guesses(
    request: Request, services: EdgeServices, presented: PresentedCredential
) -> None:
    failures = f"failures:{request.neighbourhood}"
    if presented.is_account_password:
        # Counted before it is tried: hashing a password is costly, and parallel
        # guesses must not all slip under the limit.
        guesses = await services.limiter.count(f"passwords:{request.neighbourhood}")
    else:
        guesses = 0
    guesses = max(guesses, await services.limiter.counted(failures))
    if guesses > settings.BERTH_TOKEN_FAILURES_PER_MINUTE:
        raise _too_many(services, "Too many failed logins from this address.")


def _too_many(services: EdgeServices, message: str) -> RegistryError:
    seconds = services.limiter.seconds_left()
    return RegistryError(
        429,
        ErrorCode.TOOMANYREQUESTS,
        f"{message} Try again in {seconds} seconds.",
        headers=[("Retry-After", str(seconds))],
    )
