"""Registry tokens of one service: checking them, and challenges that ask for one.

A client without a valid token is answered with 401 and a challenge (distribution-spec,
auth/token.md). So is a client with one whose access live state denies.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.http import RegistryError, Request
from oci.challenge import format_bearer_challenge
from oci.errors import ErrorCode
from registries.decision.pull import Denied
from registries.tokens.registry_token import RegistryToken, TokenInvalid, TokenVerifier


@dataclass(frozen=True, slots=True)
class TokenGate:
    """Guards one service of the token server.

    ``advice`` says how to log in, to clients without a token.
    """

    service: str
    verifier: TokenVerifier
    advice: str

    def read_token(self, request: Request, scope: str) -> RegistryToken:
        """Return the verified token of a request, or raise the challenge to get one."""
        scheme, _, text = request.header("authorization").partition(" ")
        if scheme.lower() != "bearer":
            raise self.challenge(request, scope)
        try:
            return self.verifier.verify(text.strip())
        except TokenInvalid:
            raise self.challenge(request, scope, "invalid_token") from None

    def challenge(
        self, request: Request, scope: str, error: str | None = None
    ) -> RegistryError:
        """Return the error that says where to get a token, and for which scope."""
        return RegistryError(
            401,
            ErrorCode.UNAUTHORIZED,
            self.advice,
            headers=[self._header(request, scope, error)],
        )

    def denied(self, request: Request, scope: str, denied: Denied) -> RegistryError:
        """Return the error that says why live state denies an access."""
        # The sentence is in the challenge too: containerd asks with HEAD, whose answer
        # has no body, and prints the challenge's error.
        return RegistryError(
            401,
            ErrorCode.DENIED,
            denied.message,
            headers=[self._header(request, scope, denied.message)],
            detail={"reason": denied.public_reason.value},
        )

    def _header(
        self, request: Request, scope: str, error: str | None
    ) -> tuple[str, str]:
        header = format_bearer_challenge(
            realm=f"{request.origin}/v2/token",
            service=self.service,
            scope=scope or None,
            error=error,
        )
        return ("WWW-Authenticate", header)
