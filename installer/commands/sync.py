"""``sync``: fetch the current license, and keep the old file if that is invalid.

A pull credential that ends soon is replaced first.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from installer.commands.connect import http_client, portal_for
from installer.commands.credentials import renewed, secret_of, with_secret
from installer.commands.entries import license_entry
from installer.commands.options import (
    add_credential,
    add_license,
    add_network,
    add_portal,
    add_root_key,
)
from installer.errors import UsageError
from installer.files import write_file
from installer.license.file import License, LicenseError, parse_license, read_license
from installer.license.signatures import (
    read_root_keys,
    verify_license,
    without_signatures,
)
from installer.report import Report


def add_options(parser: argparse.ArgumentParser) -> None:
    add_license(parser)
    add_credential(parser)
    add_root_key(parser, required=True)
    add_portal(parser)
    add_network(parser)


def run(options: argparse.Namespace) -> Report:
    """Replace the license file atomically, if a newer one verifies."""
    roots = read_root_keys(options.root_key)
    old = read_license(options.license)
    secret = secret_of(options, old)
    portal = portal_for(options, with_secret(old, secret), http_client(options))
    if portal is None:
        raise UsageError("The license names no portal. Give its URL with --portal.")
    secret, notes = renewed(portal, secret)
    content = portal.presenting(secret.text).license_file()
    new = parse_license(content, f"The file from {portal.host}")
    verify_license(new, roots)
    _check_successor(old, new)
    if _is_same(old, new) and _is_genuine(old, roots):
        return Report(
            f"{options.license} is up to date (sequence {new.sequence}).",
            {"changed": False, **license_entry(new)},
            notes,
        )
    mode = options.license.stat().st_mode & 0o777
    # A link stays, and its target is replaced.
    write_file(options.license.resolve(), content, mode)
    return Report(
        f"{options.license} was updated from sequence {old.sequence} to "
        f"{new.sequence}.",
        {"changed": True, **license_entry(new)},
        notes,
    )


def _is_same(old: License, new: License) -> bool:
    """Compare everything but the signatures, which differ in each download."""
    return without_signatures(old.document) == without_signatures(new.document)


def _name(license: License) -> object:
    """Return what names a license, whose ID may be replaced."""
    metadata = license.document.get("metadata")
    return metadata.get("name") if isinstance(metadata, dict) else None


def _is_genuine(license: License, roots: Mapping[str, RSAPublicKey]) -> bool:
    try:
        verify_license(license, roots)
    except LicenseError:
        return False
    return True


def _check_successor(old: License, new: License) -> None:
    if _name(new) != _name(old):
        raise LicenseError(
            "The portal sent another license. The old file is kept.", "other_license"
        )
    if new.application != old.application:
        raise LicenseError(
            f"The portal sent a license for {new.application}, but the old one is for "
            f"{old.application}. The old file is kept.",
            "other_application",
        )
    if new.sequence < old.sequence:
        raise LicenseError(
            f"The portal sent an older license: its sequence is {new.sequence}, but "
            f"the old one has {old.sequence}. The old file is kept.",
            "older_license",
        )
