"""What ``helm test`` runs, against servers that answer well and badly."""

from __future__ import annotations

import subprocess
import sys

import pytest

from deploy.chart_values import CHART
from tests.support.servers.canned_server import Answer, Request, http_server

HOSTS = ("portal.example.com", "proxy.example.com", "registry.example.com")
GOOD = {
    (HOSTS[0], "/readyz"): Answer(200, {}, b'{"status": "ok"}'),
    (HOSTS[1], "/v2/"): Answer(
        401, {"WWW-Authenticate": 'Bearer realm="https://proxy.example.com/v2/token"'}
    ),
    (HOSTS[1], "/v2/token"): Answer(200, {}, b'{"token": "abc"}'),
    (HOSTS[2], "/v2/"): Answer(
        401, {"WWW-Authenticate": 'Bearer realm="https://proxy.example.com/v2/token"'}
    ),
}


def ask(answers: dict[tuple[str, str], Answer]) -> tuple[int, list[str]]:
    """Return the exit code, and the lines about what is wrong."""

    def respond(request: Request) -> Answer:
        return answers.get((request.headers["Host"], request.path), Answer(404))

    with http_server(respond) as port:
        return _run(f"http://127.0.0.1:{port}")


def _run(service: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, str(CHART / "files/ask.py"), service, "https", *HOSTS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert sum(line.startswith(("ok", "FAILED")) for line in lines) == 5
    return done.returncode, [line.strip() for line in lines if line.startswith(" ")]


def test_good_answers_pass() -> None:
    assert ask(GOOD) == (0, [])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {(HOSTS[0], "/readyz"): Answer(503, {}, b'{"status": "unavailable"}')},
            "portal.example.com/readyz answered 503, not 200",
        ),
        (
            {(HOSTS[1], "/v2/"): Answer(401, {"WWW-Authenticate": "Basic"})},
            'proxy.example.com/v2/ answered 401 without realm="https://',
        ),
        (
            {
                (HOSTS[2], "/v2/"): Answer(
                    401, {"WWW-Authenticate": 'Bearer realm="http://proxy/v2/token"'}
                )
            },
            'registry.example.com/v2/ answered 401 without realm="https://',
        ),
        (
            {(HOSTS[1], "/v2/token"): Answer(200, {}, b"<html>token</html>")},
            'proxy.example.com/v2/token answered 200 without "token"',
        ),
        (
            {(HOSTS[1], "/v2/_pull"): Answer(200)},
            "proxy.example.com/v2/_pull answered 200, not 404",
        ),
    ],
)
def test_a_wrong_answer_fails(
    changes: dict[tuple[str, str], Answer], problem: str
) -> None:
    assert ask({**GOOD, **changes}) == (1, [problem])


def test_no_answer_fails() -> None:
    code, lines = _run("http://127.0.0.1:9")
    assert code == 1
    assert {line.partition(":")[0] for line in lines} == {"no answer from http"}
    assert len(lines) == 5
