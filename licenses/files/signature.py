"""The signature in a license file.

Source: kotskinds, ``pkg/crypto/signature.go`` and ``License.ValidateLicense`` of
``kots.io/v1beta2``. All signatures are RSASSA-PSS with SHA-256. The root signed the
application's public key; the application's key signs each entitlement's value and the
whole license. docs/reference/license-file.md explains how to verify them.

The same key signs values and licenses, and the signed bytes do not say which they are.
Therefore a value that could be read as a license is not signed.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from licenses.files.license_keys import key_id, sign
from portal.crypto.pem import public_pem

Document = dict[str, Any]
# A license is JSON that begins with "{". Parsers differ in what they skip before it,
# but none skips visible ASCII.
_COULD_BE_LICENSE = re.compile(r"[^!-~]*\{")


@dataclass(frozen=True, slots=True)
class RootSignature:
    """A root's signature of an application's public key."""

    root_id: str
    signature: bytes

    @classmethod
    def make(cls, root: rsa.RSAPrivateKey, application_pem: str) -> RootSignature:
        """Sign the PEM text itself, because verifiers compare the text."""
        signature = sign(root, application_pem.encode())
        return cls(key_id(root.public_key()), signature)

    def to_json(self) -> bytes:
        return _json(
            {"signature": _base64(self.signature), "globalKeyId": self.root_id}
        )


def signed_document(
    document: Mapping[str, Any], key: rsa.RSAPrivateKey, root_signature: RootSignature
) -> Document:
    """Return a license document with signatures of its entitlements and of itself.

    ``root_signature`` is the root's signature of the public half of ``key``.
    """
    spec = dict(document["spec"])
    spec["entitlements"] = _signed_entitlements(spec["entitlements"], key)
    data = _json({**document, "spec": spec})
    inner = {
        "v2LicenseSignature": _base64(sign(key, data)),
        "publicKey": public_pem(key.public_key()),
        "v2KeySignature": _base64(root_signature.to_json()),
    }
    outer = {"licenseData": _base64(data), "innerSignature": _base64(_json(inner))}
    spec["signature"] = _base64(_json(outer))
    return {**document, "spec": spec}


def is_signed_alone(text: str) -> bool:
    """Return whether a value's text gets a signature of its own.

    A text that could be read as a license does not: its signature would be valid for
    that license. The signature of the whole license still covers it.
    """
    return _COULD_BE_LICENSE.match(text) is None


def signed_text(value: object) -> str:
    """Return the text of a value that is signed: Go's ``fmt.Sprint(value)``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | str):
        return str(value)
    raise TypeError(f"A license field cannot be a {type(value).__name__}.")


def _signed_entitlements(
    entitlements: Mapping[str, Mapping[str, Any]], key: rsa.RSAPrivateKey
) -> dict[str, Document]:
    sign_text = _text_signer(key)
    signed: dict[str, Document] = {}
    for name, entitlement in entitlements.items():
        text = signed_text(entitlement["value"])
        signed[name] = dict(entitlement)
        if is_signed_alone(text):
            signed[name]["signature"] = {"v2": sign_text(text)}
    return signed


def _text_signer(key: rsa.RSAPrivateKey) -> Callable[[str], str]:
    # Of many entitlements, most are empty or alike, so each text is signed once.
    signatures: dict[str, str] = {}

    def sign_text(text: str) -> str:
        if text not in signatures:
            signatures[text] = _base64(sign(key, text.encode()))
        return signatures[text]

    return sign_text


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
