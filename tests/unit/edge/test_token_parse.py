"""Token requests by GET and by POST, and what makes one malformed."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

import pytest

from edge.http import RegistryError, Request
from edge.token.parse import TokenRequest, parse_basic, parse_token_request
from oci.errors import ErrorCode
from oci.scope import Scope

PULL = "repository:proxy/app/quay.io/a:pull"
FORM = {
    "grant_type": "password",
    "service": "berth-proxy",
    "client_id": "docker",
    "username": "me",
    "password": "secret",
}


def basic(pair: bytes) -> str:
    return f"Basic {base64.b64encode(pair).decode()}"


def request(
    method: str, query: str = "", body: bytes = b"", login: str = ""
) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(_message: Any) -> None:
        raise AssertionError

    headers = [(b"authorization", login.encode())] if login else []
    scope = {"method": method, "query_string": query.encode(), "headers": headers}
    return Request(scope, receive, send)


async def get(*pairs: tuple[str, str], login: str = "") -> TokenRequest:
    return await parse_token_request(request("GET", urlencode(pairs), login=login))


async def post(**changes: str | None) -> TokenRequest:
    form = {
        name: value for name, value in (FORM | changes).items() if value is not None
    }
    return await parse_token_request(request("POST", body=urlencode(form).encode()))


def presented(wanted: TokenRequest) -> tuple[str, str] | None:
    if wanted.credential is None:
        return None
    return wanted.credential.username, wanted.credential.password.reveal()


def refusal(error: RegistryError) -> tuple[int, ErrorCode]:
    assert len(error.message) > 10
    return error.status, error.code


async def test_a_get_request() -> None:
    wanted = await get(
        ("service", "berth-proxy"),
        ("scope", PULL),
        ("scope", "repository:proxy/app/quay.io/b:pull,push"),
        ("client_id", "docker"),
        login=basic(b"me:secret"),
    )

    assert wanted.service == "berth-proxy"
    assert wanted.scopes == [
        Scope("repository", "proxy/app/quay.io/a", ("pull",)),
        Scope("repository", "proxy/app/quay.io/b", ("pull", "push")),
    ]
    assert presented(wanted) == ("me", "secret")
    assert not wanted.is_oauth


async def test_a_get_request_without_anything_is_anonymous() -> None:
    assert await get() == TokenRequest("", [], None, is_oauth=False)


async def test_the_first_of_two_services_counts() -> None:
    wanted = await get(("x", "y"), ("service", "one"), ("service", "two"))

    assert wanted.service == "one"


async def test_a_post_request() -> None:
    wanted = await post(scope=PULL)

    assert wanted.service == "berth-proxy"
    assert wanted.scopes == [Scope("repository", "proxy/app/quay.io/a", ("pull",))]
    assert presented(wanted) == ("me", "secret")
    assert wanted.is_oauth


@pytest.mark.parametrize(
    "changes",
    [
        {"grant_type": None},
        {"grant_type": "authorization_code"},
        {"grant_type": "PASSWORD"},
        {"service": None},
        {"service": ""},
        {"scope": "repository:a"},
        {"scope": f"{PULL} nonsense"},
        {"username": "a\x00"},
        {"password": "a\x00"},
    ],
)
async def test_a_malformed_post_request(changes: dict[str, str | None]) -> None:
    with pytest.raises(RegistryError) as caught:
        await post(**changes)

    assert refusal(caught.value) == (400, ErrorCode.UNSUPPORTED)


async def test_a_refresh_token_needs_a_new_login() -> None:
    with pytest.raises(RegistryError, match="license ID") as caught:
        await post(grant_type="refresh_token", refresh_token="x")

    assert refusal(caught.value) == (401, ErrorCode.UNAUTHORIZED)


async def test_a_form_is_at_most_64_kib() -> None:
    encoded = urlencode(FORM)
    longest = encoded.replace("secret", "s" * (64 * 1024 - len(encoded) + 6))
    assert len(longest) == 64 * 1024

    wanted = await parse_token_request(request("POST", body=longest.encode()))
    assert wanted.is_oauth
    with pytest.raises(RegistryError) as caught:
        await parse_token_request(request("POST", body=f"{longest}s".encode()))
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (b"me:secret", ("me", "secret")),
        (b"me:a:b:c", ("me", "a:b:c")),
        (b":secret", ("", "secret")),
        # Only a login without both is anonymous.
        (b"me:", ("me", "")),
        ("jürgen:pässword".encode(), ("jürgen", "pässword")),
        (b" me : secret ", (" me ", " secret ")),
    ],
)
async def test_a_basic_login(pair: bytes, expected: tuple[str, str]) -> None:
    assert presented(await get(login=basic(pair))) == expected


@pytest.mark.parametrize("scheme", ["basic", "BASIC"])
def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    encoded = base64.b64encode(b"me:secret").decode()

    credential = parse_basic(f"{scheme}  {encoded} ")

    assert credential is not None
    assert credential.password.reveal() == "secret"


@pytest.mark.parametrize(
    "login",
    [
        f"Bearer {base64.b64encode(b'me:secret').decode()}",
        "Bearer x",
        "Digest username=me",
        "Basic",
        "Basic !",
        "Basic bWU6c2VjcmV0 bWU6c2VjcmV0",
        basic(b"without a colon"),
        basic(b"me:\xff"),
        basic(b"me:a\x00b"),
        basic(b"m\x00e:ab"),
    ],
)
async def test_another_header_is_malformed_and_not_anonymous(login: str) -> None:
    with pytest.raises(RegistryError) as caught:
        await get(("scope", PULL), login=login)

    assert refusal(caught.value) == (400, ErrorCode.UNSUPPORTED)
