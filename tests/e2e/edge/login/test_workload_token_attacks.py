"""Attacks with workload tokens on the edge, and issuers that misbehave."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest

from licenses.identities.issuer import SECONDS
from licenses.identities.key_sets import MAX_BYTES
from licenses.models import IdentityWorkload, IssuerKeys
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.issuers.token_issuer import (
    AUDIENCE,
    DISCOVERY,
    TokenIssuer,
    new_key,
    token_issuer,
)
from tests.support.rows.identities import trusted
from tests.support.rows.vendor import Vendor
from tests.support.servers.canned_server import Answer as Canned
from tests.support.servers.canned_server import Request


@pytest.fixture
def issuer() -> Iterator[TokenIssuer]:
    with token_issuer() as running:
        yield running


@pytest.fixture
def name(connected: Vendor) -> str:
    return f"proxy/{connected.application.slug}/sample/my-org/api"


def refusal(edge: EdgeClient, name: str, text: str) -> tuple[int, str, str]:
    """Present a token; return status, code and sentence of the pull that follows."""
    answer = edge.token_answer(("any", text), f"repository:{name}:pull")
    assert answer.status == 200, answer.body
    token = answer.json["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["access"]) == ("refused:identity_refused", [])
    assert text not in answer.body.decode()
    pulled = edge.get(name, "manifests/v1.0.1", token)
    assert pulled.json["errors"][0]["detail"] == {"reason": "identity_refused"}
    head = edge.get(name, "manifests/v1.0.1", token, method="HEAD")
    code, sentence = pulled.error
    assert sentence[:60] in head.headers["WWW-Authenticate"]
    return pulled.status, code, sentence


def part(content: object) -> str:
    text = json.dumps(content).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def unsigned(token: str, **header: str) -> str:
    _, claims, _ = token.split(".")
    return f"{part({'kid': '1', **header})}.{claims}."


def test_forged_tokens_get_nothing(
    edge: EdgeClient, connected: Vendor, issuer: TokenIssuer, name: str
) -> None:
    trusted(connected.license(), issuer)
    good = issuer.service_account()
    thief = TokenIssuer(issuer.issuer, [new_key("1", number=1)])
    cases = {
        unsigned(good, alg="none"): "The JWT is signed with none.",
        unsigned(good, alg="HS256"): "The JWT is signed with HS256.",
        unsigned(good, alg="RS256", jku=f"{thief.issuer}/jwks"): "the header jku",
        unsigned(good, alg="RS256"): "No trusted identity accepts this token",
        thief.service_account(): "No trusted identity accepts this token",
        issuer.token(more="x" * 17_000): "larger than 16 KB",
    }

    for text, sentence in cases.items():
        status, code, said = refusal(edge, name, text)
        assert (status, code) == (401, "DENIED")
        assert sentence in said
        bare = edge.token_answer(("any", text))
        assert (bare.status, bare.error[0]) == (401, "UNAUTHORIZED")
    assert edge.token_answer(("any", good)).status == 200
    assert not IdentityWorkload.objects.exclude(name="prod/api").exists()


def test_a_stranger_does_not_learn_whose_tokens_are_trusted(
    edge: EdgeClient, connected: Vendor, issuer: TokenIssuer, name: str
) -> None:
    """Whatever is wrong, and whether the issuer, the rules or nothing is known."""
    trusted(connected.license(), issuer, {"namespace": "prod"})
    unknown = TokenIssuer("https://unknown.example", [new_key("1", number=1)])
    forged = TokenIssuer(issuer.issuer, [new_key("1", number=1)])
    texts = [
        forged.service_account("prod"),
        forged.service_account("other"),
        issuer.service_account("other"),
        issuer.token(aud="elsewhere"),
        unknown.service_account("prod"),
    ]

    said = [refusal(edge, name, text)[2] for text in texts]

    own = (
        *(issuer.issuer, unknown.issuer, "elsewhere", AUDIENCE),
        *("system:serviceaccount:other:api", "system:serviceaccount:prod:api"),
    )
    pattern = "|".join(map(re.escape, own))
    assert len({re.sub(pattern, "X", sentence) for sentence in said}) == 1


def test_it_pulls_nothing_of_another_application(
    edge: EdgeClient, connected: Vendor, issuer: TokenIssuer
) -> None:
    trusted(connected.license(), issuer)
    other = connected.another_application(f"{connected.team.slug}-other")
    name = f"proxy/{other.slug}/sample/my-org/api"

    status, code, sentence = refusal(edge, name, issuer.service_account())

    assert (status, code) == (401, "DENIED")
    assert "No trusted identity accepts this token" in sentence


def login(edge: EdgeClient, text: str) -> tuple[Answer, float]:
    began = time.monotonic()
    answer = edge.token_answer(("any", text))
    return answer, time.monotonic() - began


def test_an_issuer_that_hangs_delays_its_unknown_keys_alone(
    edge: EdgeClient, connected: Vendor, issuer: TokenIssuer
) -> None:
    other = TokenIssuer("https://other.example", [new_key("o", number=2)])
    trusted(connected.license(), issuer, uploaded=False)
    trusted(connected.license(), other)
    IssuerKeys.objects.update(tried_at=None)
    known = issuer.service_account()
    issuer.behave = lambda _issuer, _request: time.sleep(SECONDS + 2)
    issuer.keys.insert(0, new_key("2", number=1))
    unknown = issuer.service_account()

    with ThreadPoolExecutor(12) as clients:
        hanging = [clients.submit(login, edge, unknown) for _ in range(8)]
        time.sleep(0.3)
        others = [login(edge, text) for text in (known, other.service_account()) * 3]
        delayed = [future.result() for future in hanging]

    assert [answer.status for answer, _ in others] == [200] * 6
    assert max(seconds for _, seconds in others) < 2
    assert [answer.status for answer, _ in delayed] == [401] * 8
    assert max(seconds for _, seconds in delayed) < SECONDS + 3
    # Once for all of them.
    assert issuer.asked == [DISCOVERY]
    stored = IssuerKeys.objects.get()
    assert f"did not answer within {SECONDS} seconds" in stored.problem


def _huge(_issuer: TokenIssuer, request: Request) -> Canned | None:
    return Canned(200, {}, b" " * (MAX_BYTES + 1)) if request.path == "/jwks" else None


def _inward(_issuer: TokenIssuer, _request: Request) -> Canned:
    return Canned(302, {"Location": "https://169.254.169.254/latest/meta-data"})


def _away(_issuer: TokenIssuer, _request: Request) -> Canned:
    return Canned(503)


@pytest.mark.parametrize("behave", [_huge, _inward, _away])
def test_an_issuer_that_misbehaves_changes_no_keys(
    edge: EdgeClient, connected: Vendor, issuer: TokenIssuer, behave: object
) -> None:
    trusted(connected.license(), issuer, uploaded=False)
    IssuerKeys.objects.update(tried_at=None)
    known, before = issuer.service_account(), issuer.key_set
    issuer.behave = behave  # type: ignore[assignment]
    issuer.keys.insert(0, new_key("2", number=1))

    assert login(edge, issuer.service_account())[0].status == 401
    assert login(edge, known)[0].status == 200

    stored = IssuerKeys.objects.get()
    assert stored.key_set == before
    assert stored.problem


def test_issuers_that_nobody_trusts_are_not_asked(
    edge: EdgeClient, connected: Vendor, issuer: TokenIssuer, name: str
) -> None:
    trusted(connected.license(), issuer)

    refusal(edge, name, TokenIssuer(issuer.issuer, [new_key("2")]).service_account())

    assert issuer.asked == []
