"""Mutates the core with mutmut and reports the mutants that no test notices.

``make mutants`` runs it; ``MODULES="oci/range.py …"`` limits it to some modules. The
modules and tests are in ``pyproject.toml``. docs/development/mutants.md judges the
survivors.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local.postgres import start_postgres
from deploy.local.valkey import start_valkey

COPY = Path("mutants")
# Percent killed: in all, and in each module.
IN_ALL, IN_EACH = 92, 85
# Of modules whose other functions have tests with real processes only.
PARTS = {
    "edge/token/endpoint.py": (
        "_allowed_actions",
        "_allowed_part",
        "_private_registry_actions",
        "_proxy_actions",
    )
}
# mutmut's codes for "survived" and "no test runs it".
SURVIVED = {0, 33}


@dataclass(frozen=True, slots=True)
class Score:
    """The mutants of one module."""

    module: str
    total: int
    survivors: tuple[str, ...]

    @property
    def percent(self) -> float:
        return 100 * (1 - len(self.survivors) / max(self.total, 1))

    def __str__(self) -> str:
        killed = self.total - len(self.survivors)
        return f"{self.percent:5.1f} %  {killed:4} of {self.total:4}  {self.module}"


def main(modules: list[str]) -> int:
    """Run mutmut and print a table; return 1 if too many mutants survive."""
    modules = modules or _configured()
    shutil.rmtree(COPY, ignore_errors=True)
    patterns = [pattern for module in modules for pattern in _patterns(module)]
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "2"]
    with tempfile.TemporaryDirectory(prefix="berth-mutants-") as data:
        # mutmut waits for its children, so the servers must not be among them.
        postgres, database_url = start_postgres(Path(data, "postgres"), durable=False)
        with postgres:
            valkey, redis_url = start_valkey(Path(data, "valkey"))
            with valkey:
                servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
                subprocess.run(
                    [*command, *patterns], env=os.environ | servers, check=True
                )
    return _report([_score(module) for module in modules])


def _configured() -> list[str]:
    document = tomllib.loads(Path("pyproject.toml").read_text())
    return list(document["tool"]["mutmut"]["only_mutate"])


def _patterns(module: str) -> Iterator[str]:
    name = module.removesuffix(".py").replace("/", ".")
    if module in PARTS:
        yield from (f"{name}.x_{part}__mutmut_*" for part in PARTS[module])
    else:
        yield f"{name}.*"


def _score(module: str) -> Score:
    codes = json.loads((COPY / f"{module}.meta").read_text())["exit_code_by_key"]
    checked = {name: code for name, code in codes.items() if code is not None}
    survivors = [name for name, code in checked.items() if code in SURVIVED]
    return Score(module, len(checked), tuple(survivors))


def _report(scores: list[Score]) -> int:
    every = Score(
        "all modules",
        sum(score.total for score in scores),
        tuple(name for score in scores for name in score.survivors),
    )
    lines = [*every.survivors, "", *map(str, sorted(scores, key=_percent)), str(every)]
    sys.stdout.writelines(f"{line}\n" for line in lines)
    weak = [score.module for score in scores if score.percent < IN_EACH]
    if weak or every.percent < IN_ALL:
        sys.stdout.write(f"Less than {IN_ALL} % in all, or {IN_EACH} % in one.\n")
        return 1
    return 0


def _percent(score: Score) -> float:
    return score.percent


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
