"""Each fault of a license file has its own sentence and code."""

from __future__ import annotations

import copy
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from licenses.files.license_keys import generate_key
from licenses.files.signature import RootSignature, signed_document
from oci.portable_yaml import to_portable_yaml
from portal.crypto.pem import public_pem
from tests.support.ids import plain_id
from tests.support.installer.command import Installer, Outcome
from tests.support.installer.licenses import (
    LICENSE_ID,
    Signer,
    document,
    key_id,
    other_signer,
    unwrapped,
    with_signature,
    write_license,
)

Document = dict[str, Any]
Check = Callable[..., Outcome]


@pytest.fixture
def signer() -> Signer:
    return Signer()


@pytest.fixture
def check(installer: Installer, signer: Signer, tmp_path: Path) -> Check:
    """Run ``verify`` for a license's document, or for the bytes of a file."""

    def run(content: Document | bytes, *more: str, root: str | None = None) -> Outcome:
        key = tmp_path / "root.pem"
        key.write_text(root or signer.root_pem)
        path = tmp_path / "license.yaml"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            write_license(tmp_path, content)
        return installer(
            "verify", "--license", path, "--root-key", key, "--format", "json", *more
        )

    return run


def refused(outcome: Outcome, code: str, says: str) -> None:
    assert outcome.code == 1
    error = outcome.document["error"]
    assert error["code"] == code
    assert says in error["message"]
    assert LICENSE_ID not in outcome.out + outcome.err


def test_a_genuine_license(check: Check, signer: Signer) -> None:
    outcome = check(signer.signed(document()), "--application", "my-app")

    assert outcome.code == 0
    assert outcome.document == {
        "valid": True,
        "application": "my-app",
        "customer": "Initech",
        "sequence": 7,
        "expires_at": "2099-02-03T04:05:06Z",
        "notes": [],
    }


def test_the_text_names_the_expiry(
    installer: Installer, signer: Signer, tmp_path: Path
) -> None:
    path = write_license(tmp_path, signer.signed(document()))
    key = tmp_path / "root.pem"
    key.write_text(signer.root_pem)

    outcome = installer("verify", "--license", path, "--root-key", key)

    assert outcome == Outcome(
        0,
        "The license of Initech for my-app is genuine (sequence 7). It expires on "
        "2099-02-03 04:05:06 UTC. Only the portal knows whether it was revoked: run "
        "sync to check.\n",
        "",
    )


def test_a_license_of_berths_own_signer(check: Check) -> None:
    root, key = generate_key(), generate_key()
    vouched = RootSignature.make(root, public_pem(key.public_key()))
    license = signed_document(document(customerName="Zoë: 'yes' & co"), key, vouched)

    outcome = check(
        to_portable_yaml(license).encode(), root=public_pem(root.public_key())
    )

    assert outcome.code == 0
    assert outcome.document["customer"] == "Zoë: 'yes' & co"


def test_a_file_of_several_root_keys(check: Check, signer: Signer) -> None:
    roots = other_signer().root_pem + signer.root_pem

    assert check(signer.signed(document()), root=roots).code == 0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.appSlug", "other-app"),
        ("spec.licenseSequence", 8),
        ("spec.licenseSequence", "7"),
        ("spec.entitlements.seats.value", 1000),
        ("spec.entitlements.sso.value", 1),
        ("spec.entitlements.expires_at.value", "2199-01-01T00:00:00Z"),
        ("spec.channels[0].channelName", "Beta"),
        ("metadata.name", "other"),
        ("spec.isAirgapSupported", True),
    ],
)
def test_a_changed_field_is_named(
    check: Check, signer: Signer, path: str, value: object
) -> None:
    license = signer.signed(document())
    *parents, last = path.replace("[0]", ".0").split(".")
    parent: Any = license
    for item in parents:
        parent = parent[int(item)] if item.isdigit() else parent[item]
    parent[last] = value

    refused(check(license), "changed_field", f"{path} was changed")


def test_a_removed_field_is_named(check: Check, signer: Signer) -> None:
    license = signer.signed(document())
    del license["spec"]["entitlements"]["seats"]

    refused(check(license), "changed_field", "spec.entitlements.seats was")


def test_changed_data(check: Check, signer: Signer) -> None:
    license = signer.signed(document())
    other = signer.signed(document(customerName="Other"))
    outer = unwrapped(license) | {"licenseData": unwrapped(other)["licenseData"]}

    refused(
        check(with_signature(other, outer)), "changed_data", "does not match its data"
    )


