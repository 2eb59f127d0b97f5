"""Clients that generators make of the specification, for ``make clients`` and tests.

A generator leaves out what it does not understand, and says so in a warning. Here a
warning is a failure.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.local.demo_settings import PROJECT

SPECIFICATION = PROJECT / "docs/api/openapi.yaml"
PACKAGE = "berth_client"
OAPI_CODEGEN = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2"
GO_LIBRARIES = (
    "github.com/oapi-codegen/runtime@v1.9.0",
    "github.com/oapi-codegen/nullable@v1.2.0",
)
# Without nullable-type, Go clients cannot send null, which is "never" for an expiry.
GO_CONFIGURATION = """\
package: berth
output: berth.go
generate: {models: true, client: true}
output-options: {nullable-type: true}
"""
IMPORT_ALL = (
    "import importlib, pkgutil, {0}\n"
    "for found in pkgutil.walk_packages({0}.__path__, '{0}.'):\n"
    "    importlib.import_module(found.name)\n"
)


class GeneratorError(Exception):
    """A generator failed or warned; the text is what it printed."""


def make_python_client(directory: Path) -> None:
    """Write the package ``berth_client`` into a directory.

    Raises:
        GeneratorError: something of the specification would be left out.
    """
    _run(
        *(sys.executable, "-m", "openapi_python_client", "generate"),
        *("--path", str(SPECIFICATION), "--meta", "none", "--fail-on-warning"),
        *("--output-path", str(directory / PACKAGE), "--overwrite"),
        at=directory,
    )
    _run(sys.executable, "-c", IMPORT_ALL.format(PACKAGE), at=directory)


def make_typescript_client(directory: Path) -> None:
    """Write ``berth.ts``, and have TypeScript's compiler check it.

    Raises:
        GeneratorError: something would be left out, or does not compile.
    """
    tools = PROJECT / "node_modules/.bin"
    generate, compile_ = str(tools / "openapi-typescript"), str(tools / "tsc")
    _run(generate, str(SPECIFICATION), "--output", "berth.ts", at=directory)
    _run(compile_, "--noEmit", "--strict", "berth.ts", at=directory)


def make_go_client(directory: Path) -> None:
    """Write a Go module with ``berth.go``, and have Go's compiler check it.

    Raises:
        GeneratorError: something would be left out, or does not compile.
    """
    (directory / "oapi-codegen.yaml").write_text(GO_CONFIGURATION)
    configured = ("-config", "oapi-codegen.yaml", str(SPECIFICATION))
    _run("go", "run", OAPI_CODEGEN, *configured, at=directory)
    _run("go", "mod", "init", "berth.example/client", at=directory)
    _run("go", "get", *GO_LIBRARIES, at=directory)
    _run("go", "mod", "tidy", at=directory)
    _run("go", "vet", ".", at=directory)


def _run(*command: str, at: Path) -> None:
    if shutil.which(command[0]) is None:
        raise GeneratorError(f"{command[0]} is missing. CLIENTS chooses the languages.")
    # openapi-python-client formats what it makes with the ruff beside it.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=at,
        env=os.environ | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode or re.search("warn|⚠|skip", done.stdout, re.IGNORECASE):
        raise GeneratorError(f"{' '.join(command)}\n{done.stdout}")


MAKERS = {
    "python": make_python_client,
    "typescript": make_typescript_client,
    "go": make_go_client,
}


def main(parent: str, *languages: str) -> int:
    """Make clients in the given languages, each in a new directory of its name."""
    for language in languages or MAKERS:
        directory = Path(parent).resolve() / language
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        try:
            MAKERS[language](directory)
        except GeneratorError as error:
            print(error, file=sys.stderr)
            return 1
        print(f"{language}: {directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
