"""An OpenID Connect provider on loopback, as specified.

OpenID Connect Core 1.0 and Discovery 1.0, with the authorization code flow and PKCE
(RFC 7636). It signs in ``person`` without asking, and rejects invalid requests.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any
from urllib.parse import parse_qs, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support.servers.canned_server import Answer, Request, http_server

CLIENT_ID = "berth"
CLIENT_SECRET = "identity-provider-client-secret"
LIFETIME_SECONDS = 300


@cache
def _rsa_keys() -> Iterator[rsa.RSAPrivateKey]:
    """Two by turns: making one takes a while, and two providers need different ones."""
    return itertools.cycle(
        [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in "ab"]
    )


@dataclass(frozen=True, slots=True)
class _Grant:
    """What a code was given for."""

    redirect_uri: str
    challenge: str
    claims: dict[str, Any]


@dataclass
class IdentityProvider:
    """The provider's state: who signs in, and what it was asked."""

    issuer: str = ""
    algorithm: str = "RS256"
    # Claims about who signs in next. ``userinfo`` overrides them there alone.
    person: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    # Claims of ID tokens that are wrong on purpose; None leaves a claim out.
    wrong: dict[str, Any] = field(default_factory=dict)
    sends_id_token: bool = True
    refuses: str = ""
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    redirect_uris: set[str] = field(default_factory=set)
    _codes: dict[str, _Grant] = field(default_factory=dict)
    _access_tokens: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.algorithm == "ES256":
            self._key: Any = ec.generate_private_key(ec.SECP256R1())
        else:
            self._key = next(_rsa_keys())

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.algorithm],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": [
                "client_secret_basic",
                "client_secret_post",
            ],
        }

    def jwks(self) -> dict[str, Any]:
        algorithm: Any = jwt.get_algorithm_by_name(self.algorithm)
        public = algorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "1", "use": "sig", "alg": self.algorithm}]}

    def authorize(self, query: dict[str, str]) -> str:
        """Return where the browser is led after signing in; raises on a bad request."""
        if query.get("client_id") != CLIENT_ID:
            raise ValueError("unknown client")
        if query["redirect_uri"] not in self.redirect_uris:
            raise ValueError("redirect_uri is not registered")
        answer = {"state": query["state"]}
        if self.refuses:
            answer["error"] = self.refuses
        elif query.get("response_type") != "code":
            answer["error"] = "unsupported_response_type"
        elif "openid" not in query.get("scope", "").split():
            answer["error"] = "invalid_scope"
        elif query.get("code_challenge_method") != "S256":
            answer["error"] = "invalid_request"
        else:
            answer["code"] = secrets.token_urlsafe(16)
            self._codes[answer["code"]] = _Grant(
                query["redirect_uri"], query["code_challenge"], dict(self.person)
            )
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def token(
        self, body: dict[str, str], authorization: str
    ) -> tuple[int, dict[str, Any]]:
        """Exchange a code, once, for tokens."""
        if not _is_client(body, authorization):
            return 401, {"error": "invalid_client"}
        if body.get("grant_type") != "authorization_code":
            return 400, {"error": "unsupported_grant_type"}
        grant = self._codes.pop(body.get("code", ""), None)
        if grant is None or body.get("redirect_uri") != grant.redirect_uri:
            return 400, {"error": "invalid_grant"}
        verifier = hashlib.sha256(body.get("code_verifier", "").encode()).digest()
        given = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        if not hmac.compare_digest(given, grant.challenge):
            return 400, {"error": "invalid_grant"}
        access_token = secrets.token_urlsafe(16)
        self._access_tokens[access_token] = grant.claims
        answer = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": LIFETIME_SECONDS,
        }
        if self.sends_id_token:
            answer["id_token"] = self._id_token(grant.claims)
        return 200, answer

    def _id_token(self, claims: dict[str, Any]) -> str:
        now = int(time.time())
        payload = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            **claims,
            **self.wrong,
        }
        present = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(
            present, self._key, algorithm=self.algorithm, headers={"kid": "1"}
        )

    def claims_of(self, authorization: str) -> dict[str, Any] | None:
        """Return what UserInfo answers to an access token."""
        kind, _, access_token = authorization.partition(" ")
        claims = self._access_tokens.get(access_token)
        if kind != "Bearer" or claims is None:
            return None
        return {**claims, **self.userinfo}


def _is_client(body: dict[str, str], authorization: str) -> bool:
    given = (body.get("client_id", ""), body.get("client_secret", ""))
    if authorization.startswith("Basic "):
        decoded = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        name, _, secret = decoded.partition(":")
        given = (name, secret)
    return given == (CLIENT_ID, CLIENT_SECRET)


def _answer(provider: IdentityProvider, request: Request) -> Answer:
    path = request.address.path
    text = request.body.decode() if request.method == "POST" else request.address.query
    fields = {name: values[0] for name, values in parse_qs(text).items()}
    provider.requests.append((path, fields))
    match request.method, path:
        case "GET", "/.well-known/openid-configuration":
            return _json(200, provider.discovery())
        case "GET", "/jwks":
            return _json(200, provider.jwks())
        case "GET", "/authorize":
            return _authorize(provider, fields)
        case "GET", "/userinfo":
            claims = provider.claims_of(request.authorization)
            return _json(200 if claims else 401, claims or {"error": "invalid_token"})
        case "POST", "/token":
            return _json(*provider.token(fields, request.authorization))
        case _:
            return _json(404, {"error": "not_found"})


def _authorize(provider: IdentityProvider, query: dict[str, str]) -> Answer:
    try:
        return Answer(302, {"Location": provider.authorize(query)})
    except (KeyError, ValueError) as error:
        return _json(400, {"error": "invalid_request", "why": str(error)})


def _json(status: int, body: dict[str, Any]) -> Answer:
    content = json.dumps(body).encode()
    return Answer(status, {"Content-Type": "application/json"}, content)


@contextmanager
def identity_provider(
    algorithm: str = "RS256", port: int = 0
) -> Iterator[IdentityProvider]:
    """Run a provider until the block ends."""
    provider = IdentityProvider(algorithm=algorithm)
    with http_server(partial(_answer, provider), port=port) as taken:
        provider.issuer = f"http://127.0.0.1:{taken}"
        yield provider
