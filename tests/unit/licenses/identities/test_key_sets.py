"""Key sets, as customers upload them and as issuers publish them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from licenses.identities.key_sets import (
    MAX_BYTES,
    MAX_KEYS,
    KeySetInvalid,
    parse_key_set,
)
from tests.support.issuers.token_issuer import key_set, new_key

GOOD = new_key("good").jwk


def sets(*keys: Any) -> str:
    return json.dumps({"keys": list(keys)})


def refusal(text: str) -> str:
    with pytest.raises(KeySetInvalid) as refused:
        parse_key_set(text)
    return str(refused.value)


def test_keys_of_all_types_are_found_by_their_ids() -> None:
    names = {"r": "RS256", "p": "ES256", "q": "ES384", "s": "ES512", "e": "EdDSA"}
    keys = parse_key_set(key_set(*(new_key(kid, alg) for kid, alg in names.items())))

    assert {kid: key.type for kid, key in keys.items()} == {
        "r": "RSA",
        "p": "P-256",
        "q": "P-384",
        "s": "P-521",
        "e": "Ed25519",
    }


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", '{"keys": {}}', '{"keys": [1]}', "nonsense"],
)
def test_what_is_no_key_set(text: str) -> None:
    assert refusal(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": []},
        {"alg": {}},
        {"use": []},
        {"kty": []},
        {"n": 5},
        {"e": {}},
        {"kty": "EC", "crv": [], "x": 1, "y": 2},
    ],
)
def test_a_key_of_other_types_is_left_out(changes: dict[str, object]) -> None:
    assert "no key that can be used" in refusal(sets({**GOOD, **changes}))
    assert len(parse_key_set(sets({**GOOD, **changes, "kid": "bad"}, GOOD))) == 1


def test_a_huge_one_is_refused_unread() -> None:
    assert "larger than 64 KB" in refusal(sets(GOOD) + " " * MAX_BYTES)
    many = [{**GOOD, "kid": str(number)} for number in range(MAX_KEYS + 1)]
    for key in many:
        key["n"] = GOOD["n"][:100]
    assert "more than 100 keys" in refusal(sets(*many))


def test_private_and_symmetric_keys_are_refused_without_being_quoted() -> None:
    private = RSAAlgorithm.to_jwk(new_key().private, as_dict=True)
    symmetric = {"kty": "oct", "k": "c2VjcmV0", "kid": "s"}

    for jwk in ({**private, "kid": "p"}, symmetric):
        words = refusal(sets(GOOD, jwk))
        assert "private or symmetric key" in words
        assert "c2VjcmV0" not in words
        assert str(jwk.get("d", "none")) not in words


def test_keys_that_cannot_verify_are_left_out() -> None:
    weak = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505
    curve = ec.generate_private_key(ec.SECP256K1()).public_key()
    unusable = [
        {**RSAAlgorithm.to_jwk(weak, as_dict=True), "kid": "weak"},
        {**ECAlgorithm.to_jwk(curve, as_dict=True), "kid": "curve"},
        {**GOOD, "kid": "encrypts", "use": "enc"},
        {**GOOD, "kid": "other", "alg": "RSA-OAEP"},
        {**GOOD, "kid": "crossed", "alg": "ES256"},
        {key: value for key, value in GOOD.items() if key != "kid"},
        {"kty": "new", "kid": "new"},
        {"kty": "RSA", "kid": "broken", "n": "?", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "kid": "off", "x": "AQ", "y": "AQ"},
    ]

    assert set(parse_key_set(sets(GOOD, *unusable))) == {"good"}
    assert "no key that can be used" in refusal(sets(*unusable))


def test_a_member_twice_is_refused() -> None:
    assert "each member once" in refusal(sets(GOOD)[:-1] + ', "keys": []}')
