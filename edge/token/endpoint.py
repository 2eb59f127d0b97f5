"""``/v2/token``: parse, authenticate, grant, issue."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings

from edge.facts import in_time
from edge.http import RegistryError, Request, method_not_allowed
from edge.services import EdgeServices
from edge.token.grant import granted
from edge.token.login import Login, authenticate
from edge.token.parse import TokenRequest, parse_token_request
from oci.errors import ErrorCode

PROXY_TOKEN_SECONDS = 300
PRIVATE_REGISTRY_TOKEN_SECONDS = 60
# distribution-spec auth/token.md: no token lives for less.
LEAST_TOKEN_SECONDS = 60


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
    service, most_seconds = _service(wanted.service)
    login = await authenticate(request, services, service, wanted)
    grants = []
    if login.refused is None and login.facts and login.facts.holder:
        grants = granted(service, wanted.scopes, login.facts, request.address)
    issued_at = datetime.now(UTC).replace(microsecond=0)
    lifetime_seconds = _lifetime(login, issued_at, most_seconds)
    registry_token = services.issuer.issue(
        subject=login.subject,
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


def _lifetime(login: Login, now: datetime, most_seconds: int) -> int:
    """Return how long a token lives: no longer than what it was issued for."""
    if login.refused is not None:
        return LEAST_TOKEN_SECONDS
    if login.ends_at is None:
        return most_seconds
    left = int((login.ends_at - now).total_seconds())
    return max(LEAST_TOKEN_SECONDS, min(most_seconds, left))


def _service(name: str) -> tuple[str, int]:
    if name in {"", settings.BERTH_PROXY_SERVICE}:
        return settings.BERTH_PROXY_SERVICE, PROXY_TOKEN_SECONDS
    if name == settings.BERTH_REGISTRY_SERVICE:
        return settings.BERTH_REGISTRY_SERVICE, PRIVATE_REGISTRY_TOKEN_SECONDS
    raise RegistryError(400, ErrorCode.UNSUPPORTED, "Unknown service. Check the realm.")
