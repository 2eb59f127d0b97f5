from __future__ import annotations

import base64
import itertools
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from oci.scope import Scope
from portal.crypto.jwk import thumbprint
from registries.decision.credentials import Subject, SubjectKind
from registries.tokens.registry_token import TokenInvalid, TokenIssuer, TokenVerifier
from registries.tokens.signing_keys import (
    SigningKey,
    SigningKeyError,
    create_signing_material,
    load_roots,
    renew_leaf,
)

MATERIAL = create_signing_material()
KEY = SigningKey.parse(MATERIAL.signing_pem)
ROOTS = load_roots(MATERIAL.root_pem)
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
SUBJECT = Subject(SubjectKind.LICENSE, uuid.uuid4())
GRANT = Scope("repository", "proxy/app/quay.io/a", ("pull",))


def issue(
    key: SigningKey = KEY, service: str = "berth-proxy", age_seconds: int = 0
) -> str:
    return TokenIssuer(key).issue(
        subject=SUBJECT,
        service=service,
        grants=[GRANT],
        issued_at=datetime.now(UTC) - timedelta(seconds=age_seconds),
        lifetime_seconds=300,
    )


def verifier() -> TokenVerifier:
    return TokenVerifier(ROOTS, "berth-proxy")


def test_a_token_says_what_was_put_in() -> None:
    read = verifier().verify(issue())

    assert read.subject == SUBJECT
    assert read.allows("repository", "proxy/app/quay.io/a", "pull")
    assert not read.allows("repository", "proxy/app/quay.io/a", "push")
    assert not read.allows("repository", "proxy/app/quay.io/b", "pull")


def test_a_renewed_leaf_is_accepted_beside_the_old_one() -> None:
    renewed = SigningKey.parse(renew_leaf(MATERIAL.root_key_pem, MATERIAL.root_pem))
    reader = verifier()

    assert reader.verify(issue(renewed)).subject == SUBJECT
    assert reader.verify(issue(KEY)).subject == SUBJECT


def test_a_leaf_of_another_root_is_refused() -> None:
    stranger = SigningKey.parse(create_signing_material().signing_pem)

    with pytest.raises(TokenInvalid):
        verifier().verify(issue(stranger))


@pytest.mark.parametrize("age_seconds", [315, 100_000])
def test_an_expired_token_is_refused(age_seconds: int) -> None:
    with pytest.raises(TokenInvalid):
        verifier().verify(issue(age_seconds=age_seconds))


def test_a_remembered_token_still_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, token = verifier(), issue()
    ends = reader.verify(token).expires_at

    # Clocks may differ by ten seconds.
    monkeypatch.setattr(time, "time", lambda: ends + 9.9)
    assert reader.verify(token).subject == SUBJECT
    monkeypatch.setattr(time, "time", lambda: ends + 10)
    with pytest.raises(TokenInvalid):
        reader.verify(token)


class CountedRoots(list[Any]):
    """Roots that count how often a signature is verified with them."""

    used = 0

    def __iter__(self) -> Iterator[Any]:
        self.used += 1
        return super().__iter__()


def test_2000_tokens_are_remembered() -> None:
    roots = CountedRoots(ROOTS)
    reader = TokenVerifier(roots, "berth-proxy")
    tokens = [issue() for _ in range(2_001)]

    for token in tokens:
        reader.verify(token)
    assert roots.used == 2_001
    reader.verify(tokens[-1])
    reader.verify(tokens[1])
    assert roots.used == 2_001
    reader.verify(tokens[0])
    assert roots.used == 2_002


def token_of(length: int) -> str:
    """Return a valid token of so many characters."""
    # Base64 turns three bytes into four characters.
    shortest = len(forge({"jti": ""}, own_header(), KEY.private_key, "ES256"))
    about = (length - shortest) * 3 // 4
    for padding in itertools.product(range(4), range(about - 40, about + 1)):
        header, claim = ("x" * size for size in padding)
        token = forge(
            {"jti": claim}, own_header() | {"pad": header}, KEY.private_key, "ES256"
        )
        if len(token) == length:
            return token
    raise AssertionError


