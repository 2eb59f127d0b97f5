"""The commands that a new secret is shown with, run by stand-ins for the clients."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from customers.web.pulling.login_lines import login_lines, pull_secret_lines

SECRET = "berth_pull_x"


def run_in_bash(directory: Path, lines: str, **stand_ins: str) -> tuple[str, str]:
    """Run lines with programs that note arguments and input; return these, and output.

    Each stand-in has the lines of a shell script to run at its end.
    """
    log = directory / "log"
    for program, end in stand_ins.items():
        path = directory / program
        path.write_text(f'#!/bin/sh\necho "$@" >> "$LOG"\ncat >> "$LOG"\n{end}\n')
        path.chmod(0o700)
    ran = subprocess.run(
        ["/bin/bash", "-c", f'{lines}\necho "rc $? left: $BERTH_SECRET"\n'],
        input=f"{SECRET}\n",
        env={"PATH": f"{directory}:/usr/bin:/bin", "LOG": str(log)},
        capture_output=True,
        text=True,
        check=True,
    )
    return log.read_text(), ran.stdout


@pytest.mark.parametrize("client", ["docker", "podman"])
def test_the_logins_work_as_copied(tmp_path: Path, client: str) -> None:
    hosts = ["images.example:8443", "registry.example"]

    given, output = run_in_bash(
        tmp_path, login_lines(client, hosts), **{client: "echo >> $LOG"}
    )

    arguments = "login {} -u license --password-stdin\n" + SECRET + "\n"
    assert given == "".join(arguments.format(host) for host in hosts)
    assert output == "rc 0 left: \n"


def test_a_login_that_fails_is_told(tmp_path: Path) -> None:
    lines = login_lines("docker", ["images.example", "registry.example"])

    given, output = run_in_bash(tmp_path, lines, docker="exit 3")

    assert given.count("login") == 1
    assert output.endswith("rc 3 left: \n")


def test_the_pull_secret_can_be_written_to_a_file(tmp_path: Path) -> None:
    lines = pull_secret_lines("https://portal.example")
    to_file = lines.replace("kubectl apply --filename -)", f"cat > {tmp_path}/file)")

    run_in_bash(tmp_path, to_file, curl="echo manifest")

    assert (tmp_path / "file").read_text() == "manifest\n"


def test_the_pull_secret_is_written_by_the_portal(tmp_path: Path) -> None:
    lines = pull_secret_lines("https://portal.example")

    given, output = run_in_bash(tmp_path, lines, curl="echo manifest", kubectl="")

    # The two run at the same time.
    fetch, *rest = sorted(given.splitlines())
    assert fetch.endswith("https://portal.example/api/v1/license/pull-secret")
    assert rest == [
        "apply --filename -",
        "manifest",
        f'user = "license:{SECRET}"',
    ]
    assert output.endswith("rc 0 left: \n")
