"""Read a license file: YAML of ``kind: License`` that all readers read alike."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from installer.errors import InstallerError, UsageError
from oci.portable_yaml import from_portable_yaml
from oci.reference import MalformedName, parse_registry_host
from oci.yaml_documents import MalformedYaml

MAX_BYTES: Final = 1_000_000
_API_VERSION: Final = "kots.io/v1beta2"
_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)"
)


class LicenseError(InstallerError):
    """A license file is invalid; ``code`` names the kind of fault."""


@dataclass(frozen=True, slots=True)
class License:
    """The fields that commands use. ``document`` is the whole file."""

    license_id: str = field(repr=False)
    application: str
    sequence: int
    customer: str
    proxy_host: str
    registry_host: str
    portal: str
    expires_at: datetime | None
    document: dict[str, Any] = field(repr=False)


def read_license(path: Path) -> License:
    """Read a license file, without verifying it.

    Raises:
        UsageError: the file cannot be read.
        LicenseError: it is not a license.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", "no_license_file"
        ) from error
    return parse_license(content, str(path))


def parse_license(content: bytes, name: str) -> License:
    """Read the content of a license file; messages call it ``name``.

    Raises:
        LicenseError: it is not a license.
    """
    document = _document(content, name)
    spec = document["spec"]
    license_id, application = spec.get("licenseID"), spec.get("appSlug")
    if not _is_word(license_id) or not _is_word(application):
        raise LicenseError(
            f"{name} is a License without a valid licenseID or appSlug. Download it "
            "again.",
            "not_a_license",
        )
    sequence = spec.get("licenseSequence")
    return License(
        license_id=license_id,
        application=application,
        sequence=sequence if type(sequence) is int else 0,
        customer=_text(spec.get("customerName")),
        proxy_host=_host(spec.get("replicatedProxyDomain"), name),
        registry_host=_host(spec.get("replicatedRegistryDomain"), name),
        portal=_text(spec.get("endpoint")).rstrip("/"),
        expires_at=_expiry(spec, name),
        document=document,
    )


def _document(content: bytes, name: str) -> dict[str, Any]:
    if len(content) > MAX_BYTES:
        raise LicenseError(f"{name} is too large to be a license.", "not_a_license")
    if content.lstrip()[:1] == b"<":
        raise LicenseError(
            f"{name} is a web page, not a license. Download the license file itself.",
            "not_yaml",
        )
    try:
        document = from_portable_yaml(content.decode())
    except ValueError as error:
        what = error if isinstance(error, MalformedYaml) else "It is not UTF-8 text."
        raise LicenseError(
            f"{name} is not a license file as the portal writes it. {what} Download "
            "the license file again.",
            "not_yaml",
        ) from None
    if not isinstance(document, dict) or document.get("kind") != "License":
        raise LicenseError(
            f"{name} is not a license: its kind is not License.",
            "not_a_license",
        )
    if document.get("apiVersion") != _API_VERSION:
        raise LicenseError(
            f"{name} is not a license of {_API_VERSION}. Download it again, or use a "
            "newer installer.",
            "unknown_version",
        )
    if not isinstance(document.get("spec"), dict):
        raise LicenseError(f"{name} is a License without a spec.", "not_a_license")
    return document


def _is_word(value: object) -> bool:
    """Return whether a value is safe in names, headers and paths."""
    return isinstance(value, str) and bool(re.fullmatch(r"[0-9A-Za-z._~-]+", value))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _host(value: object, name: str) -> str:
    if not value:
        return ""
    try:
        return parse_registry_host(_text(value))
    except MalformedName as error:
        raise LicenseError(
            f"{name} names an invalid host. Download it again.", "not_a_license"
        ) from error


def _expiry(spec: dict[str, Any], name: str) -> datetime | None:
    try:
        text = spec["entitlements"]["expires_at"]["value"]
    except (KeyError, TypeError):
        return None
    if text in {"", None}:
        return None
    invalid = LicenseError(
        f"{name} has an expiry that is not an RFC 3339 time.", "not_a_license"
    )
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        raise invalid
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid from None