def test_a_token_has_at_most_16_kib() -> None:
    assert verifier().verify(token_of(16 * 1024)).subject == SUBJECT
    with pytest.raises(TokenInvalid):
        verifier().verify(token_of(16 * 1024 + 1))


@pytest.mark.parametrize("claim", ["nbf", "exp", "sub", "aud", "iss", "access"])
def test_a_token_without_a_claim_is_refused(claim: str) -> None:
    with pytest.raises(TokenInvalid):
        verifier().verify(forge({claim: None}, own_header(), KEY.private_key, "ES256"))


@pytest.mark.parametrize(
    ("claims", "valid"),
    [
        ({"nbf": 9}, True),
        ({"nbf": 12}, False),
        ({"exp": -8}, True),
        ({"exp": -12}, False),
    ],
)
def test_clocks_may_differ_by_ten_seconds(claims: dict[str, int], valid: bool) -> None:
    now = int(datetime.now(UTC).timestamp())
    moved = {name: now + seconds for name, seconds in claims.items()}
    token = forge(moved, own_header(), KEY.private_key, "ES256")

    if valid:
        assert verifier().verify(token).subject == SUBJECT
    else:
        with pytest.raises(TokenInvalid):
            verifier().verify(token)


@pytest.mark.parametrize("subject", [None, "berth:worker"])
def test_a_token_may_have_no_holder(subject: str | None) -> None:
    issued_at = datetime.now(UTC).replace(microsecond=0)
    token = TokenIssuer(KEY).issue(
        subject=subject,
        service="berth-proxy",
        grants=[GRANT],
        issued_at=issued_at,
        lifetime_seconds=60,
    )

    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims.pop("jti")
    seconds = int(issued_at.timestamp())
    assert claims == {
        "iss": "berth",
        "sub": subject or "",
        "aud": "berth-proxy",
        "iat": seconds,
        "nbf": seconds,
        "exp": seconds + 60,
        "access": [{"type": "repository", "name": GRANT.name, "actions": ["pull"]}],
    }
    read = verifier().verify(token)
    assert (read.subject, read.expires_at) == (None, seconds + 60)


def test_a_token_for_another_service_is_refused() -> None:
    with pytest.raises(TokenInvalid):
        verifier().verify(issue(service="berth-registry"))


def forge(
    claims: dict[str, Any], headers: dict[str, Any], key: Any, algorithm: str
) -> str:
    now = int(datetime.now(UTC).timestamp())
    full = {
        "iss": "berth",
        "sub": str(SUBJECT),
        "aud": "berth-proxy",
        "nbf": now,
        "exp": now + 300,
        "access": [{"type": "repository", "name": "a", "actions": ["pull"]}],
    } | claims
    present = {name: value for name, value in full.items() if value is not None}
    return jwt.encode(present, key, algorithm=algorithm, headers=headers)


def own_header() -> dict[str, Any]:
    return KEY.header


def with_leaf(der: bytes) -> dict[str, Any]:
    return own_header() | {"x5c": [base64.b64encode(der).decode()]}


def broken_lines() -> dict[str, Any]:
    (encoded,) = own_header()["x5c"]
    return own_header() | {"x5c": [f"{encoded[:64]}\n{encoded[64:]}"]}


def _changed(old: bytes, new: bytes) -> bytes:
    der = KEY.certificate.public_bytes(serialization.Encoding.DER)
    assert old in der
    return der.replace(old, new, 1)


