"""The tokens of one service: reading them, and telling clients how to get one.

A client without a good token is answered with 401 and a challenge (distribution-spec,
auth/token.md); so is one whose token is good and whom live state refuses.
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
    """Stands before what one service of the token server guards.

    ``advice`` tells whoever has no token how to log in.
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
        """Tell a client where to get a token for what."""
        return RegistryError(
            401,
            ErrorCode.UNAUTHORIZED,
            self.advice,
            headers=[self._header(request, scope, error)],
        )

    def denied(self, request: Request, scope: str, denied: Denied) -> RegistryError:
        """Tell a client why live state refuses it."""
        # The sentence is in the challenge too: containerd asks with HEAD, whose answer
        # has no body, and prints the challenge's error as it is.
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
