"""What Berth refuses of a JWT before it asks whose it is, and signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from licenses.identities.key_sets import parse_key_set
from licenses.identities.workload_token import (
    LONGEST_LIFE,
    MAX_CLAIMS,
    MAX_LENGTH,
    WorkloadToken,
    WorkloadTokenInvalid,
    has_form,
    read_workload_token,
)
from tests.support.issuers.token_issuer import TokenIssuer, key_set, new_key

NOW = datetime.now(UTC)
ISSUER = TokenIssuer()


def read(text: str) -> WorkloadToken:
    return read_workload_token(text, datetime.now(UTC))


def refusal(text: str) -> str:
    with pytest.raises(WorkloadTokenInvalid) as refused:
        read(text)
    assert text not in str(refused.value)
    return str(refused.value)


def is_signed(text: str, issuer: TokenIssuer = ISSUER) -> bool:
    return read(text).is_signed_by(parse_key_set(issuer.key_set))


def part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def joined(header: Mapping[str, Any] | bytes, claims: bytes, signature: bytes) -> str:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return f"{part(head)}.{part(claims)}.{part(signature)}"


def payload(**changes: Any) -> bytes:
    """Return claims with changes, where a timedelta is a time from now."""
    now = int(time.time())
    for name, change in changes.items():
        if isinstance(change, timedelta):
            changes[name] = now + int(change.total_seconds())
    claims = {"iss": ISSUER.issuer, "sub": "a", "aud": "b", "iat": now}
    return json.dumps({**claims, "exp": now + 600, **changes}).encode()


HEADER = {"alg": "RS256", "kid": "1"}


def test_a_good_token_is_read_and_its_signature_is_right() -> None:
    token = read(ISSUER.service_account())

    assert (token.issuer, token.kid, token.algorithm) == (ISSUER.issuer, "1", "RS256")
    assert token.subject == "system:serviceaccount:prod:api"
    assert token.is_signed_by(parse_key_set(ISSUER.key_set))
    assert "eyJ" not in repr(token)


@pytest.mark.parametrize(
    "algorithm", ["RS384", "PS256", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
)
def test_every_asymmetric_algorithm_is_verified(algorithm: str) -> None:
    issuer = TokenIssuer(keys=[new_key("k", algorithm)])
    other = TokenIssuer(keys=[new_key("k", algorithm, number=1)])

    assert is_signed(issuer.token(), issuer)
    assert not is_signed(other.token(), issuer)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "HS512", "ES256K", ""])
def test_algorithms_in_which_anybody_signs_are_refused(algorithm: str) -> None:
    assert "It must be signed with a private key" in refusal(
        joined({"alg": algorithm, "kid": "1"}, payload(), b"")
    )


def test_hs256_with_the_public_key_is_refused() -> None:
    """CVE-2015-9235: the public key as the secret of an HMAC."""
    public = ISSUER.keys[0].private.public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = json.dumps({"alg": "HS256", "kid": "1"}).encode()
    signed = f"{part(header)}.{part(payload())}"
    signature = hmac.new(pem, signed.encode(), hashlib.sha256).digest()

    assert "HS256" in refusal(f"{signed}.{part(signature)}")


def test_a_key_verifies_the_algorithms_of_its_type_alone() -> None:
    """Neither another type's nor, if it names one, another algorithm of its own."""
    rsa_issuer, ec_issuer = TokenIssuer(), TokenIssuer(keys=[new_key("1", "ES256")])

    assert not is_signed(ec_issuer.token(), rsa_issuer)
    assert not is_signed(rsa_issuer.token(), ec_issuer)
    same_key = TokenIssuer(keys=[new_key("1", "PS256")])
    assert same_key.keys[0].private is rsa_issuer.keys[0].private
    assert not is_signed(same_key.token(), rsa_issuer)
    without_algorithm = json.loads(rsa_issuer.key_set)
    del without_algorithm["keys"][0]["alg"]
    keys = parse_key_set(json.dumps(without_algorithm))
    assert read(same_key.token()).is_signed_by(keys)


def test_a_token_has_so_many_claims() -> None:
    many = {f"claim{number}": "x" for number in range(MAX_CLAIMS)}

    assert "more than 100 claims" in refusal(joined(HEADER, payload(**many), b"x"))


@pytest.mark.parametrize("algorithm", [[], {}, ["RS256"], 7, None, True])
def test_an_algorithm_is_a_text(algorithm: object) -> None:
    header = {"alg": algorithm, "kid": "1"}
    assert "signed with no algorithm" in refusal(joined(header, payload(), b"x"))


@pytest.mark.parametrize("name", ["jku", "jwk", "x5u", "x5c", "crit", "b64"])
def test_a_token_brings_no_key_of_its_own(name: str) -> None:
    header = {**HEADER, name: "https://evil.example/jwks"}

    assert f"the header {name}" in refusal(joined(header, payload(), b"x"))


