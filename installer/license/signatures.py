"""Verify the signatures of a license file, offline.

Source: the license file of kotskinds, ``kots.io/v1beta2``: the root key signs the
application's key, which signs the whole license and each of its fields. All signatures
are RSASSA-PSS with SHA-256.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from installer.errors import UsageError
from installer.license.file import License, LicenseError
from oci.strict_json import parse_json

_MIN_KEY_BITS: Final = 2048
_MAX_ROOT_BYTES: Final = 100_000
_FIELD_SIGNATURE: Final = re.compile(r"spec\.entitlements\.(.+)\.signature(?:\.v2)?")
# A value that could be read as a license has no signature, because that would also sign
# the license: docs/reference/license-file.md.
_COULD_BE_LICENSE: Final = re.compile(r"[^!-~]*\{")
_PEM: Final = re.compile(
    rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class _Envelope:
    """The content of ``spec.signature``."""

    data: bytes
    signature: bytes
    public_key: str
    key_signature: bytes
    root_key_id: str


def read_root_keys(path: Path) -> dict[str, RSAPublicKey]:
    """Return the root keys in a file by their IDs.

    An ID is the start of the SHA-256 of the key's SubjectPublicKeyInfo.

    Raises:
        UsageError: the file cannot be read, or has no RSA public key.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_ROOT_BYTES)
        keys = [_rsa_key(pem) for pem in _PEM.findall(content)]
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", "no_root_key"
        ) from error
    except ValueError:
        keys = []
    if not keys:
        raise UsageError(
            f"{path} has no RSA public key in PEM. Your vendor's portal serves it at "
            "/.well-known/berth-license-root.pem.",
            "no_root_key",
        )
    return {_key_id(key): key for key in keys}


def verify_license(license: License, roots: Mapping[str, RSAPublicKey]) -> None:
    """Verify all signatures, beginning with the root key's, but not the expiry.

    Raises:
        LicenseError: the first fault.
    """
    envelope = _envelope(license.document["spec"].get("signature"))
    _check_root(envelope, roots)
    try:
        key = _rsa_key(envelope.public_key.encode())
    except ValueError as error:
        raise _unreadable("the application key is not an RSA public key") from error
    if len(envelope.signature) != key.key_size // 8:
        raise LicenseError(
            "The license's signature is incomplete. Download the license again.",
            "bad_signature",
        )
    if not _is_signed(key, envelope.signature, envelope.data):
        raise LicenseError(
            "The license was changed after it was signed: its signature does not match "
            "its data. Download it again.",
            "changed_data",
        )
    try:
        signed = parse_json(envelope.data)
    except ValueError as error:
        raise _unreadable("the signed data is not a license") from error
    _check_fields(signed, key)
    _check_same(license.document, signed)