def test_a_bad_signature_of_a_field(check: Check, signer: Signer) -> None:
    signed = signer.signed(document())
    del signed["spec"]["signature"]
    fields = signed["spec"]["entitlements"]
    fields["seats"]["signature"] = copy.deepcopy(fields["sso"]["signature"])

    refused(check(signer.sealed(signed)), "bad_field_signature", "field seats")

    license = signer.signed(document())
    license["spec"]["entitlements"]["seats"]["signature"]["v2"] = "AAAA"
    refused(check(license), "bad_field_signature", "field seats")


def with_note(note: str) -> Document:
    license = document()
    license["spec"]["entitlements"]["note"]["value"] = note
    return license


@pytest.mark.parametrize(
    "note", ["{", '{"a": 1}', "\n\t {", "\ufeff{", "\xa0{", "\x85{"], ids=plain_id
)
def test_a_value_that_could_be_a_license_has_no_signature(
    check: Check, note: str
) -> None:
    root, key = generate_key(), generate_key()
    vouched = RootSignature.make(root, public_pem(key.public_key()))
    license = signed_document(with_note(note), key, vouched)
    pem = public_pem(root.public_key())

    assert "signature" not in license["spec"]["entitlements"]["note"]
    assert check(to_portable_yaml(license).encode(), root=pem).code == 0
    license["spec"]["entitlements"]["note"]["value"] += "x"
    refused(
        check(to_portable_yaml(license).encode(), root=pem),
        "changed_field",
        "spec.entitlements.note.value was",
    )


@pytest.mark.parametrize("note", ["", "gold", "a {", "[{"])
@pytest.mark.parametrize("signature", [None, {}, {"v2": None}])
def test_no_other_field_is_without_a_signature(
    check: Check, signer: Signer, note: str, signature: Document | None
) -> None:
    signed = signer.signed(with_note(note))
    del signed["spec"]["signature"]
    signed["spec"]["entitlements"]["note"]["signature"] = signature
    if signature is None:
        del signed["spec"]["entitlements"]["note"]["signature"]

    refused(check(signer.sealed(signed)), "unsigned_field", "field note has no")


def test_no_value_of_a_field_makes_a_license_of_another_application(
    check: Check,
) -> None:
    root, key = generate_key(), generate_key()
    vouched = RootSignature.make(root, public_pem(key.public_key()))
    wanted = {**document(appSlug="other-app", entitlements={})}
    own = signed_document(with_note(json.dumps(wanted)), key, vouched)
    taken = own["spec"]["entitlements"]["note"].get("signature", {}).get("v2", "")

    outer = unwrapped(own)
    inner = json.loads(b64decode(outer["innerSignature"]))
    inner["v2LicenseSignature"] = taken
    outer = {
        "licenseData": b64encode(json.dumps(wanted).encode()).decode(),
        "innerSignature": b64encode(json.dumps(inner).encode()).decode(),
    }
    outcome = check(with_signature(wanted, outer), root=public_pem(root.public_key()))

    refused(outcome, "bad_signature", "is incomplete")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_signed_data_is_utf_8(check: Check, signer: Signer, encoding: str) -> None:
    license = document()
    data = json.dumps(license).encode(encoding)
    sealed = with_signature(license, signer.envelope(data))

    refused(check(sealed), "bad_signature", "cannot be read")


@pytest.mark.parametrize(
    "signature", ["AAAA", "not base64!", "bnVsbA==", "W10=", "e30=", 7, ["a"]]
)
def test_a_signature_that_cannot_be_read(
    check: Check, signer: Signer, signature: object
) -> None:
    license = signer.signed(document())
    license["spec"]["signature"] = signature

    refused(check(license), "bad_signature", "cannot be read")


@pytest.mark.parametrize("member", ["licenseData", "innerSignature"])
def test_a_signature_that_holds_two_licenses(
    check: Check, signer: Signer, member: str
) -> None:
    license = signer.signed(document())
    other = signer.signed(document(customerName="Other"))
    twice = json.dumps(unwrapped(license)).removesuffix("}")
    both = f'{{"{member}": {json.dumps(unwrapped(other)[member])}, {twice[1:]}}}'
    license["spec"]["signature"] = b64encode(both.encode()).decode()

    refused(check(license), "bad_signature", "cannot be read")


def test_a_signature_that_is_cut_short(check: Check, signer: Signer) -> None:
    license = signer.signed(document())
    license["spec"]["signature"] = license["spec"]["signature"][:-40]

    refused(check(license), "bad_signature", "cannot be read")


def test_an_unsigned_license(check: Check) -> None:
    refused(check(document()), "unsigned", "is not signed")


