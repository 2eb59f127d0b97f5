"""``secret``: the pull secret alone, for ``kubectl apply -f -`` or a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from installer.commands.connect import connect, verified_license
from installer.commands.options import add_connection, add_namespaces
from installer.errors import ExitCode, UsageError
from installer.files import GeneratedFile, check_ours
from installer.manifests.application import additional_namespaces
from installer.manifests.paths import manifest_paths
from installer.plan.namespaces import namespaces_for
from installer.plan.pull_secrets import pull_secrets, secrets_yaml
from installer.report import Report
from oci.pull_secrets import pull_secret_name


def add_options(parser: argparse.ArgumentParser) -> None:
    add_namespaces(parser)
    parser.add_argument(
        "--application",
        type=Path,
        metavar="FILE|DIR",
        help="the Application manifest; its additionalNamespaces get the secret too",
    )
    parser.add_argument(
        "--file",
        type=Path,
        help="write to this file, readable by you alone, instead of standard output",
    )
    parser.add_argument("--force", action="store_true", help="replace an edited file")
    add_connection(parser)


def run(options: argparse.Namespace) -> Report:
    """Write one Secret for each namespace, whether images are private or not."""
    license = verified_license(options)
    hosts = connect(options, license).hosts
    namespaces = namespaces_for(
        options.namespace,
        _additional(options.application),
        pull_secret_name(license.application),
    )
    secrets = pull_secrets(license.license_id, hosts, namespaces.names)
    notes = namespaces.problems
    code = ExitCode.INCOMPLETE if namespaces.problems else ExitCode.DONE
    text = secrets_yaml(secrets)
    if options.file is None:
        items = {"apiVersion": "v1", "kind": "List", "items": secrets}
        return Report(text, items, notes, code)
    check_ours(options.file, force=options.force)
    GeneratedFile(options.file, text, 0o600).write()
    return Report(
        f"Wrote {options.file}. It contains a secret: do not commit it to git.",
        {"file": str(options.file), "namespaces": list(namespaces.names)},
        notes,
        code,
    )


def _additional(path: Path | None) -> tuple[str, ...]:
    if path is None:
        return ()
    if not path.exists():
        raise UsageError(f"{path} does not exist.", "no_application")
    return additional_namespaces(list(manifest_paths(path)))
