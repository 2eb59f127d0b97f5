from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from licenses.files.license_keys import generate_key, sign
from licenses.files.signature import RootSignature, signed_document, signed_text
from oci.portable_yaml import to_portable_yaml
from portal.crypto.pem import public_pem
from tests.support.clients.license_verifier import (
    LicenseRefused,
    root_id,
    verify_license,
)
from tests.support.ids import plain_id

ROOT, KEY, STRANGE_KEY = (generate_key() for _ in range(3))
ROOT_SIGNATURE = RootSignature.make(ROOT, public_pem(KEY.public_key()))
TRUSTED = public_pem(ROOT.public_key())
# What YAML readers have taken for something else, and what breaks lines and quotes.
TEXTS = [
    *("", " ", " x ", "yes", "no", "on", "Off", "y", "N", "true", "NULL", "~", "null"),
    *("1", "007", "0o17", "0x1F", "1_000", "1e3", "1.5", ".5", "-1", "+1", "12:30:45"),
    *(".inf", ".nan", "Infinity", "=", "<<", "2031-02-03", "2031-02-03T04:05:06Z"),
    *("a: b", "a #b", "- a", "? a", "[a]", "{a}", "&a", "*a", "!!python/object", "%a"),
    *("'", '"', "\\", "\\n", "|", ">", "@a", "`a", "---", "...", "a:", ":a", "a,b"),
    *("two\nlines\n", "\n", "\r\n", "\ttab", "trailing \n  indented\n", "\x07\x1b\x7f"),
    *(
        "Initech ☂",
        "日本語",
        "e\u0301",
        "\xa0",
        "\x85",
        "\u2028",
        "\ufeff",
        "😀",
        "\ue000",
    ),
    *("-----BEGIN X-----\nabc=\n-----END X-----\n", "x" * 5000, "word " * 500),
]


def document(values: dict[str, object] | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "kots.io/v1beta2",
        "kind": "License",
        "metadata": {"name": "my-app"},
        "spec": {
            "licenseID": "0" * 27,
            "licenseSequence": 7,
            "customerName": "Initech ☂",
            "channels": [{"channelName": "Stable", "isDefault": True}],
            "entitlements": {
                name: {"title": name, "value": value}
                for name, value in (values or {"seats": 5, "plan": "gold"}).items()
            },
        },
    }


def signed(values: dict[str, object] | None = None) -> dict[str, Any]:
    return signed_document(document(values), KEY, ROOT_SIGNATURE)


def test_a_signed_license_is_what_was_signed() -> None:
    verified = verify_license(to_portable_yaml(signed()), TRUSTED)

    for entitlement in verified["spec"]["entitlements"].values():
        del entitlement["signature"]
    assert verified == document()


def test_the_license_data_is_compact_json_of_all_but_the_signature() -> None:
    license = signed()
    signature = license["spec"].pop("signature")

    data = base64.b64decode(json.loads(base64.b64decode(signature))["licenseData"])

    compact = json.dumps(license, ensure_ascii=False, separators=(",", ":"))
    assert data.decode() == compact
    assert list(license["spec"]["entitlements"]["seats"]["signature"]) == ["v2"]


@pytest.mark.parametrize("text", TEXTS, ids=plain_id)
def test_readers_of_yaml_get_what_was_signed(text: str) -> None:
    license = signed({"field": text, "yes": text, "y": False, "number": 2**63 - 1})
    license["metadata"]["name"] = text

    written = to_portable_yaml(license)

    assert yaml.safe_load(written) == license
    # One line to a text: no reader folds or strips anything.
    assert len(written.splitlines()) == len(written.split("\n")) - 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("gold", "gold"),
        ("two\nlines", "two\nlines"),
        (0, "0"),
        (-5, "-5"),
        (2**63 - 1, "9223372036854775807"),
        (True, "true"),
        (False, "false"),
    ],
)
def test_values_are_signed_as_go_prints_them(value: object, text: str) -> None:
    assert signed_text(value) == text


@pytest.mark.parametrize("value", [1.5, None, ["a"]])
def test_other_values_are_not_signed(value: object) -> None:
    with pytest.raises(TypeError):
        signed_text(value)


