from __future__ import annotations

import re
import zlib

import pytest

from licenses.pull_credential import (
    checksum,
    generate_pull_credential,
    pull_credential_key,
)

# Computed apart from Berth, so that scanners can compare.
EXAMPLE = "berth_pull_abcdefghijkl_" + "A" * 43
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_a_generated_credential_has_its_form_and_its_key() -> None:
    new = generate_pull_credential()
    text = new.text.reveal()

    assert re.fullmatch(r"berth_pull_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}", text)
    assert text.startswith(f"berth_pull_{new.key}_")
    assert pull_credential_key(text) == new.key
    assert generate_pull_credential().text != new.text
    assert text not in repr(new)


def test_the_checksum_is_the_crc_32_in_base_62() -> None:
    digits = checksum(EXAMPLE)

    number = 0
    for digit in digits:
        number = number * 62 + DIGITS.index(digit)
    assert (len(digits), number) == (6, zlib.crc32(EXAMPLE.encode()))
    assert checksum("") == "000000"
    assert pull_credential_key(EXAMPLE + digits) == "abcdefghijkl"


@pytest.mark.parametrize(
    "text",
    [
        "",
        EXAMPLE,
        EXAMPLE + "000000",
        EXAMPLE.replace("abc", "abd") + checksum(EXAMPLE),
        EXAMPLE[:-1] + "B" + checksum(EXAMPLE),
        EXAMPLE + checksum(EXAMPLE) + "0",
        EXAMPLE + checksum(EXAMPLE) + "\n",
        " " + EXAMPLE + checksum(EXAMPLE),
        "berth_pull_" + "\u00e4" * 12 + "_" + "A" * 49,
        "berth_user_abcdefghijkl_" + "A" * 43,
    ],
)
def test_other_texts_are_no_credentials(text: str) -> None:
    assert pull_credential_key(text) is None
