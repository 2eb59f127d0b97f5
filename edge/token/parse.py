"""Token requests, in either of their two forms.

Source: distribution-spec, auth/token.md (GET) and auth/oauth.md (POST).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from edge.http import RegistryError, Request, parse_form
from licenses.identities.workload_token import has_form
from oci.errors import ErrorCode
from oci.scope import MalformedScope, Scope, parse_scopes
from portal.crypto.secrets import Secret
from registries.decision.credentials import PresentedCredential

MAX_FORM_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request for a registry token.

    Without ``credential`` it is anonymous. Empty strings are a credential, which nobody
    has.
    """

    service: str
    scopes: list[Scope]
    credential: PresentedCredential | None
    is_oauth: bool


async def parse_token_request(request: Request) -> TokenRequest:
    """Read a token request.

    Raises:
        RegistryError: 400 for a malformed request, 401 for a refresh token.
    """
    if request.method == "POST":
        return _parse_oauth(parse_form(await request.body(MAX_FORM_BYTES)))
    return TokenRequest(
        service=_first(request.query, "service"),
        scopes=_scopes(request.query),
        credential=parse_basic(request.header("authorization")),
        is_oauth=False,
    )


def _parse_oauth(form: list[tuple[str, str]]) -> TokenRequest:
    grant_type = _first(form, "grant_type")
    secret = _first(form, "password")
    if grant_type == "refresh_token":
        # docker and containerd send what they have without a username like this.
        secret = _first(form, "refresh_token")
    if grant_type == "refresh_token" and not has_form(secret):
        # Berth issues none: it would outlive a revoked license.
        raise RegistryError(
            401,
            ErrorCode.UNAUTHORIZED,
            "This login has no refresh token. Log in again with the license ID or "
            "token as the password.",
        )
    if grant_type not in {"password", "refresh_token"}:
        raise _malformed("grant_type must be password.")
    for name in ("service", "client_id"):
        if not _first(form, name):
            raise _malformed(f"{name} is missing.")
    return TokenRequest(
        service=_first(form, "service"),
        scopes=_scopes(form),
        credential=_presented(_first(form, "username"), secret),
        is_oauth=True,
    )


def parse_basic(header: str) -> PresentedCredential | None:
    """Read ``Authorization: Basic`` (RFC 7617); None without a header.

    Raises:
        RegistryError: the header has another scheme, or is malformed.
    """
    if not header:
        return None
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise _malformed("The token service accepts Basic authentication only.")
    try:
        pair = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise _malformed("The Authorization header is not valid.") from error
    username, colon, password = pair.partition(":")
    if not colon:
        raise _malformed("The Authorization header is not valid.")
    return _presented(username, password)


def _presented(username: str, password: str) -> PresentedCredential:
    if "\x00" in username or "\x00" in password:
        raise _malformed("NUL characters are not allowed.")
    return PresentedCredential(username, Secret(password))


def _scopes(pairs: list[tuple[str, str]]) -> list[Scope]:
    try:
        return parse_scopes([value for name, value in pairs if name == "scope"])
    except MalformedScope as error:
        raise _malformed(str(error)) from error


def _first(pairs: list[tuple[str, str]], name: str) -> str:
    return next((value for key, value in pairs if key == name), "")


def _malformed(message: str) -> RegistryError:
    return RegistryError(400, ErrorCode.UNSUPPORTED, message)
