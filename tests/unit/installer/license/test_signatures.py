"""What is signed, but is not a license, and keys that do not count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from installer.errors import UsageError
from installer.license.file import License, LicenseError, parse_license
from installer.license.signatures import (
    read_root_keys,
    verify_license,
    without_signatures,
)
from tests.support.ids import plain_id
from tests.support.installer.licenses import (
    Signer,
    document,
    key_id,
    license_yaml,
    other_signer,
    unwrapped,
    with_signature,
)


def pem_of(key: Any) -> str:
    encoded: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded.decode()


SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
CURVE = ec.generate_private_key(ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()


def roots(text: str, directory: Path) -> Any:
    path = directory / "root.pem"
    path.write_text(text)
    return read_root_keys(path)


def read(content: dict[str, Any]) -> License:
    return parse_license(license_yaml(content).encode(), "license.yaml")


def signed_data(data: bytes, signer: Signer) -> License:
    return read(with_signature(document(), signer.envelope(data)))


@pytest.mark.parametrize("key", [EDWARDS, CURVE, SMALL], ids=["ed25519", "ec", "1024"])
def test_a_root_is_an_rsa_key_of_2048_bits(key: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no RSA public key") as caught:
        roots(pem_of(key), tmp_path)

    assert caught.value.code == "no_root_key"


def test_roots_are_found_by_the_ids_that_licenses_name(tmp_path: Path) -> None:
    one, other = Signer(), other_signer()

    found = roots(f"text\n{other.root_pem}\nmore{one.root_pem}", tmp_path)

    assert list(found) == [key_id(other.root), key_id(one.root)]


def test_one_root_that_does_not_count_makes_the_file_invalid(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        roots(Signer().root_pem + pem_of(EDWARDS), tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        b"5",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"spec": null}',
        b'{"spec": 5}',
        b'{"spec": {"entitlements": 5}}',
        b'{"spec": {"entitlements": ["a"]}}',
        b'{"spec": {"entitlements": {"a": 5}}}',
        b'{"spec": {"entitlements": {"a": {"value": 1.5}}}}',
        b'{"spec": {"entitlements": {"a": {"value": []}}}}',
        b'{"spec": {"entitlements": {"a": {"value": "b", "signature": 5}}}}',
        b'{"spec": {"entitlements": {"a": {"value": 1, "signature": {"v2": "!"}}}}}',
        b'{"spec": {}, "spec": {}}',
        b"[" * 100_000,
    ],
    ids=plain_id,
)
def test_signed_junk_is_not_a_license(data: bytes, tmp_path: Path) -> None:
    signer = Signer()

    with pytest.raises(LicenseError, match="signed data is not a license") as caught:
        verify_license(signed_data(data, signer), roots(signer.root_pem, tmp_path))

    assert caught.value.code == "bad_signature"


def test_a_signed_license_without_fields_is_genuine(tmp_path: Path) -> None:
    signer = Signer()
    empty: tuple[Any, ...] = ({}, None)
    for fields in empty:
        content = document(entitlements=fields)
        license = read(signer.sealed(content))

        verify_license(license, roots(signer.root_pem, tmp_path))


@pytest.mark.parametrize("value", [None, True, False, 0, -5, "", "text", "☂"])
def test_every_kind_of_value_has_a_signature(value: object, tmp_path: Path) -> None:
    signer = Signer()
    content = document()
    content["spec"]["entitlements"]["note"]["value"] = value
    if value is None:
        # As Go's fmt.Sprint prints it.
        content["spec"]["entitlements"]["note"]["value"] = "<nil>"
    signed = signer.signed(content)
    if value is None:
        del signed["spec"]["signature"]
        signed["spec"]["entitlements"]["note"]["value"] = None
        signed = signer.sealed(signed)

    verify_license(read(signed), roots(signer.root_pem, tmp_path))


@pytest.mark.parametrize("key", [EDWARDS, CURVE, SMALL], ids=["ed25519", "ec", "1024"])
def test_an_application_key_is_an_rsa_key_of_2048_bits(
    key: Any, tmp_path: Path
) -> None:
    signer = Signer(application=key) if key is SMALL else SignerOfAnotherKind(key)

    with pytest.raises(LicenseError, match="is not an RSA public key") as caught:
        verify_license(
            signed_data(json.dumps(document()).encode(), signer),
            roots(signer.root_pem, tmp_path),
        )

    assert caught.value.code == "bad_signature"


class SignerOfAnotherKind(Signer):
    """Signs with the root, but names a key that is not RSA."""

    def __init__(self, key: Any) -> None:
        super().__init__()
        self.application = key

    def _sign(self, key: Any, message: bytes) -> bytes:  # type: ignore[override]
        return b"s" if key is self.application else super()._sign(key, message)


def test_a_difference_is_named_by_its_place(tmp_path: Path) -> None:
    signer = Signer()
    keys = roots(signer.root_pem, tmp_path)
    for path, content in [
        ("spec.channels", {"channels": []}),
        ("spec.channels[0].isDefault", {"channels": [{"channelName": "Stable"}]}),
        ("spec.channels[0]", {"channels": ["Stable"]}),
        ("spec.channels", {"channels": "Stable"}),
        ("spec.channels", {"channels": {"channelName": "Stable"}}),
        ("spec.licenseSequence", {"licenseSequence": True}),
        ("spec.licenseSequence", {"licenseSequence": []}),
        ("spec.licenseSequence", {"licenseSequence": {}}),
    ]:
        signed = signer.signed(document())
        signed["spec"] |= content

        with pytest.raises(LicenseError) as caught:
            verify_license(read(signed), keys)

        assert str(caught.value).startswith(f"{path} was changed")
        assert caught.value.code == "changed_field"


def test_a_license_without_its_signatures_is_what_was_signed() -> None:
    signed = Signer().signed(document())

    assert without_signatures(signed) == document()
    assert "signature" in signed["spec"]
    strange = {"kind": "License", "spec": {"entitlements": {"a": 5}, "signature": "b"}}
    assert without_signatures(strange) == {
        "kind": "License",
        "spec": {"entitlements": {"a": 5}},
    }
    for fields in (None, ["a"]):
        strange = {"spec": {"entitlements": fields}}
        assert without_signatures(strange) == strange


def test_a_root_file_is_read_as_far_as_100_kb(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no RSA public key"):
        roots("x" * 100_000 + Signer().root_pem, tmp_path)
    assert roots("x" * 90_000 + Signer().root_pem, tmp_path)
    with pytest.raises(UsageError, match=r"missing cannot be read: No such") as caught:
        read_root_keys(tmp_path / "missing")
    assert caught.value.code == "no_root_key"


@pytest.mark.parametrize("signature", [None, ""])
def test_a_license_without_a_signature_is_unsigned(
    signature: str | None, tmp_path: Path
) -> None:
    content = document(signature=signature)

    with pytest.raises(LicenseError) as caught:
        verify_license(read(content), roots(Signer().root_pem, tmp_path))

    assert caught.value.code == "unsigned"


@pytest.mark.parametrize("name", ["LicenseData", "licen\u017feData", "INNERSIGNATURE"])
def test_a_member_that_go_takes_for_another_is_refused(
    name: str, tmp_path: Path
) -> None:
    """Go ignores the case of names, and the last of two alike counts."""
    signer = Signer()
    signed = signer.signed(document())
    other = unwrapped(signer.signed(document(customerName="Other")))
    known = "innerSignature" if "SIG" in name else "licenseData"
    mixed = with_signature(signed, unwrapped(signed) | {name: other[known]})

    with pytest.raises(LicenseError) as caught:
        verify_license(read(mixed), roots(signer.root_pem, tmp_path))

    assert caught.value.code == "bad_signature"
