"""Calls to a revision's own code, which runs in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.harness.client import token_request
from bench.harness.errors import BenchError
from bench.harness.load import Load, Request
from bench.harness.servers import Server
from deploy.local.private_files import private_directory
from portal.crypto.secrets import Secret

_WORKER = Path(__file__).with_name("worker.py")


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions in process: processor time of each, and all times."""

    cpu_ms: float
    times_ms: list[float]


@dataclass(frozen=True, slots=True)
class Tokens:
    """One round of token requests, and how many tokens were verified."""

    load: Load
    tokens: int


@dataclass(frozen=True, slots=True)
class License:
    """An active license of a database, and the slug of its application."""

    id: Secret
    application: str

    def token_request(self, edge: Server, repository: str) -> Request:
        return token_request(edge.host, self.id, repository)


class Revision:
    """A revision's code on one database."""

    def __init__(self, calls: IO[str], answers: IO[str], log: Path) -> None:
        self._calls = calls
        self._answers = answers
        self._log = log

    def seed(self, licenses: int) -> None:
        """Add licenses, with teams, applications and registries."""
        self._call("seed", licenses=licenses)

    def move_registries(self, slug: str, endpoint: str) -> None:
        """Give all registries with a slug another endpoint."""
        self._call("move_registries", slug=slug, endpoint=endpoint)

    def draw(self, *, decisions: int, tokens: int) -> None:
        """Draw the licenses that later calls use, at random from the whole table."""
        self._call("draw", decisions=decisions, tokens=tokens)

    def decide(self, count: int) -> Decisions:
        """Decide about the next drawn licenses, in process."""
        return Decisions(**self._call("decide", count=count))

    def start_edge(self) -> Server:
        """Start an edge, which runs as long as this."""
        return Server(**self._call("start_edge"))

    def load_tokens(self, kind: str, *, count: int, seconds: int) -> Tokens:
        """Ask the edge for tokens, with ``count`` drawn licenses, and verify all."""
        answer = self._call("load_tokens", kind=kind, count=count, seconds=seconds)
        tokens = answer.pop("tokens")
        return Tokens(Load(**answer), tokens)

    def license(self) -> License:
        """Return an active license."""
        answer = self._call("license")
        return License(Secret(answer["id"]), answer["application"])

    def _call(self, name: str, **arguments: Any) -> Any:
        with suppress(BrokenPipeError):
            self._calls.write(json.dumps([name, arguments]) + "\n")
            self._calls.flush()
        line = self._answers.readline()
        if not line:
            tail = "\n".join(self._log.read_text(encoding="utf-8").splitlines()[-20:])
            raise BenchError(f"{name} failed. From {self._log}:\n{tail}")
        return json.loads(line)


@contextmanager
def running_revision(
    tree: Path, environment: Mapping[str, str], directory: Path
) -> Iterator[Revision]:
    """Run a revision's code; ``environment`` names its database."""
    log = private_directory(directory) / "worker.log"
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            # -P: the modules beside the file are of another revision.
            [sys.executable, "-P", str(_WORKER), str(directory)],
            env={**environment, "PYTHONPATH": str(tree)},
            cwd=tree,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            # Ctrl-C ends it through its input, so that it stops its edge.
            start_new_session=True,
        ) as process,
    ):
        if process.stdin is None or process.stdout is None:
            raise TypeError("A process with pipes has both.")
        yield Revision(process.stdin, process.stdout, log)
