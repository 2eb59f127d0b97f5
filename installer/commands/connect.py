"""The license, the portal and the hosts that a command works with."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from installer.commands.credentials import secret_of, with_secret
from installer.errors import Unreachable, UsageError
from installer.license.file import License, read_license
from installer.license.signatures import read_root_keys, verify_license
from installer.license.validity import check_pulls
from installer.lookup.look_up import look_up
from installer.manifests.directory import Place
from installer.net.client import HttpClient
from installer.net.portal import LicenseFacts, Portal
from installer.net.registry import Registry
from installer.plan.images import (
    Hosts,
    PlannedImage,
    berth_images,
    plan_images,
    resolve_offline,
)
from installer.report import Progress

_MAX_CONNECT_SECONDS: Final = 5.0
_OFFLINE: Final = (
    "No portal was asked, so every private image is assumed to be available through "
    "the proxy. Give --portal to check."
)


@dataclass(frozen=True, slots=True)
class Connection:
    """The hosts to pull from, and the portal that was asked for them, if any."""

    client: HttpClient
    portal: Portal | None
    hosts: Hosts

    @property
    def notes(self) -> list[str]:
        return [] if self.portal else [_OFFLINE]

    def plan_images(
        self, places: Mapping[str, list[Place]], progress: Progress
    ) -> list[PlannedImage]:
        """Look all images up, and decide about each."""
        served = berth_images(places, self.hosts)
        images = [image for image in places if image not in served]
        verdicts = look_up(images, Registry(self.client), progress=progress)
        portal, hosts = self.portal, self.hosts
        if portal is not None:
            return plan_images(places, hosts, verdicts, portal.resolve_images)
        return plan_images(
            places, hosts, verdicts, lambda private: resolve_offline(private, hosts)
        )


def connect(options: argparse.Namespace, license: License) -> Connection:
    """Ask the portal where to pull from, if there is one to ask.

    Raises:
        LicenseError: no portal is asked, and the license file has expired.
        RefusedByPortal: the portal refuses the license.
        Unreachable: the portal gives no usable response.
        UsageError: no proxy is known, or the license is for another application.
    """
    client = http_client(options)
    portal = None if options.offline else portal_for(options, license, client)
    facts = None
    if portal is None:
        check_pulls(license)
    else:
        facts = _license_facts(portal)
        _check_same_application(license, facts)
    hosts = known_hosts(options, license, facts)
    if not hosts.proxies:
        raise UsageError(
            "The license names no proxy. Give its host with --proxy, or --portal.",
            "no_proxy",
        )
    return Connection(client, portal, hosts)


def verified_license(options: argparse.Namespace) -> License:
    """Read the license, and verify it if there is a root key.

    Its ID is the pull credential to use instead, if there is one.

    Raises:
        LicenseError: it is not a license, or was changed after it was signed.
        UsageError: what should be a pull credential is none.
    """
    license = read_license(options.license)
    if options.root_key is not None:
        verify_license(license, read_root_keys(options.root_key))
    return with_secret(license, secret_of(options, license))


def http_client(options: argparse.Namespace) -> HttpClient:
    return HttpClient(
        plain_http=frozenset(options.plain_http),
        ca_file=options.ca_file,
        read_seconds=options.timeout,
        connect_seconds=min(options.timeout, _MAX_CONNECT_SECONDS),
    )


def portal_for(
    options: argparse.Namespace, license: License, client: HttpClient
) -> Portal | None:
    """Return the portal of the options or the license, None if neither names one."""
    url = options.portal or license.portal
    return Portal(client, url, license.license_id) if url else None


def known_hosts(
    options: argparse.Namespace,
    license: License | None,
    facts: LicenseFacts | None = None,
) -> Hosts:
    """Return the hosts that the options and the portal, else the license, name."""
    # The portal's host wins: the license may name an earlier one, which must not see
    # the license ID.
    sources = [source for source in (facts, license) if source is not None]
    proxies = [source.proxy_host for source in sources if source.proxy_host]
    registries = [source.registry_host for source in sources if source.registry_host]
    return Hosts(
        application=license.application if license else "",
        proxies=tuple(dict.fromkeys([*options.proxy, *proxies[:1]])),
        registries=tuple(dict.fromkeys([*options.private_registry, *registries[:1]])),
    )


def _license_facts(portal: Portal) -> LicenseFacts:
    try:
        return portal.license_facts()
    except Unreachable as error:
        advice = "To go on without the portal, give --offline."
        raise Unreachable(f"{error} {advice}", error.code) from error


def _check_same_application(license: License, facts: LicenseFacts) -> None:
    if facts.application != license.application:
        raise UsageError(
            f"The license is for {facts.application} according to the portal, but for "
            f"{license.application} according to its file. Run sync, or download the "
            "file again.",
            "other_application",
        )
