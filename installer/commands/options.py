"""Command-line options that several commands share."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Final

from installer.plan.namespaces import is_namespace
from installer.plan.own_registry import parse_own_registry
from oci.reference import MalformedName, parse_registry_host

# Source: Kubernetes, "Labels and Selectors".
_WORD: Final = r"[0-9A-Za-z](?:[0-9A-Za-z._-]{0,61}[0-9A-Za-z])?"
_LABEL: Final = re.compile(
    rf"((?:[a-z0-9](?:[a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_WORD})=({_WORD})"
)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add ``--output`` and its alias ``--format``."""
    parser.add_argument(
        *("-o", "--output", "--format"),
        dest="format",
        choices=("text", "json", "yaml"),
        default="text",
        help="human-readable text (the default), or a single document for scripts",
    )


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Add what ``connect`` needs: a license, the portal, hosts and the network."""
    add_license(parser)
    add_credential(parser)
    add_root_key(parser)
    add_portal(parser)
    add_hosts(parser)
    add_network(parser)


def add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plain-http",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="use HTTP without TLS for this host; may be repeated",
    )
    parser.add_argument(
        "--ca-file",
        type=Path,
        metavar="FILE",
        help="more certificate authorities to trust, in PEM",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=20.0,
        metavar="SECONDS",
        help="how long to wait for a response (20)",
    )
    parser.add_argument(
        "--progress", action="store_true", help="show progress even without a terminal"
    )


def add_license(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument(
        "--license",
        type=Path,
        required=required,
        metavar="FILE",
        help="the license file from your vendor",
    )


def add_credential(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--credential-file",
        type=Path,
        metavar="FILE",
        help="a file with a pull credential, which is used instead of the license ID; "
        "the environment variable BERTH_PULL_CREDENTIAL may have one, too",
    )


def add_root_key(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    purpose = "" if required else "; verifies the license before it is used"
    parser.add_argument(
        "--root-key",
        type=Path,
        required=required,
        metavar="FILE",
        help=f"the public root key of your vendor's portal, in PEM{purpose}",
    )


def add_portal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--portal",
        metavar="URL",
        help="your vendor's portal, if not the one that the license names",
    )


def add_hosts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--proxy",
        action="append",
        default=[],
        type=_registry_host,
        metavar="HOST",
        help="the proxy, if not the license's; repeat it for other names of the proxy",
    )
    parser.add_argument(
        "--private-registry",
        action="append",
        default=[],
        type=_registry_host,
        metavar="HOST",
        help="the private registry; may be repeated",
    )
    parser.add_argument("--offline", action="store_true", help="do not ask the portal")


def add_namespaces(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--namespace",
        action="append",
        default=[],
        type=namespace,
        metavar="NS",
        help="a namespace that gets the pull secret; may be repeated",
    )


def add_own_registry(parser: argparse.ArgumentParser, purpose: str) -> None:
    parser.add_argument(
        "--registry",
        type=_own_registry,
        metavar="HOST/NAMESPACE",
        help=f"your own registry, {purpose}",
    )


def namespace(text: str) -> str:
    """Return a namespace's name. Raises ArgumentTypeError."""
    if not is_namespace(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid namespace")
    return text


def label(text: str) -> tuple[str, str]:
    """Return the key and value of a label. Raises ArgumentTypeError."""
    match = _LABEL.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a label such as key=value")
    return match[1], match[2]


def _registry_host(text: str) -> str:
    try:
        return parse_registry_host(text)
    except MalformedName as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _own_registry(text: str) -> str:
    try:
        return parse_own_registry(text)
    except MalformedName as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 600:
        raise argparse.ArgumentTypeError("give a number of seconds up to 600")
    return seconds
