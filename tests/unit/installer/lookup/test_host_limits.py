"""One image's failure affects no other, and no host takes more than its time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from installer.lookup.look_up import look_up
from installer.lookup.verdicts import Status, Verdict
from installer.net.client import HttpClient
from installer.net.registry import Registry
from tests.support.installer.pods import pod
from tests.support.installer.servers import (
    OK,
    Server,
    closed_port,
    server,
)
from tests.support.servers.canned_server import (
    Answer,
    BreakingServer,
    Request,
    raw_server,
    silent_server,
)

PROJECT = Path(__file__).parents[4]


def bearer(realm: str) -> Answer:
    return Answer(401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'})


def one_odd(answer: Answer) -> AbstractContextManager[Server]:
    """Run a registry with this response for one repository, and OK for the others."""
    return server(lambda asked: answer if "/odd/" in asked.path else OK)


def images_of(host: str, number: int = 24) -> list[str]:
    """Return images, the first of them in the odd repository."""
    usual = [f"{host}/usual/api:v{item}" for item in range(number)]
    return [f"{host}/odd/api:v1", *usual]


def look_all(
    images: list[str], *hosts: str, seconds: float = 5, wait: float = 30
) -> dict[str, Verdict]:
    client = HttpClient(
        plain_http=frozenset(hosts), read_seconds=seconds, connect_seconds=seconds
    )
    return look_up(images, Registry(client), max_wait=wait)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer(307, {"Location": "https://no-such-host.invalid/"}), Status.DNS),
        (bearer("https://no-such-host.invalid/token"), Status.DNS),
        (bearer("https://127.0.0.1:1/token"), Status.UNREACHABLE),
        (Answer(503, {"Retry-After": "120"}), Status.REGISTRY_ERROR),
        (Answer(307, {"Location": "https://[::1"}), Status.BAD_RESPONSE),
        (bearer("https://[::1"), Status.BAD_RESPONSE),
        (bearer("https://[::1/token"), Status.BAD_RESPONSE),
        (Answer(307, {"Location": "https://127.0.0.1:port/"}), Status.BAD_RESPONSE),
        (Answer(307, {"Location": "https://a\\@127.0.0.1/"}), Status.BAD_RESPONSE),
        (Answer(307, {"Location": "https://u:p@127.0.0.1/"}), Status.BAD_RESPONSE),
        (bearer("https://u:p@127.0.0.1/token"), Status.BAD_RESPONSE),
    ],
)
def test_a_failure_for_one_image_affects_no_other(
    answer: Answer, status: Status
) -> None:
    with one_odd(answer) as registry:
        odd, *usual = images_of(registry.host)
        started = time.monotonic()
        verdicts = look_all([odd, *usual], registry.host)

    assert verdicts[odd].status is status
    assert {verdicts[image].status for image in usual} == {Status.PUBLIC}
    assert time.monotonic() - started < 5
    assert "u:p" not in verdicts[odd].sentence


def test_a_busy_token_server_does_not_make_the_registry_busy() -> None:
    with (
        server(lambda _: Answer(429, {"Retry-After": "3600"})) as tokens,
        one_odd(bearer(f"http://{tokens.host}/token")) as registry,
    ):
        odd, *usual = images_of(registry.host)
        odder = f"{registry.host}/odd/api:v2"
        verdicts = look_all([odd, *usual, odder], registry.host, tokens.host)

    assert verdicts[odd].status is verdicts[odder].status is Status.RATE_LIMITED
    assert {verdicts[image].status for image in usual} == {Status.PUBLIC}
    assert len(tokens.requests) <= 2


def test_an_internal_error_is_reported_and_affects_no_other_image() -> None:
    class Faulty(HttpClient):
        """Raises an error that no server is known to cause."""

        def allows(self, url: str) -> bool:
            if "/odd/" in url:
                raise ZeroDivisionError
            return super().allows(url)

    with one_odd(OK) as registry:
        odd, *usual = images_of(registry.host)
        client = Faulty(plain_http=frozenset({registry.host}))
        verdicts = look_up([odd, *usual], Registry(client))

    assert verdicts[odd].status is Status.BAD_RESPONSE
    assert "ZeroDivisionError" in verdicts[odd].sentence
    assert {verdicts[image].status for image in usual} == {Status.PUBLIC}


def test_the_waiting_time_is_per_host_rather_than_per_image() -> None:
    with server(lambda _: Answer(429, {"Retry-After": "1"})) as registry:
        started = time.monotonic()
        verdicts = look_all(images_of(registry.host, 40), registry.host, wait=2.5)
        took = time.monotonic() - started

    assert {item.status for item in verdicts.values()} == {Status.RATE_LIMITED}
    assert 2 <= took < 5
    assert len(registry.requests) <= 16


def test_broken_repositories_are_retried_within_the_waiting_time() -> None:
    with server(lambda _: Answer(503, {"Retry-After": "1"})) as registry:
        images = images_of(registry.host, 40)
        started = time.monotonic()
        verdicts = look_all(images, registry.host, wait=2.5)
        took = time.monotonic() - started

    assert {item.status for item in verdicts.values()} == {Status.REGISTRY_ERROR}
    assert took < 5
    asked = registry.asked()
    assert len(asked) == len(images)
    assert max(asked.values()) == 3


def test_a_silent_host_is_down_after_three_timeouts() -> None:
    with silent_server() as host:
        started = time.monotonic()
        verdicts = look_all(images_of(host, 40), host, seconds=1)
        took = time.monotonic() - started

    assert {item.status for item in verdicts.values()} == {Status.TIMED_OUT}
    assert took < 4


def test_a_silent_token_server_is_down_too() -> None:
    with silent_server() as tokens:
        realm = bearer(f"http://{tokens}/token")
        with server(lambda _: realm) as registry:
            images = images_of(registry.host, 40)
            started = time.monotonic()
            verdicts = look_all(images, registry.host, tokens, seconds=1)
            took = time.monotonic() - started

    assert {item.status for item in verdicts.values()} == {Status.TIMED_OUT}
    assert tokens in verdicts[images[0]].sentence
    assert took < 4


def test_hanging_repositories_do_not_make_their_host_down() -> None:
    over = threading.Event()

    def respond(request: Request) -> Answer:
        if "/odd/" in request.path:
            over.wait(20)
        else:
            time.sleep(0.05)
        return OK

    with server(respond) as registry:
        usual = [f"{registry.host}/usual/api:v{item}" for item in range(30)]
        odd = [f"{registry.host}/odd/api:v{item}" for item in range(3)]
        verdicts = look_all([*odd, *usual], registry.host, seconds=1)
        over.set()

    assert {verdicts[image].status for image in odd} == {Status.TIMED_OUT}
    assert {verdicts[image].status for image in usual} == {Status.PUBLIC}


def never(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def impatient(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(
        b"HTTP/1.1 429 x\r\nRetry-After: 25\r\nContent-Length: 0\r\n"
        b"Connection: close\r\n\r\n"
    )


@pytest.mark.parametrize("speak", [never, impatient])
def test_an_interrupt_ends_all_waiting(
    speak: Callable[[socket.socket], None], tmp_path: Path
) -> None:
    with raw_server(speak) as registry:
        images = images_of(registry.host, 40)
        (tmp_path / "pod.yaml").write_text(pod("web", *images))
        code, seconds, output = interrupted(registry, tmp_path)
        before = registry.connections
        time.sleep(0.3)

    assert (code, output) == (130, b"")
    assert seconds < 5
    assert registry.connections == before <= 8


def interrupted(registry: BreakingServer, directory: Path) -> tuple[int, float, bytes]:
    """Interrupt the real command; return its exit code, the seconds, its output."""
    # Shells ignore SIGINT in background jobs, and children inherit that.
    heeded = ["env", "--default-signal=INT"]
    command = [*heeded, sys.executable, "-m", "installer", "images", str(directory)]
    options = ["--plain-http", registry.host, "--timeout", "60", "--progress"]
    with subprocess.Popen(
        [*command, *options],
        cwd=PROJECT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as running:
        try:
            end = time.monotonic() + 30
            while not registry.connections and time.monotonic() < end:
                time.sleep(0.02)
            time.sleep(0.5)
            started = time.monotonic()
            running.send_signal(signal.SIGINT)
            output, _ = running.communicate(timeout=100)
            return running.returncode, time.monotonic() - started, output
        finally:
            running.kill()


def test_an_unreachable_host_is_reported_by_its_own_name() -> None:
    dead = closed_port()
    with one_odd(Answer(307, {"Location": f"http://{dead}/"})) as registry:
        odd, *usual = images_of(registry.host)
        verdicts = look_all([odd, *usual, f"{dead}/my-org/api:v1"], registry.host, dead)

    sentence = f"{dead} cannot be reached."
    assert verdicts[odd] == Verdict(Status.UNREACHABLE, sentence)
    assert verdicts[f"{dead}/my-org/api:v1"] == verdicts[odd]
    assert {verdicts[image].status for image in usual} == {Status.PUBLIC}
