"""An issuer of workload tokens, as a cluster or a CI service runs one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tests.support.issuers.own_authority import own_server_context
from tests.support.servers.canned_server import Answer, Request, http_server

DISCOVERY = "/.well-known/openid-configuration"
AUDIENCE = "images.acme.example"
Behave = Callable[["TokenIssuer", Request], Answer | None]


@dataclass(frozen=True)
class SigningKey:
    """A private key with its ID, and the algorithm that it signs with."""

    kid: str
    private: Any
    algorithm: str

    @property
    def jwk(self) -> dict[str, Any]:
        algorithm: Any = jwt.get_algorithm_by_name(self.algorithm)
        public = algorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**public, "kid": self.kid, "use": "sig", "alg": self.algorithm}


@cache
def _rsa(number: int) -> rsa.RSAPrivateKey:
    # Making one takes a while, and tests need no secret ones.
    return rsa.generate_private_key(65537, 2048)


def new_key(kid: str = "1", algorithm: str = "RS256", number: int = 0) -> SigningKey:
    """Return a key; those of RSA with the same number are one."""
    curves: dict[str, ec.EllipticCurve] = {
        "ES256": ec.SECP256R1(),
        "ES384": ec.SECP384R1(),
        "ES512": ec.SECP521R1(),
    }
    if algorithm in curves:
        private = ec.generate_private_key(curves[algorithm])
        return SigningKey(kid, private, algorithm)
    if algorithm == "EdDSA":
        return SigningKey(kid, ed25519.Ed25519PrivateKey.generate(), algorithm)
    return SigningKey(kid, _rsa(number), algorithm)


def key_set(*keys: SigningKey) -> str:
    return json.dumps({"keys": [key.jwk for key in keys]})


@dataclass
class TokenIssuer:
    """Signs with the first of its keys, and publishes all of them.

    ``behave`` may answer requests in another way; ``asked`` are the paths so far.
    """

    issuer: str = "https://issuer.example"
    keys: list[SigningKey] = field(default_factory=lambda: [new_key()])
    behave: Behave | None = None
    asked: list[str] = field(default_factory=list)

    @property
    def key_set(self) -> str:
        return key_set(*self.keys)

    def token(
        self,
        subject: str = "system:serviceaccount:prod:api",
        *,
        headers: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Return a token; a claim that is None is left out."""
        now = int(time.time())
        payload = {
            "iss": self.issuer,
            "sub": subject,
            "aud": [AUDIENCE],
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            **claims,
        }
        present = {name: value for name, value in payload.items() if value is not None}
        key = self.keys[0]
        return jwt.encode(
            present,
            key.private,
            algorithm=key.algorithm,
            headers={"kid": key.kid, **(headers or {})},
        )

    def service_account(
        self, namespace: str = "prod", account: str = "api", node: str = "node-1"
    ) -> str:
        """Return a token as a kubelet gets it for a Pod's service account."""
        inside = {
            "namespace": namespace,
            "node": {"name": node, "uid": "0b1"},
            "pod": {"name": "api-7f", "uid": "0b2"},
            "serviceaccount": {"name": account, "uid": "0b3"},
        }
        return self.token(
            f"system:serviceaccount:{namespace}:{account}", **{"kubernetes.io": inside}
        )

    def answer(self, request: Request) -> Answer:
        self.asked.append(request.path)
        if self.behave and (answer := self.behave(self, request)):
            return answer
        if request.path == DISCOVERY:
            return _json({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks"})
        if request.path == "/jwks":
            return Answer(200, {}, self.key_set.encode())
        return Answer(404)


def _json(content: object) -> Answer:
    kind = {"Content-Type": "application/json"}
    return Answer(200, kind, json.dumps(content).encode())


@contextmanager
def token_issuer(port: int = 0) -> Iterator[TokenIssuer]:
    """Run an issuer by TLS until the block ends, that the tests' processes trust."""
    issuer = TokenIssuer()
    context = own_server_context("localhost", "127.0.0.1")
    with http_server(issuer.answer, port=port, tls=context) as taken:
        issuer.issuer = f"https://localhost:{taken}"
        yield issuer
