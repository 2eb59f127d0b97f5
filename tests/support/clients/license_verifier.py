"""Checks a license file as docs/reference/license-file.md says.

Written from that page, and not from the code that signs: it imports nothing of Berth.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import yaml
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_PUBLIC_KEY = re.compile(
    "-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----\n", re.DOTALL
)


class LicenseRefused(Exception):  # noqa: N818 -- states the fact
    """The license file is not to be believed; the message names what was wrong."""


def verify_license(text: str, roots_pem: str) -> dict[str, Any]:
    """Return the signed license.

    Raises:
        LicenseRefused: some part of the file is not what was signed.
    """
    outer_license = yaml.safe_load(text)
    signature = outer_license["spec"].pop("signature")
    outer = _json(_decode(signature), {"licenseData", "innerSignature"})
    data = _decode(outer["licenseData"])
    inner = _json(
        _decode(outer["innerSignature"]),
        {"v2LicenseSignature", "publicKey", "v2KeySignature"},
    )
    vouched = _json(_decode(inner["v2KeySignature"]), {"signature", "globalKeyId"})
    root = _roots(roots_pem).get(vouched["globalKeyId"])
    if root is None:
        raise LicenseRefused("unknown root")
    public_key = inner["publicKey"].encode()
    _verify("key signature", root, vouched["signature"], public_key)
    key = _load(public_key)
    _verify("license signature", key, inner["v2LicenseSignature"], data)
    signed: dict[str, Any] = json.loads(data)
    for name, entitlement in signed["spec"]["entitlements"].items():
        value = _go_text(entitlement["value"])
        if "signature" not in entitlement and _could_be_license(value):
            continue
        field_signature = entitlement.get("signature", {}).get("v2", "")
        _verify(f"entitlement {name}", key, field_signature, value.encode())
    if not _same(outer_license, signed):
        raise LicenseRefused("outer data")
    return signed


def root_id(key: rsa.RSAPublicKey) -> str:
    der = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()[:32]


def _roots(pem: str) -> dict[str, rsa.RSAPublicKey]:
    keys = [_load(found.encode()) for found in _PUBLIC_KEY.findall(pem)]
    return {root_id(key): key for key in keys}


def _load(pem: bytes) -> rsa.RSAPublicKey:
    key = serialization.load_pem_public_key(pem)
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < 2048:
        raise LicenseRefused("public key")
    return key


def _verify(what: str, key: rsa.RSAPublicKey, signature: str, message: bytes) -> None:
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
    try:
        key.verify(_decode(signature), message, scheme, hashes.SHA256())
    except InvalidSignature:
        raise LicenseRefused(what) from None


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise LicenseRefused("base64") from None


def _json(content: bytes, members: set[str]) -> dict[str, str]:
    try:
        found = json.loads(content)
    except ValueError:
        raise LicenseRefused("json") from None
    if not isinstance(found, dict) or set(found) != members:
        raise LicenseRefused("json")
    return found


def _go_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _could_be_license(text: str) -> bool:
    visible = [character for character in text if "!" <= character <= "~"]
    return visible[:1] == ["{"]


def _same(one: object, other: object) -> bool:
    """Compare with types: to Python, ``True`` is 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
