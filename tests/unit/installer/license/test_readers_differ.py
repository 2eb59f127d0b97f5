"""``verify`` refuses an edited file that another reader of YAML reads differently.

The edits leave the signature as it is. To PyYAML, which reads YAML 1.1, each value is
still the signed one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.installer.command import Installer, Outcome
from tests.support.installer.licenses import Signer, document, license_yaml

Verify = Callable[[str], Outcome]


@pytest.fixture
def verify(installer: Installer, tmp_path: Path) -> Verify:
    def run(text: str) -> Outcome:
        license, key = tmp_path / "license.yaml", tmp_path / "root.pem"
        license.write_bytes(text.encode())
        key.write_text(Signer().root_pem)
        return installer(
            "verify", "--license", license, "--root-key", key, "-o", "json"
        )

    return run


@pytest.fixture(scope="module")
def genuine() -> str:
    fields = {
        "seats": {"title": "Seats", "value": 512, "valueType": "Integer"},
        "free": {"title": "Free", "value": False, "valueType": "Boolean"},
        "note": {"title": "Note", "value": "a b", "valueType": "String"},
        "until": {"title": "Until", "value": "2031-02-03", "valueType": "String"},
    }
    return license_yaml(Signer().signed(document(entitlements=fields)))


@pytest.mark.parametrize(
    ("written", "edited"),
    [
        *(("512", number) for number in ("01000", "0x200", "0b1000000000", "8:32")),
        *(("512", number) for number in ("5_12", "+512", "0512", "512.0", "5.12e2")),
        *(("512", number) for number in ("0o1000", "'512'", "512 ", "512 #")),
        *(("false", word) for word in ("off", "no", "False", "FALSE", "Off", "NO")),
        *(('"a b"', text) for text in ("a b", "'a b'", '"a\n  b"', "|-\n  a b")),
        *(('"a b"', text) for text in ('"a\\/b"', '"a\\x20b"', ">-\n  a\n  b")),
        *(('"a b"', text) for text in ('!!str "a b"', '&a "a b"')),
        ('"2031-02-03"', "2031-02-03"),
    ],
)
def test_an_edited_value_is_refused_unless_all_readers_agree(
    verify: Verify, genuine: str, written: str, edited: str
) -> None:
    assert f"value: {written}\n" in genuine
    text = genuine.replace(f"value: {written}\n", f"value: {edited}\n", 1)

    outcome = verify(text)

    if edited in {"512 ", "512 #", '"a\\x20b"'}:
        # Spaces, comments and the escapes of YAML 1.1 change nothing for any reader.
        assert outcome.code == 0
    else:
        assert (outcome.code, outcome.document["error"]["code"]) == (1, "not_yaml")


@pytest.mark.parametrize("tail", ["", ".5", "e5"])
def test_a_long_number_is_refused_at_once(
    verify: Verify, genuine: str, tail: str
) -> None:
    text = genuine.replace("value: 512", "value: " + "1:" * 100_000 + "1" + tail)

    outcome = verify(text)

    assert (outcome.code, outcome.document["error"]["code"]) == (1, "not_yaml")