@pytest.mark.parametrize(
    "before",
    ["", " ", "\t\r\n ", "\ufeff", "\xa0", "\u2028", "\u200b", "\x85", "\x01", "\x00"],
    ids=plain_id,
)
def test_a_text_that_could_be_a_license_is_not_signed_alone(before: str) -> None:
    note = before + json.dumps(document())
    license = signed({"note": note, "plan": "gold"})

    assert license["spec"]["entitlements"]["note"] == {"title": "note", "value": note}
    assert list(license["spec"]["entitlements"]["plan"]["signature"]) == ["v2"]
    # All of the license is signed, so nobody can change it either.
    verified = verify_license(to_portable_yaml(license), TRUSTED)
    assert verified["spec"]["entitlements"]["note"]["value"] == note
    license["spec"]["entitlements"]["note"]["value"] = note + " "
    with pytest.raises(LicenseRefused, match="outer data"):
        verify_license(to_portable_yaml(license), TRUSTED)


@pytest.mark.parametrize(
    "text",
    ["", " ", "gold", "a {b}", "[{}]", '"{"', "}{", "null", "☂ a{"],
    ids=plain_id,
)
def test_other_texts_are_signed_alone(text: str) -> None:
    entitlement = signed({"note": text})["spec"]["entitlements"]["note"]

    KEY.public_key().verify(
        base64.b64decode(entitlement["signature"]["v2"]),
        text.encode(),
        padding.PSS(padding.MGF1(hashes.SHA256()), 32),
        hashes.SHA256(),
    )


def test_no_value_gets_a_signature_that_makes_it_a_license() -> None:
    victim = document()
    victim["spec"]["appSlug"] = "somebody-elses-app"
    oracle = signed({"note": json.dumps(victim)})["spec"]["entitlements"]["note"]

    inner = {
        "v2LicenseSignature": oracle.get("signature", {}).get("v2", ""),
        "publicKey": public_pem(KEY.public_key()),
        "v2KeySignature": base64.b64encode(ROOT_SIGNATURE.to_json()).decode(),
    }
    data = base64.b64encode(oracle["value"].encode()).decode()
    victim["spec"]["signature"] = packed(
        {"licenseData": data, "innerSignature": packed(inner)}
    )

    with pytest.raises(LicenseRefused, match="license signature"):
        verify_license(to_portable_yaml(victim), TRUSTED)


Change = Callable[[dict[str, Any]], None]


def outer_change(*path: str, to: object) -> Change:
    def change(license: dict[str, Any]) -> None:
        for name in path[:-1]:
            license = license[name]
        license[path[-1]] = to

    return change


def signature_change(change: Change) -> Change:
    """Change the parts of a signature, decoded, and put them together again."""

    def changed(license: dict[str, Any]) -> None:
        outer = json.loads(base64.b64decode(license["spec"]["signature"]))
        inner = json.loads(base64.b64decode(outer["innerSignature"]))
        parts = {
            "data": json.loads(base64.b64decode(outer["licenseData"])),
            "inner": inner,
            "root": json.loads(base64.b64decode(inner["v2KeySignature"])),
        }
        change(parts)
        inner["v2KeySignature"] = packed(parts["root"])
        data = packed(parts["data"])
        outer = {"licenseData": data, "innerSignature": packed(inner)}
        license["spec"]["signature"] = packed(outer)

    return changed