def test_an_unknown_or_missing_key_id() -> None:
    other = TokenIssuer(keys=[new_key("2")])

    assert not is_signed(other.token())
    assert "kid" in refusal(joined({"alg": "RS256"}, payload(), b"x"))
    for kid in ("", "x" * 201, "a\x00b", 7, None):
        assert "kid" in refusal(joined({**HEADER, "kid": kid}, payload(), b"x"))


def test_a_changed_token_is_not_signed() -> None:
    head, claims, signature = ISSUER.service_account().split(".")
    decoded = base64.urlsafe_b64decode(claims + "==").replace(b"prod", b"root")

    assert not is_signed(f"{head}.{part(decoded)}.{signature}")
    assert not is_signed(f"{head}.{claims}.{signature[:-4]}AAAA")
    assert not is_signed(f"{head}.{claims}.")


def test_a_member_twice_is_refused() -> None:
    """Of two claims with one name, readers take different ones."""
    twice = payload()[:-1] + b', "sub": "system:serviceaccount:prod:api"}'
    deep = payload(**{"kubernetes.io": 1}).replace(b": 1}", b': {"a": 1, "a": 2}}')
    header = b'{"alg": "RS256", "kid": "1", "alg": "none"}'

    for text in (
        joined(HEADER, twice, b"x"),
        joined(HEADER, deep, b"x"),
        joined(header, payload(), b"x"),
    ):
        assert "each member once" in refusal(text)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exp": timedelta(seconds=-60)}, "The JWT expired on "),
        ({"nbf": timedelta(minutes=5)}, "The JWT is not valid before "),
        ({"iat": timedelta(minutes=5)}, "The JWT is not valid before "),
        ({"exp": None}, "when it ends (exp)"),
        ({"iat": None}, "when it was issued (iat)"),
        ({"exp": "tomorrow"}, "exp is not a number"),
        ({"exp": True}, "exp is not a number"),
        ({"exp": 10**30}, "exp is not a time"),
        ({"exp": 253402300799}, "exp is not a time"),
        ({"iat": -62135596800}, "iat is not a time"),
        ({"exp": float("nan")}, "exp is not a time"),
        ({"exp": float("inf")}, "exp is not a time"),
        ({"iss": None}, "no issuer"),
        ({"iss": ["https://issuer.example"]}, "no issuer"),
        ({"iss": "https://a\x00b"}, "no issuer"),
        ({"exp": LONGEST_LIFE + timedelta(minutes=1)}, "valid for more than 24 hours"),
    ],
)
def test_times_and_issuers(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(joined(HEADER, payload(**changes), b"x"))


def test_clocks_may_differ_by_half_a_minute() -> None:
    now = int(time.time())

    read(joined(HEADER, payload(exp=now - 20), b"x"))
    read(joined(HEADER, payload(iat=now + 20, nbf=now + 20), b"x"))


@pytest.mark.parametrize(
    "text",
    [
        "eyJ.e.",
        "eyJhbGciOiJSUzI1NiJ9.bm90IGpzb24.x",
        joined(b"[1]", payload(), b"x"),
        joined(HEADER, b'["a"]', b"x"),
        joined(HEADER, b"\xff\xfe", b"x"),
        joined(HEADER, b'{"a":' * 5000 + b"1" + b"}" * 5000, b"x")[:MAX_LENGTH],
    ],
    ids=["base64", "payload", "list", "list of claims", "not UTF-8", "deep"],
)
def test_malformed_tokens(text: str) -> None:
    assert "JWT" in refusal(text)


def test_a_huge_token_is_not_even_decoded() -> None:
    text = joined(HEADER, payload(more="x" * MAX_LENGTH), b"x")

    assert "larger than 16 KB" in refusal(text)


def test_no_other_credential_looks_like_a_token() -> None:
    assert has_form(ISSUER.service_account())
    assert has_form(joined({"alg": "none"}, payload(), b""))
    for text in ("2" * 27, "berth_pull_a_b", "a.b.c", "eyJ", "eyJ.a", "", "eyJ a.b.c"):
        assert not has_form(text)


def test_what_a_stranger_sent_is_shown_short_and_in_one_line() -> None:
    header = {"alg": 'x"\n' + "y" * 500, "kid": "1"}

    words = refusal(joined(header, payload(), b""))

    assert "\n" not in words
    assert len(words) < 400


def test_the_longest_life_is_counted_from_when_it_was_issued() -> None:
    issued = int((NOW - timedelta(hours=23)).timestamp())

    read(joined(HEADER, payload(iat=issued, exp=issued + 24 * 3600), b"x"))
    words = refusal(joined(HEADER, payload(iat=issued, exp=issued + 25 * 3600), b"x"))
    assert "24 hours" in words


def test_keys_with_one_id_are_refused_together() -> None:
    with pytest.raises(ValueError, match="two keys with the ID 'same'"):
        parse_key_set(key_set(new_key("same"), new_key("same", "ES256")))
