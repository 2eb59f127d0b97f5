"""License files, signed with keys for tests.

The signer is written from the format's description, and not from the verifier, so that
the two can disagree.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

LICENSE_ID = "2c8HgTq0V5yWn3RkLm7XzB4pDs1"


def document(**changes: Any) -> dict[str, Any]:
    """Return an unsigned license; ``changes`` apply to its spec."""
    spec = {
        "licenseID": LICENSE_ID,
        "licenseType": "prod",
        "licenseSequence": 7,
        "appSlug": "my-app",
        "customerName": "Initech",
        "channels": [{"channelName": "Stable", "isDefault": True}],
        "replicatedProxyDomain": "proxy.example.com",
        "entitlements": {
            "expires_at": {
                "title": "Expiration",
                "value": "2099-02-03T04:05:06Z",
                "valueType": "String",
            },
            "seats": {"title": "Seats", "value": 25, "valueType": "Integer"},
            "sso": {"title": "SSO", "value": True, "valueType": "Boolean"},
            "note": {"title": "Note", "value": "", "valueType": "Text"},
        },
    }
    return {
        "apiVersion": "kots.io/v1beta2",
        "kind": "License",
        "metadata": {"name": "my-app-initech"},
        "spec": spec | changes,
    }


def license_yaml(content: dict[str, Any]) -> str:
    """Return a license as YAML, every value as JSON writes it."""
    return "".join(f"{line}\n" for line in _lines(content))


def _lines(value: dict[str, Any] | list[Any]) -> Iterator[str]:
    entries = (
        [(f"{key}:", item) for key, item in value.items()]
        if isinstance(value, dict)
        else [("-", item) for item in value]
    )
    for head, item in entries:
        if isinstance(item, dict | list) and item:
            yield head
            yield from (f"  {line}" for line in _lines(item))
        else:
            yield f"{head} {json.dumps(item, ensure_ascii=False)}"


def write_license(directory: Path, content: dict[str, Any]) -> Path:
    path = directory / "license.yaml"
    path.write_text(license_yaml(content))
    return path


@cache
def _key(_name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Signer:
    """A root key and an application's key."""

    root: rsa.RSAPrivateKey = field(default_factory=lambda: _key("root"))
    application: rsa.RSAPrivateKey = field(default_factory=lambda: _key("application"))

    @property
    def root_pem(self) -> str:
        return public_pem(self.root)

    def signed(self, license: dict[str, Any]) -> dict[str, Any]:
        """Return the license with signatures of its fields and of the whole."""
        signed = copy.deepcopy(license)
        for entry in signed["spec"]["entitlements"].values():
            value = _printed(entry["value"])
            if value.strip()[:1] != b"{":
                signature = self._sign(self.application, value)
                entry["signature"] = {"v2": _base64(signature)}
        return self.sealed(signed)

    def sealed(self, license: dict[str, Any]) -> dict[str, Any]:
        """Return the license with a signature of the whole."""
        data = json.dumps(license, separators=(",", ":")).encode()
        return with_signature(license, self.envelope(data))

    def envelope(self, data: bytes) -> dict[str, Any]:
        """Return the content of ``spec.signature`` for signed data."""
        return {"licenseData": _base64(data), "innerSignature": self._inner(data)}

    def _inner(self, data: bytes) -> str:
        public = public_pem(self.application)
        key_signature = {
            "signature": _base64(self._sign(self.root, public.encode())),
            "globalKeyId": key_id(self.root),
        }
        inner = {
            "v2LicenseSignature": _base64(self._sign(self.application, data)),
            "publicKey": public,
            "v2KeySignature": _base64(json.dumps(key_signature).encode()),
        }
        return _base64(json.dumps(inner).encode())

    @staticmethod
    def _sign(key: rsa.RSAPrivateKey, message: bytes) -> bytes:
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        return key.sign(message, scheme, hashes.SHA256())


def other_signer() -> Signer:
    """Return a signer with keys of its own."""
    return Signer(_key("other root"), _key("other application"))


def public_pem(key: rsa.RSAPrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        .decode()
    )


def key_id(key: rsa.RSAPrivateKey) -> str:
    encoded = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(encoded).hexdigest()[:32]


def unwrapped(license: dict[str, Any]) -> dict[str, Any]:
    """Return the content of ``spec.signature``."""
    envelope: dict[str, Any] = json.loads(
        base64.b64decode(license["spec"]["signature"])
    )
    return envelope


def with_signature(license: dict[str, Any], outer: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(license)
    changed["spec"]["signature"] = _base64(json.dumps(outer).encode())
    return changed


def _printed(value: object) -> bytes:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.encode()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
