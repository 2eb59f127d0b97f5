"""The command line: the commands, their errors and exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from installer.commands import (
    airgap,
    images,
    node_setup,
    patch,
    policy,
    secret,
    sync,
    verify,
)
from installer.commands.options import add_output
from installer.errors import ExitCode, InstallerError, UsageError
from installer.report import print_error, print_report

_COMMANDS = {
    "images": (images, "list images, public and private"),
    "patch": (patch, "write base and midstream for Kustomize"),
    "secret": (secret, "write the image pull secret"),
    "verify": (verify, "check the license file, offline"),
    "sync": (sync, "fetch the current license file"),
    "policy": (policy, "write a policy by which a cluster renames images itself"),
    "node-setup": (node_setup, "write what nodes need to pull without a secret"),
    "airgap": (airgap, "fetch all images into one bundle"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        report = options.run(options)
        print_report(report, options.format)
        sys.stdout.flush()
    except InstallerError as error:
        print_error(error, options.format)
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Who read our output has enough of it; nothing is left to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except OSError as error:
        print_error(_system_error(error), options.format)
        return ExitCode.USAGE
    return int(report.exit_code)


def _system_error(error: OSError) -> UsageError:
    """Return a system error as ours: no permission, no space, and so on."""
    file = f"{error.filename}: " if error.filename else ""
    return UsageError(f"{file}{error.strerror or error}.", "system")


def _version() -> str:
    try:
        return version("berth-installer")
    except PackageNotFoundError:
        return "a checkout of Berth"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="berth-installer",
        description="Make an application's manifests pull with your license.",
        epilog="Exit codes: 0 done, 1 refused, 2 usage error, 3 partly done, "
        "4 a file edited by hand is in the way, 5 the portal gave no usable response.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (command, summary) in _COMMANDS.items():
        options = commands.add_parser(name, help=summary, allow_abbrev=False)
        command.add_options(options)
        add_output(options)
        options.set_defaults(run=command.run)
    return parser
