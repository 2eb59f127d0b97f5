"""``verify``: check offline that the license file is genuine and has not expired."""

from __future__ import annotations

import argparse

from installer.commands.entries import license_entry
from installer.commands.options import add_license, add_root_key
from installer.license.file import License, read_license
from installer.license.signatures import read_root_keys, verify_license
from installer.license.validity import check_application, check_expiry, format_time
from installer.report import Report


def add_options(parser: argparse.ArgumentParser) -> None:
    add_license(parser)
    add_root_key(parser, required=True)
    parser.add_argument(
        "--application", metavar="SLUG", help="the application it must be for"
    )


def run(options: argparse.Namespace) -> Report:
    """Check the signatures, then the application, then the expiry."""
    roots = read_root_keys(options.root_key)
    license = read_license(options.license)
    verify_license(license, roots)
    check_application(license, options.application)
    check_expiry(license)
    return Report(_text(license), {"valid": True, **license_entry(license)})


def _text(license: License) -> str:
    expiry = (
        f"It expires on {format_time(license.expires_at)}."
        if license.expires_at
        else "It does not expire."
    )
    return (
        f"The license of {license.customer or 'this customer'} for "
        f"{license.application} is genuine (sequence {license.sequence}). {expiry} "
        "Only the portal knows whether it was revoked: run sync to check."
    )
