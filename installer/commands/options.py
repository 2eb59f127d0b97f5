"""Options that several commands share, and what is made of them."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Final

from installer.errors import Unreachable, UsageError
from installer.license.file import License, read_license
from installer.license.signatures import read_root_keys, verify_license
from installer.net.client import HttpClient
from installer.net.portal import LicenseFacts, Portal
from installer.plan.images import Hosts
from oci.reference import MalformedName, parse_registry_host

_NAMESPACE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add ``--output``; ``--format`` is another name of it."""
    parser.add_argument(
        *("-o", "--output", "--format"),
        dest="format",
        choices=("text", "json", "yaml"),
        default="text",
        help="text for people (the default), or one document for scripts",
    )


def add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--plain-http",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="a host that is asked without TLS; may be given several times",
    )
    parser.add_argument(
        "--ca-file", type=Path, metavar="FILE", help="more authorities to trust, in PEM"
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=20.0,
        metavar="SECONDS",
        help="how long to wait for an answer (20)",
    )
    parser.add_argument(
        "--progress", action="store_true", help="show progress, terminal or not"
    )


def add_license(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    parser.add_argument(
        "--license",
        type=Path,
        required=required,
        metavar="FILE",
        help="the license file that your vendor gave you",
    )


def add_root_key(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    also = "" if required else "; the license is verified with it before it is used"
    parser.add_argument(
        "--root-key",
        type=Path,
        required=required,
        metavar="FILE",
        help=f"the public root key of your vendor's portal, in PEM{also}",
    )


def license_of(options: argparse.Namespace) -> License:
    """Return the license; it is genuine if a root key was given.

    Raises:
        LicenseError: it is no license, or not as it was signed.
    """
    license = read_license(options.license)
    if options.root_key is not None:
        verify_license(license, read_root_keys(options.root_key))
    return license


def add_portal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--portal",
        metavar="URL",
        help="your vendor's portal, if the license names none",
    )


def add_hosts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--proxy",
        action="append",
        default=[],
        type=_registry_host,
        metavar="HOST",
        help="the proxy's host, if not the license's; more are other names of it",
    )
    parser.add_argument(
        "--private-registry",
        action="append",
        default=[],
        type=_registry_host,
        metavar="HOST",
        help="the private registry's host; may be given several times",
    )
    parser.add_argument(
        "--offline",
        action="store_true",
        help="do not ask the portal, even if one is named",
    )


def add_namespaces(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--namespace",
        action="append",
        default=[],
        type=_namespace,
        metavar="NS",
        help="a namespace for the pull secret; may be given several times",
    )


def web_of(options: argparse.Namespace) -> HttpClient:
    return HttpClient(
        plain_http=frozenset(options.plain_http),
        ca_file=options.ca_file,
        read_seconds=options.timeout,
        connect_seconds=min(options.timeout, 5.0),
    )


def portal_of(
    options: argparse.Namespace, license: License, web: HttpClient
) -> Portal | None:
    """Return the portal to ask, None if none is named or ``--offline`` was given."""
    url = options.portal or license.portal
    if not url or getattr(options, "offline", False):
        return None
    return Portal(web, url, license.license_id)


def facts_of(portal: Portal | None) -> LicenseFacts | None:
    """Return what the portal says of the license, None if none is to be asked.

    Raises:
        RefusedByPortal: it says no.
        Unreachable: it does not answer as it should.
    """
    if portal is None:
        return None
    try:
        return portal.license_facts()
    except Unreachable as trouble:
        advice = "To go on without the portal, give --offline."
        raise Unreachable(f"{trouble} {advice}", trouble.code) from trouble


def hosts_of(
    options: argparse.Namespace, license: License, facts: LicenseFacts | None
) -> Hosts:
    """Return the hosts to pull from: of the options, the license, and the portal.

    Raises:
        UsageError: none of them names a proxy, or the portal knows the license as one
            of another application.
    """
    _check_same_application(license, facts)
    # What the portal says is how it is now; the license may name a host of yesterday,
    # which is not to see the license ID.
    proxy = (facts.proxy_host if facts else "") or license.proxy_host
    registry = (facts.registry_host if facts else "") or license.registry_host
    proxies = [*options.proxy, proxy]
    registries = [*options.private_registry, registry]
    found = Hosts(
        application=license.application,
        proxies=tuple(dict.fromkeys(filter(None, proxies))),
        registries=tuple(dict.fromkeys(filter(None, registries))),
    )
    if not found.proxies:
        raise UsageError(
            "The license names no proxy. Give its host with --proxy, or --portal.",
            "no_proxy",
        )
    return found


def _check_same_application(license: License, facts: LicenseFacts | None) -> None:
    if facts is not None and facts.application != license.application:
        raise UsageError(
            f"The portal says that this license is for {facts.application}, the file "
            f"says {license.application}. Run sync, or download the file again.",
            "other_application",
        )


def is_namespace(text: str) -> bool:
    """Tell whether Kubernetes takes a name for a namespace (an RFC 1123 label)."""
    return bool(_NAMESPACE.fullmatch(text))


def _namespace(text: str) -> str:
    if not is_namespace(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a namespace")
    return text


def _registry_host(text: str) -> str:
    try:
        return parse_registry_host(text)
    except MalformedName as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 600:
        raise argparse.ArgumentTypeError("give seconds, up to 600")
    return seconds