def without_signatures(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a license's document without its signatures."""
    spec = {key: value for key, value in document["spec"].items() if key != "signature"}
    fields = spec.get("entitlements")
    if isinstance(fields, dict):
        spec["entitlements"] = {
            name: {key: value for key, value in entry.items() if key != "signature"}
            if isinstance(entry, dict)
            else entry
            for name, entry in fields.items()
        }
    return {**document, "spec": spec}


def _check_root(envelope: _Envelope, roots: Mapping[str, RSAPublicKey]) -> None:
    root = roots.get(envelope.root_key_id)
    if root is None:
        raise LicenseError(
            "This license was signed with another root key: it names "
            f"{envelope.root_key_id[:32]!r}. Use the root key of the portal that "
            "issued the license.",
            "wrong_root_key",
        )
    if not _is_signed(root, envelope.key_signature, envelope.public_key.encode()):
        raise LicenseError(
            "The key that signed this license was not signed by the root key. Do not "
            "use this license. Download it again.",
            "bad_key_signature",
        )


def _check_fields(signed: Any, key: RSAPublicKey) -> None:
    try:
        entitlements = signed["spec"].get("entitlements") or {}
        for name, entry in entitlements.items():
            signature = (entry.get("signature") or {}).get("v2")
            _check_field(name, _go_text(entry.get("value")), signature, key)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unreadable("the signed data is not a license") from error


def _check_field(name: str, text: str, signature: object, key: RSAPublicKey) -> None:
    if signature is None:
        if _COULD_BE_LICENSE.match(text):
            return
        raise LicenseError(
            f"The license field {name} has no signature. Download the license again.",
            "unsigned_field",
        )
    if not _is_signed(key, _bytes(signature), text.encode()):
        raise _bad_field(name)


def _check_same(document: dict[str, Any], signed: Any) -> None:
    """Compare the readable part of the file with the signed data."""
    spec = {key: value for key, value in document["spec"].items() if key != "signature"}
    changed = next(_differences({**document, "spec": spec}, signed), None)
    if changed is not None:
        field = _FIELD_SIGNATURE.fullmatch(changed)
        if field is not None:
            raise _bad_field(field[1])
        raise LicenseError(
            f"{changed} was changed after the license was signed. Download it again.",
            "changed_field",
        )


def _bad_field(name: str) -> LicenseError:
    return LicenseError(
        f"The signature of the license field {name} does not match its value. Download "
        "the license again.",
        "bad_field_signature",
    )


def _differences(shown: Any, signed: Any, path: str = "") -> Iterator[str]:
    if isinstance(shown, dict) and isinstance(signed, dict):
        for key in dict.fromkeys([*signed, *shown]):
            where = f"{path}.{key}" if path else str(key)
            if key in shown and key in signed:
                yield from _differences(shown[key], signed[key], where)
            else:
                yield where
    elif isinstance(shown, list) and isinstance(signed, list):
        if len(shown) != len(signed):
            yield path
        for number, (one, other) in enumerate(zip(shown, signed, strict=False)):
            yield from _differences(one, other, f"{path}[{number}]")
    elif type(shown) is not type(signed) or shown != signed:
        yield path


def _envelope(signature: object) -> _Envelope:
    if signature in (None, ""):
        raise LicenseError(
            "This license is not signed. Download it again, or ask your vendor for a "
            "signed one.",
            "unsigned",
        )
    try:
        outer = _members(signature)
        inner = _members(outer["innerSignature"])
        key_signature = _members(inner["v2KeySignature"])
        return _Envelope(
            data=_bytes(outer["licenseData"]),
            signature=_bytes(inner["v2LicenseSignature"]),
            public_key=_string(inner["publicKey"]),
            key_signature=_bytes(key_signature["signature"]),
            root_key_id=_string(key_signature["globalKeyId"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable("a part is missing or garbled") from error


def _members(encoded: object) -> dict[str, Any]:
    members: dict[str, Any] = parse_json(_bytes(encoded))
    # Readers in Go ignore the case of names: the last one would count for them.
    if len({name.casefold() for name in members}) != len(members):
        raise ValueError("Two members differ in case only.")
    return members


def _unreadable(what: str) -> LicenseError:
    return LicenseError(
        f"The license's signature cannot be read: {what}. Download the license again.",
        "bad_signature",
    )


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _bytes(value: object) -> bytes:
    try:
        return base64.b64decode(_string(value).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError from error


def _rsa_key(pem: bytes) -> RSAPublicKey:
    try:
        key = serialization.load_pem_public_key(pem)
    except UnsupportedAlgorithm as error:
        raise ValueError from error
    if not isinstance(key, RSAPublicKey) or key.key_size < _MIN_KEY_BITS:
        raise ValueError
    return key


def _key_id(key: RSAPublicKey) -> str:
    encoded = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(encoded).hexdigest()[:32]


def _is_signed(key: RSAPublicKey, signature: bytes, message: bytes) -> bool:
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
    try:
        key.verify(signature, message, scheme, hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _go_text(value: object) -> str:
    """Return a value as Go's ``fmt.Sprint``, the text that is signed for a field."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    raise TypeError
