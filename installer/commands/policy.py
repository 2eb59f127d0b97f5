"""``policy``: a cluster that renames images itself, and a trial of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

from installer.cluster.admission_policy import Rewriting, admission_policy
from installer.cluster.dry_run import TriedPod, try_pods
from installer.cluster.kyverno import kyverno_policy
from installer.cluster.rules import (
    KEPT,
    Rule,
    assumed_rules,
    keeping,
    narrowed,
    parse_prefix,
    rules_of,
)
from installer.commands.connect import Connection, connect, verified_license
from installer.commands.options import (
    add_credential,
    add_hosts,
    add_license,
    add_network,
    add_portal,
    add_root_key,
    label,
    namespace,
)
from installer.errors import ExitCode, UsageError
from installer.files import GeneratedFile, check_ours
from installer.report import Report
from oci.kustomize import dump_yaml
from oci.pull_secrets import pull_secret_name
from oci.reference import MalformedName

_WHOLE_HOST: Final = (
    "Every image of {} is renamed, public ones too: your vendor offers all of it. "
    "Select yours with --only, or keep names with --exclude."
)
_LABELED: Final = (
    "It is for namespaces with a label: kubectl label namespace NAME {}={}"
)
_UNCHANGED: Final = (
    "No image would change. Check that the policy is applied, that the namespace has "
    "its label, and that the license pulls these images."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--check",
        nargs="+",
        metavar="FILE",
        help="instead of writing a policy, run the Pods of these manifests through the "
        "one in the cluster, by kubectl and without creating anything; - is standard "
        "input",
    )
    parser.add_argument("--context", help="the kubectl context of --check")
    parser.add_argument(
        "--namespace",
        type=namespace,
        metavar="NS",
        help="the namespace of --check for objects that name none",
    )
    _add_choices(parser)
    parser.add_argument(
        "--kyverno",
        action="store_true",
        help="write a policy for Kyverno 1.17, for clusters before Kubernetes 1.36",
    )
    parser.add_argument(
        "--file", type=Path, help="write to this file instead of standard output"
    )
    parser.add_argument("--force", action="store_true", help="replace an edited file")
    add_license(parser, required=False)
    add_credential(parser)
    add_root_key(parser)
    add_portal(parser)
    add_hosts(parser)
    add_network(parser)


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        type=_prefix,
        metavar="PREFIX",
        help="rename only images such as quay.io/my-org/ or quay.io/my-org/api",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        type=_prefix,
        metavar="PREFIX",
        help="keep the names of such images",
    )
    parser.add_argument(
        "--label",
        type=label,
        metavar="KEY=VALUE",
        help="the label of the namespaces (berth-application=APPLICATION)",
    )
    secret = parser.add_mutually_exclusive_group()
    secret.add_argument(
        "--identity",
        action="store_true",
        help="add no pull secret: nodes pull with their own identity (node-setup)",
    )
    secret.add_argument(
        "--pull-secret", metavar="NAME", help="a pull secret of another name"
    )


def run(options: argparse.Namespace) -> Report:
    if options.check:
        return _report_of(try_pods(options.check, options.context, options.namespace))
    if options.license is None:
        raise UsageError(
            "Give the license with --license, or manifests to try with --check."
        )
    license = verified_license(options)
    connection = connect(options, license)
    rules = _rules(options, connection)
    application = license.application
    secret = options.pull_secret or pull_secret_name(application)
    rewriting = Rewriting(
        hosts=connection.hosts,
        rules=rules,
        label=options.label or ("berth-application", application),
        secret="" if options.identity else secret,
    )
    objects = (kyverno_policy if options.kyverno else admission_policy)(rewriting)
    return _written(options, rewriting, objects)


def _rules(options: argparse.Namespace, connection: Connection) -> list[Rule]:
    if connection.portal is None:
        return keeping(assumed_rules(options.only), options.exclude)
    rules = rules_of(connection.portal.registries())
    if options.only:
        rules = narrowed(rules, options.only)
    if not any(rule.upstream != KEPT for rule in rules):
        raise UsageError(
            "The license pulls nothing through the proxy. Ask your vendor to connect "
            "the registry of the images.",
            "not_connected",
        )
    return keeping(rules, options.exclude)


def _written(
    options: argparse.Namespace, rewriting: Rewriting, objects: list[dict[str, Any]]
) -> Report:
    key, value = rewriting.label
    hosts = [
        rule.prefix.rstrip("/")
        for rule in rewriting.rules
        if rule.is_whole_host and rule.upstream != KEPT
    ]
    notes = [
        *map(_WHOLE_HOST.format, hosts),
        _LABELED.format(key, value),
    ]
    if rewriting.secret:
        notes.append(f"These also need the Secret {rewriting.secret}: see secret -h.")
    text = "---\n".join(map(dump_yaml, objects))
    if options.file is None:
        document = {"apiVersion": "v1", "kind": "List", "items": objects}
        return Report(text=text, document=document, notes=notes)
    check_ours(options.file, force=options.force)
    GeneratedFile(options.file, text).write()
    written = {"written": [str(options.file)]}
    return Report(text=f"Wrote {options.file}", document=written, notes=notes)


def _report_of(pods: list[TriedPod]) -> Report:
    is_incomplete = any(pod.problem for pod in pods) or not pods
    is_changed = any(image.is_changed for pod in pods for image in pod.images)
    notes = [_UNCHANGED] if not is_incomplete and not is_changed else []
    return Report(
        text="\n".join(line for pod in pods for line in pod.lines())
        or "There is no Pod in these manifests.",
        document={"pods": [pod.entry() for pod in pods]},
        notes=notes,
        exit_code=ExitCode.INCOMPLETE if is_incomplete else ExitCode.DONE,
    )


def _prefix(text: str) -> str:
    try:
        return parse_prefix(text)
    except MalformedName as error:
        raise argparse.ArgumentTypeError(str(error)) from error
