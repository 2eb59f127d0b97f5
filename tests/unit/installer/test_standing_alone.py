"""The wheel declares its dependencies, and runs with them alone."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[3]
# By import name; the values are the names of distributions.
DISTRIBUTIONS = {"yaml": "PyYAML", "cryptography": "cryptography", "urllib3": "urllib3"}


def imported() -> set[str]:
    """Return the third-party packages that the wheel's modules import."""
    packages = set()
    for package in ("installer", "oci"):
        for path in (PROJECT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    packages |= {item.name.partition(".")[0] for item in node.names}
                elif isinstance(node, ast.ImportFrom):
                    packages.add(str(node.module).partition(".")[0])
    return packages - sys.stdlib_module_names - {"installer", "oci"}


def test_the_wheel_names_what_it_imports() -> None:
    document = tomllib.loads((PROJECT / "installer" / "pyproject.toml").read_text())
    named = {item.partition(">")[0] for item in document["project"]["dependencies"]}

    assert {DISTRIBUTIONS[item] for item in imported()} == named


def test_the_two_packages_of_the_wheel_are_enough(tmp_path: Path) -> None:
    document = tomllib.loads((PROJECT / "installer" / "pyproject.toml").read_text())
    wheel = document["tool"]["hatch"]["build"]["targets"]["wheel"]
    for source, package in wheel["force-include"].items():
        copied = (PROJECT / "installer" / source).resolve()
        shutil.copytree(copied, tmp_path / package)
    module, run = document["project"]["scripts"]["berth-installer"].split(":")

    code = f"import sys; from {module} import {run}; sys.exit({run}(['images', '.']))"

    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={},
        check=False,
        capture_output=True,
        text=True,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "0 images: 0 public, 0 private, 0 other.\n"


def test_no_command_loads_a_framework() -> None:
    code = (
        "import sys, installer.cli\n"
        "print(sorted({item.partition('.')[0] for item in sys.modules}))"
    )

    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={},
        check=True,
        capture_output=True,
        text=True,
    )

    loaded = set(ast.literal_eval(ran.stdout))
    assert {"installer", "oci"} <= loaded
    ours = {"portal", "teams", "audit", "alerts", "licenses", "registries", "edge"}
    theirs = {"images", "customers", "django", "rest_framework"}
    assert loaded.isdisjoint(ours | theirs)
