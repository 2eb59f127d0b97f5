"""``berth ROLE``: what a container of Berth's image runs.

The image has no shell, so its command is a role, which this program becomes. Roles are
the lines of the Procfile. Neither Django nor the settings are imported here: probes run
every few seconds.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PROBE_SECONDS = 5
USAGE = """Usage: berth COMMAND

  edge             the token service and the proxy, on port 8001
  portal           pages and the REST API, on port 8002
  worker           background work
  beat             starts the regular tasks
  cache_manager    counts pulls and keeps the disk cache within its limits

  health ROLE      exit code 0 if the role of this container is healthy
  migrate          applies the migrations, one process at a time
  manage COMMAND   any management command
  installer …      the customer's program, berth-installer

Settings come from the environment: docs/operations/configuration.md.
"""


def main(arguments: Sequence[str]) -> int:
    """Become the process of a role. Return an exit code if there is no such role."""
    role, *options = arguments or ["help"]
    if role in {"help", "--help", "-h"}:
        sys.stdout.write(USAGE)
        return 0
    if role == "health" and (check := _CHECKS.get("".join(options))):
        return report(check())
    if command := commands().get(role):
        program = Path(sys.executable).with_name(command[0])
        # By its path, by which Python finds the packages of its environment.
        os.execv(program, [str(program), *command[1:], *options])  # noqa: S606
    sys.stderr.write(f"There is no command {role!r}.\n\n{USAGE}")
    return 2


def commands() -> dict[str, list[str]]:
    """Return the command of each role. It works in any directory."""
    lines = (PROJECT / "Procfile").read_text(encoding="utf-8").splitlines()
    processes = dict(line.split(":", 1) for line in lines)
    others = {
        "health": "python manage.py health",
        "migrate": "python manage.py migrate --no-input",
        "manage": "python manage.py",
        "installer": "python -m installer",
    }
    return {
        name: [_absolute(word) for word in shlex.split(command)]
        for name, command in (processes | others).items()
    }


def report(problem: str) -> int:
    """Print a problem, and return the exit code of a probe."""
    if problem:
        sys.stderr.write(f"{problem}\n")
    return 1 if problem else 0


def server_problem(role: str, port: int, host_variable: str) -> str:
    """Return what is wrong with the edge or portal of this container, or ""."""
    host = os.environ.get(host_variable, "127.0.0.1")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    connection = http.client.HTTPConnection(host, port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        text = answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return f"The {role} does not answer at {host}:{port}: {error}"
    finally:
        connection.close()
    return "" if answer.status == 200 else f"The {role} is not ready: {text}"


def cache_manager_problem() -> str:
    """Return what is wrong with the cache manager of this container's log, or ""."""
    log = os.environ.get("BERTH_PULL_LOG", "")
    if not log:
        return "Only a cache manager with BERTH_PULL_LOG can be checked."
    try:
        with Path(f"{log}.lock").open(encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return ""  # It holds the lock for as long as it reads the log.
    except OSError as error:
        return f"No cache manager has read {log}: {error.strerror}"
    return f"No cache manager reads {log}."


def _absolute(word: str) -> str:
    """Return the path of a file of Berth, such as manage.py, and other words as is."""
    path = PROJECT / word
    return str(path) if path.is_file() else word


_CHECKS: dict[str, Callable[[], str]] = {
    "edge": partial(server_problem, "edge", 8001, "UVICORN_HOST"),
    "portal": partial(server_problem, "portal", 8002, "GRANIAN_HOST"),
    "cache_manager": cache_manager_problem,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
