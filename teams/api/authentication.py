"""Authentication of API requests: by API token or by browser session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from portal.crypto.secrets import Secret
from portal.errors import NotAllowed
from teams.actors import Actor, Origin, member_actor
from teams.api_tokens import touch_api_token, was_used_long_ago
from teams.models import ApiToken, Team
from teams.selectors import (
    actor_of_api_token,
    api_token_by_secret,
    membership_in_team,
)
from teams.sign_in.second_factor import session_lacks_second_factor

TEAM_HEADER = "Berth-Team"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """``request.user`` in API views: an actor in exactly one team."""

    actor: Actor
    team: Team
    is_authenticated: bool = True


class ApiTokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer berth_…`` (RFC 6750 section 2.1)."""

    def authenticate(self, request: Request) -> tuple[SignedIn, ApiToken] | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        api_token = api_token_by_secret(Secret(text.strip()))
        actor = actor_of_api_token(api_token) if api_token else None
        if api_token is None or actor is None:
            raise AuthenticationFailed(
                "This API token is unknown, expired or revoked, or its owner lacks the "
                "second factor that the team requires.",
                "api_token_unknown",
            )
        if was_used_long_ago(api_token.last_used_at):
            touch_api_token(api_token.team_id, api_token.pk)
        actor = actor.at_origin(Origin.of(request))
        return SignedIn(actor, api_token.team), api_token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class TeamSessionAuthentication(SessionAuthentication):
    """A signed-in browser, CSRF checked.

    The header ``Berth-Team`` names the team. It is optional for members of one team.
    """

    def authenticate(self, request: Request) -> tuple[SignedIn, None] | None:
        session = super().authenticate(request)
        if session is None:
            return None
        slug = request.headers.get(TEAM_HEADER)
        membership = None
        if slug is None or slug.isprintable():
            membership = membership_in_team(session[0], slug)
        if membership is None:
            raise NotAllowed(
                "no_team",
                f"Set the header {TEAM_HEADER} to the slug of one of your teams.",
            )
        if session_lacks_second_factor(request, membership):
            raise NotAllowed(
                "second_factor_needed",
                "This team requires a second factor. Open the team in your browser to "
                "set one up or to confirm yours.",
            )
        actor = member_actor(membership).at_origin(Origin.of(request))
        return SignedIn(actor, membership.team), None


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # a registering base class
    """API tokens in the schema."""

    target_class = "teams.api.authentication.ApiTokenAuthentication"
    name = "apiToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "berth_…"}


class TeamSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # a registering base class
    """Browser sessions in the schema."""

    target_class = "teams.api.authentication.TeamSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