# The object identifier of P-256, turned into one that names no curve; and version 3
# turned into one that there is not.
UNKNOWN_CURVE = _changed(
    bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030177")
)
VERSION_9 = _changed(bytes.fromhex("a003020102"), bytes.fromhex("a003020109"))


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(
            lambda: forge(
                {}, own_header(), ec.generate_private_key(ec.SECP256R1()), "ES256"
            ),
            id="our certificate, another key",
        ),
        pytest.param(
            lambda: forge({}, {"kid": "x"}, KEY.private_key, "ES256"),
            id="no certificate",
        ),
        pytest.param(
            lambda: forge({}, own_header() | {"x5c": "text"}, KEY.private_key, "ES256"),
            id="certificate is no list",
        ),
        pytest.param(
            lambda: forge({}, own_header() | {"x5c": []}, KEY.private_key, "ES256"),
            id="no certificate in the list",
        ),
        pytest.param(
            lambda: forge({}, own_header() | {"x5c": [5]}, KEY.private_key, "ES256"),
            id="certificate is no text",
        ),
        pytest.param(
            lambda: forge({}, own_header() | {"x5c": ["!"]}, KEY.private_key, "ES256"),
            id="certificate is no base64",
        ),
        pytest.param(
            lambda: forge({}, broken_lines(), KEY.private_key, "ES256"),
            id="certificate of several lines",
        ),
        pytest.param(
            lambda: forge({}, with_leaf(UNKNOWN_CURVE), KEY.private_key, "ES256"),
            id="certificate of an unknown curve",
        ),
        pytest.param(
            lambda: forge({}, with_leaf(VERSION_9), KEY.private_key, "ES256"),
            id="certificate of an unknown version",
        ),
        pytest.param(
            lambda: forge({}, own_header(), "a" * 64, "HS256"), id="another algorithm"
        ),
        pytest.param(lambda: forge({}, own_header(), None, "none"), id="unsigned"),
        pytest.param(
            lambda: forge({"access": "all"}, own_header(), KEY.private_key, "ES256"),
            id="access is no list",
        ),
        pytest.param(
            lambda: forge({"iss": "else"}, own_header(), KEY.private_key, "ES256"),
            id="another issuer",
        ),
        pytest.param(lambda: "a" * 20_000, id="too long"),
        pytest.param(lambda: "a.b.c", id="no token"),
        pytest.param(lambda: "", id="nothing"),
    ],
)
def test_forgeries_are_refused(forged: Any) -> None:
    with pytest.raises(TokenInvalid):
        verifier().verify(forged())


def test_the_root_itself_does_not_sign_tokens_of_strangers() -> None:
    """A self-signed certificate that merely names our root is no proof."""
    own = create_signing_material()
    forged_root = SigningKey.parse(own.root_key_pem + own.root_pem)

    with pytest.raises(TokenInvalid):
        verifier().verify(issue(forged_root))


def test_header_names_the_key_as_distribution_wants_it() -> None:
    header = jwt.get_unverified_header(issue())
    public = KEY.private_key.public_key()

    assert header["kid"] == thumbprint(public)
    assert base64.b64decode(header["x5c"][0]) == KEY.certificate.public_bytes(
        serialization.Encoding.DER
    )


def test_thumbprint_of_a_known_key() -> None:
    """The numbers are computed by RFC 7638 section 3.2 by hand."""
    numbers = ec.EllipticCurvePublicNumbers(
        x=int.from_bytes(
            base64.urlsafe_b64decode("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4=")
        ),
        y=int.from_bytes(
            base64.urlsafe_b64decode("4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM=")
        ),
        curve=ec.SECP256R1(),
    )

    assert thumbprint(numbers.public_key()) == (
        "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"
    )


OTHER_CERTIFICATE = MATERIAL.signing_pem.split("-----END PRIVATE KEY-----")[1]


@pytest.mark.parametrize(
    "pem",
    [
        pytest.param("", id="nothing"),
        pytest.param("nonsense", id="nonsense"),
        pytest.param(MATERIAL.root_pem, id="no key"),
        pytest.param(MATERIAL.root_key_pem, id="no certificate"),
        pytest.param(MATERIAL.root_key_pem + OTHER_CERTIFICATE, id="of another key"),
    ],
)
def test_a_wrong_signing_key_is_told_and_not_quoted(pem: str) -> None:
    with pytest.raises(SigningKeyError) as caught:
        SigningKey.parse(pem)

    assert "BEGIN" not in str(caught.value)
