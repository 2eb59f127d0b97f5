"""``node-setup``: files for nodes that pull with the identity of each Pod."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Final

from installer.cluster.nodes import (
    PROVIDER,
    NodeSetup,
    mirrors,
    node_rbac,
    provider_config,
    script,
    whole_hosts,
)
from installer.cluster.rules import KEPT, Rule, rules_of
from installer.commands.connect import Connection, connect, verified_license
from installer.commands.options import add_connection
from installer.errors import NotOurFile, UsageError
from installer.files import GeneratedFile, check_ours, write_file
from installer.report import Report
from oci.kustomize import DOCKER_HUB, DOCKER_HUB_HOSTS
from oci.reference import MalformedName, parse_registry_host

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
_NEXT: Final = (
    "Apply node-audience.yaml to the cluster. On each node, install the other files, "
    "and restart the kubelet with --image-credential-provider-config={config} and "
    "--image-credential-provider-bin-dir={bin}."
)
_MIRRORED: Final = (
    "All images of {} on these nodes are pulled through the proxy, under their own "
    "names. Install hosts.toml before the kubelet's configuration: without it, the "
    "token of each Pod would go to {}."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR", help="where to write")
    parser.add_argument(
        "--audience",
        type=_audience,
        help="the audience of the license's trusted identity (the proxy's host)",
    )
    parser.add_argument(
        "--name",
        default=PROVIDER,
        type=_provider_name,
        help="another name of the provider, if a node has one of another vendor",
    )
    parser.add_argument(
        "--mirror",
        action="append",
        default=[],
        type=_host,
        metavar="HOST",
        help="also make containerd pull all images of this registry through the proxy",
    )
    parser.add_argument("--force", action="store_true", help="replace edited files")
    add_connection(parser)


def run(options: argparse.Namespace) -> Report:
    license = verified_license(options)
    connection = connect(options, license)
    setup = NodeSetup(
        hosts=connection.hosts,
        audience=options.audience or connection.hosts.proxy,
        provider=options.name,
        plain_http=frozenset(options.plain_http),
        mirrored=_mirrored(options, connection),
    )
    directory: Path = options.directory
    files = [
        GeneratedFile(directory / f"{options.name}.yaml", provider_config(setup)),
        GeneratedFile(directory / "node-audience.yaml", node_rbac(setup)),
        *(
            GeneratedFile(directory / "certs.d" / host / "hosts.toml", text)
            for host, text in mirrors(setup).items()
        ),
    ]
    program = directory / "bin" / options.name
    for file in files:
        check_ours(file.path, force=options.force)
    _check_program(program, force=options.force)
    write_file(program, script(), 0o755)
    for file in files:
        file.write()
    written = [str(path) for path in (program, *(file.path for file in files))]
    config = f"…/{files[0].path.name}"
    return Report(
        text="\n".join(f"Wrote {path}" for path in written),
        document={"written": written},
        notes=[
            _NEXT.format(config=config, bin="…/bin"),
            *(_MIRRORED.format(*[_host_of(rule)] * 2) for rule in setup.mirrored),
        ],
    )


def _mirrored(options: argparse.Namespace, connection: Connection) -> list[Rule]:
    if not options.mirror:
        return []
    if connection.portal is None:
        raise UsageError(
            "Only the portal knows how a registry is named there: leave --offline out, "
            "or --mirror.",
            "no_portal",
        )
    rules = rules_of(connection.portal.registries())
    found = whole_hosts(
        (rule for rule in rules if rule.upstream != KEPT), options.mirror
    )
    missing = set(options.mirror) - {_host_of(rule) for rule in found}
    if missing:
        raise UsageError(
            f"The license pulls nothing of {', '.join(sorted(missing))} through the "
            "proxy. Ask your vendor, or leave --mirror out.",
            "not_connected",
        )
    return found


def _check_program(path: Path, *, force: bool) -> None:
    """Check that the script may be replaced: an earlier version has the same head."""
    if force or not path.exists():
        return
    head = script().partition(b":")[0]
    if not path.read_bytes().startswith(head):
        raise NotOurFile(
            f"{path} was created by hand. Nothing was written. Move it away, or "
            "replace it with --force."
        )


def _host_of(rule: Rule) -> str:
    return rule.prefix.rstrip("/")


def _host(text: str) -> str:
    try:
        host = parse_registry_host(text)
    except MalformedName as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return DOCKER_HUB if host in DOCKER_HUB_HOSTS else host


def _audience(text: str) -> str:
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError("give an audience such as proxy.example.com")
    return text


def _provider_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a program")
    return text