def test_another_root(check: Check, signer: Signer) -> None:
    other = other_signer()

    outcome = check(other.signed(document()))

    refused(outcome, "wrong_root_key", "another root key")
    assert key_id(other.root) in outcome.document["error"]["message"]


def test_a_key_that_the_root_did_not_sign(check: Check, signer: Signer) -> None:
    forger = Signer(root=other_signer().root, application=other_signer().application)
    license = forger.signed(document())
    inner = unwrapped(license)["innerSignature"]
    # The forger names our root key, but cannot sign with it.
    forged = with_signature(
        license, unwrapped(license) | {"innerSignature": claiming(inner, signer)}
    )

    refused(check(forged), "bad_key_signature", "was not signed by the root key")


def claiming(inner: str, signer: Signer) -> str:
    document = json.loads(b64decode(inner))
    signature = json.loads(b64decode(document["v2KeySignature"]))
    signature["globalKeyId"] = key_id(signer.root)
    document["v2KeySignature"] = b64encode(json.dumps(signature).encode()).decode()
    return b64encode(json.dumps(document).encode()).decode()


def test_an_expired_license_is_reported_with_time_and_zone(
    check: Check, signer: Signer
) -> None:
    license = document()
    license["spec"]["entitlements"]["expires_at"]["value"] = "2020-02-03T04:05:06+02:00"

    refused(check(signer.signed(license)), "expired", "on 2020-02-03 02:05:06 UTC")


def test_a_license_without_expiry(check: Check, signer: Signer) -> None:
    license = document()
    license["spec"]["entitlements"]["expires_at"]["value"] = ""

    outcome = check(signer.signed(license))

    assert (outcome.code, outcome.document["expires_at"]) == (0, None)


def test_the_license_of_another_application(check: Check, signer: Signer) -> None:
    outcome = check(signer.signed(document()), "--application", "other-app")

    refused(outcome, "other_application", "for the application my-app, not for other")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"<!doctype html><p>Sign in", "not_yaml"),
        (b"a: [", "not_yaml"),
        (b"\xff\xfe\x00", "not_yaml"),
        (b"a: &a [1]\nb: *a\n", "not_yaml"),
        (b"a: !!python/object:os.system x\n", "not_yaml"),
        (b"", "not_a_license"),
        (b"- a\n", "not_a_license"),
        (b"kind: Pod\n", "not_a_license"),
        (b"kind: License\napiVersion: kots.io/v1beta2\n", "not_a_license"),
        (b"kind: License\napiVersion: kots.io/v1beta2\nspec: {}\n", "not_a_license"),
        (b"kind: License\napiVersion: kots.io/v1beta1\nspec: {}\n", "unknown_version"),
        (b"kind: License # " + b"x" * 1_000_001, "not_a_license"),
    ],
)
def test_files_that_are_not_a_license(check: Check, content: bytes, code: str) -> None:
    refused(check(content), code, "license.yaml ")


def test_an_invalid_expiry(check: Check, signer: Signer) -> None:
    license = document()
    license["spec"]["entitlements"]["expires_at"]["value"] = "next year"

    refused(check(signer.signed(license)), "not_a_license", "not an RFC 3339 time")


@pytest.mark.parametrize("root", ["", "no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n"])
def test_an_invalid_root_key_is_a_usage_error(
    installer: Installer, signer: Signer, tmp_path: Path, root: str
) -> None:
    path = write_license(tmp_path, signer.signed(document()))
    key = tmp_path / "root.pem"
    key.write_text(root)

    outcome = installer("verify", "--license", path, "--root-key", key)

    assert outcome.code == 2
    assert "no RSA public key" in outcome.err
    assert (
        installer("verify", "--license", path, "--root-key", tmp_path / "x").code == 2
    )


@pytest.mark.parametrize("command", ["patch", "secret", "airgap"])
def test_commands_with_the_root_key_refuse_a_forged_license(
    installer: Installer, signer: Signer, tmp_path: Path, command: str
) -> None:
    vendor, key = tmp_path / "vendor", tmp_path / "root.pem"
    vendor.mkdir()
    key.write_text(signer.root_pem)
    arguments: dict[str, list[str | Path]] = {
        "patch": [vendor, "--out", tmp_path / "out"],
        "secret": [],
        "airgap": [vendor, "--bundle", tmp_path / "bundle"],
    }
    license = write_license(tmp_path, other_signer().signed(document()))
    common = (*arguments[command], "--license", license, "--root-key", key)

    outcome = installer(command, *common, "-o", "json")

    assert outcome.code == 1
    assert outcome.document["error"]["code"] == "wrong_root_key"
    assert not (tmp_path / "out").exists()
    write_license(tmp_path, signer.signed(document()))
    assert installer(command, *common).code == 0
