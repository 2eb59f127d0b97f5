from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.digest import MalformedDigest, parse_digest

SHA256 = "sha256:" + "0a" * 32
SHA512 = "sha512:" + "0a" * 64


@given(st.binary(), st.sampled_from(["sha256", "sha512"]))
def test_parse_digest_returns_a_real_digest_unchanged(
    content: bytes, algorithm: str
) -> None:
    text = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"

    assert parse_digest(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "sha256",
        "sha256:",
        ":" + "0" * 64,
        SHA256[:-1],
        SHA256 + "0",
        SHA256.upper(),
        "sha256:" + "0A" * 32,
        "sha256:" + "0g" * 32,
        "sha256:" + "\u0660" * 64,
        SHA256 + "\n",
        " " + SHA256,
        SHA512[:-1],
        SHA512 + "0",
        "sha512:" + "0" * 64,
        "sha256:sha256:" + "0" * 64,
        "sha256+:" + "0" * 64,
    ],
)
def test_parse_digest_refuses_what_is_no_digest(text: str) -> None:
    with pytest.raises(MalformedDigest):
        parse_digest(text)


@pytest.mark.parametrize("algorithm", ["sha384", "md5", "blake3", "sha256+b64u"])
def test_parse_digest_refuses_other_algorithms_by_name(algorithm: str) -> None:
    with pytest.raises(MalformedDigest) as refusal:
        parse_digest(f"{algorithm}:00")

    assert str(refusal.value) == (
        f"The digest algorithm of '{algorithm}:00' is neither sha256 nor sha512."
    )


def test_parse_digest_quotes_eighty_characters_of_a_long_input() -> None:
    with pytest.raises(MalformedDigest) as refusal:
        parse_digest("x" * 100_000)

    assert str(refusal.value) == f"'{'x' * 80}' is not a digest."


@given(st.text() | st.text().map("sha256:".__add__))
def test_parse_digest_raises_only_malformed_digest(text: str) -> None:
    with contextlib.suppress(MalformedDigest):
        assert parse_digest(text) == text
