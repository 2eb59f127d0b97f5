from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.crypto.keyring import Keyring, KeyringError, LookupKeyring

ONE, TWO = b"1" * 32, b"2" * 32
ROW = "licenses.license.license_id:1"


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_decrypt_gives_back_what_was_encrypted(text: str) -> None:
    keyring = Keyring({"a": ONE})

    stored = keyring.encrypt(text, associated_data=ROW)

    assert keyring.decrypt(stored, associated_data=ROW) == text
    assert stored.startswith("v1:a:")


def test_encrypt_never_gives_the_same_twice() -> None:
    keyring = Keyring({"a": ONE})

    one = keyring.encrypt("x", associated_data=ROW)

    assert one != keyring.encrypt("x", associated_data=ROW)


def test_decrypt_with_an_older_key_while_the_first_one_writes() -> None:
    old = Keyring({"old": ONE}).encrypt("x", associated_data=ROW)
    both = Keyring({"new": TWO, "old": ONE})

    assert both.decrypt(old, associated_data=ROW) == "x"
    assert not both.is_current(old)
    assert both.is_current(both.encrypt("x", associated_data=ROW))


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "plain text",
        "v1:a:",
        "v1:a:AAAA",
        "v1:a:not base64!",
        "v2:a:" + encoded(ONE),
        "v1:b:" + encoded(ONE),
        "v1:a:" + encoded(ONE),
    ],
)
def test_decrypt_never_returns_what_it_was_given(stored: str) -> None:
    with pytest.raises(KeyringError) as caught:
        Keyring({"a": ONE}).decrypt(stored, associated_data=ROW)

    assert encoded(ONE) not in str(caught.value)


def test_decrypt_with_the_wrong_key_of_the_same_id() -> None:
    stored = Keyring({"a": ONE}).encrypt("hunter2", associated_data=ROW)

    with pytest.raises(KeyringError, match="was not written by key 'a'"):
        Keyring({"a": TWO}).decrypt(stored, associated_data=ROW)


def test_decrypt_without_the_key() -> None:
    stored = Keyring({"a": ONE}).encrypt("hunter2", associated_data=ROW)

    with pytest.raises(KeyringError, match="No key 'a'"):
        Keyring({"b": ONE}).decrypt(stored, associated_data=ROW)


def test_decrypt_refuses_a_value_moved_to_another_row() -> None:
    keyring = Keyring({"a": ONE})
    stored = keyring.encrypt("hunter2", associated_data=ROW)

    with pytest.raises(KeyringError):
        keyring.decrypt(stored, associated_data="licenses.license.license_id:2")


def test_decrypt_refuses_a_changed_value() -> None:
    keyring = Keyring({"a": ONE})
    sealed = base64.b64decode(keyring.encrypt("x", associated_data=ROW)[5:])
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])

    with pytest.raises(KeyringError):
        keyring.decrypt(f"v1:a:{encoded(changed)}", associated_data=ROW)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "number 1"),
        ("a", "number 1"),
        ("a:", "number 1"),
        (f"a:{encoded(ONE)},", "number 2"),
        (f"a:{encoded(b'short')}", "5 bytes"),
        (f"a b:{encoded(ONE)}", "Key ID"),
        (f":{encoded(ONE)}", "Key ID"),
        (f"a:{encoded(ONE)},a:{encoded(TWO)}", "twice"),
    ],
)
def test_parse_refuses_malformed_keyrings(text: str, message: str) -> None:
    with pytest.raises(KeyringError, match=message) as caught:
        Keyring.parse(text)

    assert encoded(ONE) not in str(caught.value)


def test_parse_reads_keys_in_order() -> None:
    keyring = Keyring.parse(f"new:{encoded(TWO)}, old:{encoded(ONE)}")

    assert keyring.writing_id == "new"
    assert repr(keyring) == "<Keyring new, old>"


def test_keyring_needs_a_key() -> None:
    with pytest.raises(KeyringError):
        Keyring({})


def test_digest_is_an_hmac_of_purpose_and_text() -> None:
    digest = LookupKeyring({"a": ONE}).digest("text", purpose="license-id")

    expected = hmac.new(ONE, b"license-id\x00text", hashlib.sha256).hexdigest()
    assert digest == f"a:{expected}"


def test_digests_match_under_every_known_key() -> None:
    old = LookupKeyring({"old": ONE})
    both = LookupKeyring({"new": TWO, "old": ONE})
    stored = old.digest("text", purpose="p")

    assert stored in both.candidates("text", purpose="p")
    assert both.matches(stored, "text", purpose="p")
    assert not both.matches(stored, "other", purpose="p")
    assert not both.matches(stored, "text", purpose="q")
    assert not both.matches("none:" + "0" * 64, "text", purpose="p")
    assert not both.is_current(stored)
    assert both.is_current(both.digest("text", purpose="p"))


# Values and digests in databases stay readable, whatever the code becomes.
STORED = "v1:key-2_A:MDEyMzQ1Njc4OWFimCnFcaQ6wzIdRfyThNiVZk/sHFRWa79R1uYP"


def test_a_stored_value_of_the_first_version_decrypts() -> None:
    keyring = Keyring({"new": TWO, "key-2_A": ONE})

    assert keyring.decrypt(STORED, associated_data=ROW) == "hunter2 ☂"
    assert not keyring.is_current(STORED)
    assert Keyring({"key-2_A": ONE}).is_current(STORED)
    assert not Keyring({"key-2_A": ONE}).is_current(STORED.replace("v1", "v2"))


@pytest.mark.parametrize("key_id", ["a", "2026", "0", "A_b-9", "k" * 32])
def test_a_key_id_has_letters_digits_and_two_signs(key_id: str) -> None:
    keyring = Keyring.parse(f"{key_id}:{encoded(ONE)}")

    assert keyring.writing_id == key_id
    stored = keyring.encrypt("x", associated_data=ROW)
    assert stored.startswith(f"v1:{key_id}:")
    assert keyring.decrypt(stored, associated_data=ROW) == "x"


@pytest.mark.parametrize("key_id", ["", "a b", "a.b", "ä", "k" * 33, "a\n", "a/b"])
def test_no_other_key_id_is_accepted(key_id: str) -> None:
    with pytest.raises(KeyringError, match="Key ID"):
        Keyring({key_id: ONE})


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_a_key_has_32_bytes(size: int) -> None:
    with pytest.raises(KeyringError, match=f"is {size} bytes, not 32"):
        LookupKeyring({"a": b"k" * size})
