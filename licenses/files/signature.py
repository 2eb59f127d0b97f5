"""The signature in a license file.

Source: kotskinds, ``pkg/crypto/signature.go`` and ``License.ValidateLicense`` of
``kots.io/v1beta2``. Everything is RSASSA-PSS with SHA-256. The root signed the
application's public key; the application's key signs each entitlement's value and the
whole license. docs/reference/license-file.md tells how to check it.

One key signs both, and nothing in the signed bytes tells which it is. So no value is
signed that could be read as a license.
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
# A license is JSON that begins with "{". Readers differ in what they skip before that,
# but none skips visible ASCII.
_COULD_BE_LICENSE = re.compile(r"[^!-~]*\{")


@dataclass(frozen=True, slots=True)
class RootSignature:
    """What a root says about an application's public key."""

    root_id: str
    signature: bytes

    @classmethod
    def make(cls, root: rsa.RSAPrivateKey, application_pem: str) -> RootSignature:
        """Sign the PEM text itself, which is what is compared."""
        signature = sign(root, application_pem.encode())
        return cls(key_id(root.public_key()), signature)

    def to_json(self) -> bytes:
        return _json(
            {"signature": _base64(self.signature), "globalKeyId": self.root_id}
        )


def signed_document(
    document: Mapping[str, Any], key: rsa.RSAPrivateKey, vouched: RootSignature
) -> Document:
    """Return a license document with the signatures of its entitlements and itself.

    ``vouched`` is the root's for the public half of ``key``.
    """
    spec = dict(document["spec"])
    spec["entitlements"] = _signed_entitlements(spec["entitlements"], key)
    data = _json({**document, "spec": spec})
    inner = {
        "v2LicenseSignature": _base64(sign(key, data)),
        "publicKey": public_pem(key.public_key()),
        "v2KeySignature": _base64(vouched.to_json()),
    }
    outer = {"licenseData": _base64(data), "innerSignature": _base64(_json(inner))}
    spec["signature"] = _base64(_json(outer))
    return {**document, "spec": spec}


def is_signed_alone(text: str) -> bool:
    """Tell whether a value's text gets a signature of its own.

    It does not if it could be read as a license, whose signature it then would be. The
    signature of the whole license covers it all the same.
    """
    return _COULD_BE_LICENSE.match(text) is None


def signed_text(value: object) -> str:
    """Return what is signed of an entitlement: Go's ``fmt.Sprint(value)``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | str):
        return str(value)
    raise TypeError(f"License fields hold no {type(value).__name__}.")


def _signed_entitlements(
    entitlements: Mapping[str, Mapping[str, Any]], key: rsa.RSAPrivateKey
) -> dict[str, Document]:
    sign_text = _signing_each_text_once(key)
    signed: dict[str, Document] = {}
    for name, entitlement in entitlements.items():
        text = signed_text(entitlement["value"])
        signed[name] = dict(entitlement)
        if is_signed_alone(text):
            signed[name]["signature"] = {"v2": sign_text(text)}
    return signed


def _signing_each_text_once(key: rsa.RSAPrivateKey) -> Callable[[str], str]:
    # Most of many entitlements are empty, or say the same.
    known: dict[str, str] = {}

    def sign_text(text: str) -> str:
        if text not in known:
            known[text] = _base64(sign(key, text.encode()))
        return known[text]

    return sign_text


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
