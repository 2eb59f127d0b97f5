from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.image.filesystem import PROGRAMS
from deploy.roles import PROJECT, USAGE, cache_manager_problem, commands, main
from deploy.roles import server_problem as problem_of
from edge.pull_log.manager import only_reader
from tests.support.servers.canned_server import Answer, Request, http_server

HOST = "UVICORN_HOST"


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == 0
    assert capsys.readouterr().out == USAGE * 2
    listed = {line.split()[0] for line in USAGE.splitlines() if line.startswith("  ")}
    assert listed == set(commands())


def test_a_role_is_one_program_of_the_image_and_needs_no_shell() -> None:
    for name, (program, *options) in commands().items():
        assert program in {"python", *PROGRAMS}, name
        assert not [word for word in options if set(word) & set("$`&|;<>*")], name


def test_an_unknown_role_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edgy"]) == 2

    assert capsys.readouterr().err == f"There is no command 'edgy'.\n\n{USAGE}"


def test_options_reach_the_program_in_any_directory(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "deploy.roles", "installer", "--version"],
        cwd=tmp_path,
        env={"PATH": os.defpath, "PYTHONPATH": str(PROJECT)},
        check=True,
        capture_output=True,
        text=True,
    )

    assert result.stdout == "a checkout of Berth\n"
    assert commands()["cache_manager"][1] == str(PROJECT / "manage.py")
    named = [word for command in commands().values() for word in command if "/" in word]
    assert all(Path(word).is_file() for word in named)


@pytest.mark.parametrize("bound_to", ["127.0.0.1", "0.0.0.0"])
def test_a_server_that_is_ready_has_no_problem(
    monkeypatch: pytest.MonkeyPatch, bound_to: str
) -> None:
    monkeypatch.setenv(HOST, bound_to)
    asked: list[str] = []

    def answer(request: Request) -> Answer:
        asked.append(request.path)
        return Answer(200)

    with http_server(answer) as port:
        assert problem_of("edge", port, HOST) == ""

    assert asked == ["/readyz"]


def test_a_server_that_is_not_ready_says_why() -> None:
    not_ready = Answer(503, body=b'{"checks": {"database": false}}')

    with http_server(lambda _request: not_ready) as port:
        problem = problem_of("portal", port, HOST)

    assert problem == 'The portal is not ready: {"checks": {"database": false}}'


def test_a_server_that_is_gone_is_a_problem() -> None:
    with http_server(lambda _request: Answer(200)) as port:
        pass

    problem = problem_of("edge", port, HOST)

    assert f"The edge does not answer at 127.0.0.1:{port}" in problem


def test_a_cache_manager_is_healthy_while_it_reads_the_log(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = tmp_path / "pulls.log"
    monkeypatch.setenv("BERTH_PULL_LOG", str(log))
    assert main(["health", "cache_manager"]) == 1
    assert f"No cache manager has read {log}" in capsys.readouterr().err

    with only_reader(log):
        assert main(["health", "cache_manager"]) == 0

    assert main(["health", "cache_manager"]) == 1
    assert f"No cache manager reads {log}." in capsys.readouterr().err


def test_a_cache_manager_without_a_log_cannot_be_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BERTH_PULL_LOG", raising=False)

    assert "BERTH_PULL_LOG" in cache_manager_problem()
