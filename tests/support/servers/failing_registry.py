"""A registry between Berth and the real one, whose requests can be made to fail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import urllib3

from tests.support.servers.canned_server import Answer, Request, http_server

Rule = Callable[[str, str], bool]
_HOP_BY_HOP = {"connection", "transfer-encoding", "host", "content-length"}


def nothing(method: str, path: str) -> bool:
    """Have no request fail."""
    return False


@dataclass
class FailingRegistry:
    """``fails`` says of a method and path whether the answer is 500."""

    url: str = ""
    fails: Rule = nothing
    asked: list[tuple[str, str]] = field(default_factory=list)


def _passed_on(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: value for name, value in headers if name.lower() not in _HOP_BY_HOP}


@contextmanager
def failing_registry(target: str) -> Iterator[FailingRegistry]:
    """Pass requests on to the registry at an address, unless they are to fail."""
    state = FailingRegistry()

    def answer(request: Request) -> Answer:
        state.asked.append((request.method, request.path))
        if state.fails(request.method, request.path):
            return Answer(500, {"Docker-Distribution-Api-Version": "registry/2.0"})
        response = pool.request(
            request.method,
            target + request.path,
            headers=_passed_on(request.headers.items()),
            body=request.body or None,
        )
        headers = _passed_on(response.headers.items())
        if request.method == "HEAD":
            headers["Content-Length"] = response.headers.get("Content-Length", "0")
        return Answer(response.status, headers, response.data)

    with (
        urllib3.PoolManager(retries=False, timeout=30) as pool,
        http_server(answer) as port,
    ):
        state.url = f"http://127.0.0.1:{port}"
        yield state
