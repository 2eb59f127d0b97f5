"""Reading an issuer's keys, from issuers that behave and from others."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from licenses.identities.issuer import SECONDS, IssuerUnavailable, read_issuer_keys
from licenses.identities.key_sets import MAX_BYTES
from tests.support.issuers.token_issuer import DISCOVERY, TokenIssuer, token_issuer
from tests.support.servers.canned_server import Answer, Request, silent_server
from tests.support.servers.certificates import Authority


@pytest.fixture(scope="module")
def running() -> Iterator[TokenIssuer]:
    with token_issuer() as issuer:
        yield issuer


@pytest.fixture
def issuer(running: TokenIssuer) -> TokenIssuer:
    running.behave = None
    running.asked.clear()
    return running


def read(issuer: str, **options: Any) -> str:
    return asyncio.run(read_issuer_keys(issuer, **options))


def problem(issuer: str, **options: Any) -> str:
    with pytest.raises(IssuerUnavailable) as refused:
        read(issuer, **options)
    return str(refused.value)


def document(**changes: Any) -> Callable[[TokenIssuer, Request], Answer | None]:
    """Return the behaviour of an issuer whose discovery document is another."""

    def behave(issuer: TokenIssuer, request: Request) -> Answer | None:
        if request.path != DISCOVERY:
            return None
        members = {"issuer": issuer.issuer, "jwks_uri": f"{issuer.issuer}/jwks"}
        return Answer(200, {}, json.dumps(members | changes).encode())

    return behave


def always(answer: Answer) -> Callable[[TokenIssuer, Request], Answer]:
    return lambda _issuer, _request: answer


def test_discovery_leads_to_the_keys(issuer: TokenIssuer) -> None:
    assert read(issuer.issuer) == issuer.key_set
    assert issuer.asked == [DISCOVERY, "/jwks"]


def test_an_issuer_may_have_a_path(issuer: TokenIssuer) -> None:
    address = f"{issuer.issuer}/id/7"

    def behave(issuer: TokenIssuer, request: Request) -> Answer | None:
        if request.path == f"/id/7{DISCOVERY}":
            keys = {"issuer": address, "jwks_uri": f"{issuer.issuer}/jwks"}
            return Answer(200, {}, json.dumps(keys).encode())
        return None

    issuer.behave = behave
    assert read(address) == issuer.key_set


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"issuer": "https://issuer.example"}, "is of another issuer"),
        ({"issuer": None}, "is of another issuer"),
        ({"jwks_uri": "https://localhost:1/jwks"}, "names no keys"),
        ({"jwks_uri": "https://127.0.0.1/jwks"}, "names no keys"),
        ({"jwks_uri": "http://localhost/jwks"}, "names no keys"),
        ({"jwks_uri": "file:///etc/passwd"}, "names no keys"),
        ({"jwks_uri": "https://a@localhost/jwks"}, "names no keys"),
        ({"jwks_uri": None}, "names no keys"),
        ({"jwks_uri": "https://[::1"}, "names no keys"),
        ({"jwks_uri": "https://localhost/\0"}, "names no keys"),
        ({"jwks_uri": "https://localhost/\nERROR forged"}, "names no keys"),
    ],
)
def test_documents_that_lead_elsewhere(
    issuer: TokenIssuer, changes: dict[str, Any], words: str
) -> None:
    issuer.behave = document(**changes)

    assert words in problem(issuer.issuer)
    assert issuer.asked == [DISCOVERY]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(302, {"Location": "http://127.0.0.1:6379/"}), "redirects"),
        (Answer(307, {"Location": "https://169.254.169.254/"}), "redirects"),
        (Answer(404), "answered with 404"),
        (Answer(503), "answered with 503"),
        (Answer(200, {}, b"<html>"), "did not answer with a JSON object"),
        (Answer(200, {}, b"[]"), "did not answer with a JSON object"),
        (Answer(200, {}, b'{"issuer": 1, "issuer": 2}'), "a JSON object"),
        (Answer(200, {}, b" " * (MAX_BYTES + 1)), "sent more than 64 KB"),
    ],
)
def test_answers_that_are_no_document(
    issuer: TokenIssuer, answer: Answer, words: str
) -> None:
    issuer.behave = always(answer)

    assert words in problem(issuer.issuer)
    assert len(issuer.asked) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(302, {"Location": "https://127.0.0.1/"}), "redirects"),
        (Answer(200, {}, b" " * (MAX_BYTES + 1)), "sent more than 64 KB"),
        (Answer(200, {}, b'{"keys": []}'), "no key that can be used"),
        (Answer(200, {}, b'{"keys": [{"kty": "oct", "k": "x"}]}'), "symmetric key"),
    ],
)
def test_answers_that_are_no_keys(
    issuer: TokenIssuer, answer: Answer, words: str
) -> None:
    issuer.behave = lambda _, request: answer if request.path == "/jwks" else None

    assert words in problem(issuer.issuer)


def test_an_issuer_that_hangs_is_given_up() -> None:
    with silent_server() as address:
        began = time.monotonic()
        words = problem(f"https://{address}")

    assert f"did not answer within {SECONDS} seconds" in words
    assert time.monotonic() - began < SECONDS + 1.5


def test_one_that_sends_slowly_is_given_up_too(issuer: TokenIssuer) -> None:
    """Each answer is quick enough, and both together are not."""

    def behave(_issuer: TokenIssuer, _request: Request) -> None:
        time.sleep(SECONDS * 0.6)

    issuer.behave = behave

    assert f"did not answer within {SECONDS} seconds" in problem(issuer.issuer)


def test_addresses_that_are_not_public_are_not_asked(
    issuer: TokenIssuer, settings: Any
) -> None:
    settings.BERTH_ALLOWED_PRIVATE_NETWORKS = []

    assert "has an address that is not public" in problem(issuer.issuer)
    assert issuer.asked == []


def test_a_certificate_has_to_be_right(issuer: TokenIssuer, tmp_path: Any) -> None:
    untrusted = Authority(tmp_path).client_context()

    assert "TLS certificate that is not valid" in problem(issuer.issuer, tls=untrusted)
    assert issuer.asked == []


def test_names_and_ports_that_lead_nowhere() -> None:
    assert "does not resolve" in problem("https://issuer.invalid")
    assert "refused the connection" in problem("https://127.0.0.1:1")