def packed(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode()


def strange(key: rsa.RSAPrivateKey, message: bytes) -> str:
    return base64.b64encode(sign(key, message)).decode()


def signed_by_a_stranger(license: dict[str, Any]) -> None:
    root_signature = RootSignature.make(
        STRANGE_KEY, public_pem(STRANGE_KEY.public_key())
    )
    license["spec"] = signed_document(document(), STRANGE_KEY, root_signature)["spec"]


def signed_by_an_untrusted_key(license: dict[str, Any]) -> None:
    license["spec"] = signed_document(document(), STRANGE_KEY, ROOT_SIGNATURE)["spec"]


def value_in_both(license: dict[str, Any]) -> None:
    outer_change("spec", "entitlements", "seats", "value", to=500)(license)
    signature_change(
        lambda parts: outer_change("spec", "entitlements", "seats", "value", to=500)(
            parts["data"]
        )
    )(license)


def entitlement_taken_from(other: str) -> Change:
    def change(license: dict[str, Any]) -> None:
        entitlements = license["spec"]["entitlements"]
        entitlements["seats"] = entitlements[other]

    return change


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        # What everybody can edit.
        (outer_change("kind", to="Licence"), "outer data"),
        (outer_change("metadata", "name", to="x"), "outer data"),
        (outer_change("spec", "licenseSequence", to=8), "outer data"),
        (outer_change("spec", "customerName", to="Hooli"), "outer data"),
        (outer_change("spec", "customerEmail", to=""), "outer data"),
        (outer_change("spec", "channels", to=[]), "outer data"),
        (outer_change("spec", "entitlements", to={}), "outer data"),
        (outer_change("spec", "entitlements", "seats", "value", to=500), "outer data"),
        (outer_change("spec", "entitlements", "seats", "value", to="5"), "outer data"),
        (outer_change("spec", "entitlements", "seats", "title", to="x"), "outer data"),
        (entitlement_taken_from("plan"), "outer data"),
        (lambda license: license["spec"].pop("licenseID"), "outer data"),
        # What is signed, changed together with its wrapping.
        (value_in_both, "license signature"),
        (
            signature_change(outer_change("data", "kind", to="Licence")),
            "license signature",
        ),
        (
            signature_change(outer_change("data", "spec", "entitlements", to={})),
            "license signature",
        ),
        (
            signature_change(
                outer_change(
                    "inner", "publicKey", to=public_pem(STRANGE_KEY.public_key())
                )
            ),
            "key signature",
        ),
        (
            signature_change(
                outer_change("inner", "publicKey", to=public_pem(KEY.public_key())[:-1])
            ),
            "key signature",
        ),
        (
            signature_change(
                outer_change("inner", "v2LicenseSignature", to=strange(KEY, b"x"))
            ),
            "license signature",
        ),
        (
            signature_change(
                outer_change("root", "signature", to=strange(STRANGE_KEY, b"x"))
            ),
            "key signature",
        ),
        (
            signature_change(outer_change("root", "globalKeyId", to="0" * 32)),
            "unknown root",
        ),
        (outer_change("spec", "signature", to=""), "json"),
        (outer_change("spec", "signature", to="e30="), "json"),
        (outer_change("spec", "signature", to="?"), "base64"),
        # Whole signatures by others.
        (signed_by_a_stranger, "unknown root"),
        (signed_by_an_untrusted_key, "key signature"),
    ],
)
def test_a_changed_license_is_refused(change: Change, refused: str) -> None:
    license = signed()
    change(license)

    with pytest.raises(LicenseRefused) as caught:
        verify_license(to_portable_yaml(license), TRUSTED)

    assert str(caught.value) == refused


def test_an_entitlement_signed_by_another_key_is_refused() -> None:
    license = document()
    entitlements = signed_document(document(), STRANGE_KEY, ROOT_SIGNATURE)
    license = signed_document(document(), KEY, ROOT_SIGNATURE)
    # As somebody with the application's key who forgets the entitlements.
    forged = {**license, "spec": dict(license["spec"])}
    forged["spec"]["entitlements"] = entitlements["spec"]["entitlements"]
    del forged["spec"]["signature"]
    data = json.dumps(forged, ensure_ascii=False, separators=(",", ":")).encode()
    inner = {
        "v2LicenseSignature": strange(KEY, data),
        "publicKey": public_pem(KEY.public_key()),
        "v2KeySignature": base64.b64encode(ROOT_SIGNATURE.to_json()).decode(),
    }
    forged["spec"]["signature"] = packed(
        {
            "licenseData": base64.b64encode(data).decode(),
            "innerSignature": packed(inner),
        }
    )

    with pytest.raises(LicenseRefused, match="entitlement"):
        verify_license(to_portable_yaml(forged), TRUSTED)


def test_a_flipped_bit_in_the_signature_is_refused() -> None:
    text = signed()["spec"]["signature"]
    content = base64.b64decode(text)
    step = max(1, len(content) // 60)
    for position in range(0, len(content), step):
        license = signed_with(content, position)

        with pytest.raises((LicenseRefused, ValueError)):
            verify_license(to_portable_yaml(license), TRUSTED)


def signed_with(content: bytes, position: int) -> dict[str, Any]:
    """Return the license of a signature of which one bit is flipped."""
    license_data = json.loads(content)["licenseData"]
    license: dict[str, Any] = json.loads(base64.b64decode(license_data))
    flipped = bytearray(content)
    flipped[position] ^= 1
    license["spec"]["signature"] = base64.b64encode(flipped).decode()
    return license


def test_another_salt_each_time() -> None:
    assert signed()["spec"]["signature"] != signed()["spec"]["signature"]


def test_the_root_is_named_by_its_id() -> None:
    assert root_id(ROOT.public_key()) == ROOT_SIGNATURE.root_id
    assert len(ROOT_SIGNATURE.root_id) == 32
