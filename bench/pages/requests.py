"""Requests to the portal as a browser sends them, one at a time."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import cached_property, partial
from urllib.parse import urlencode

import urllib3

from bench.harness.errors import BenchError
from bench.harness.rounds import timed
from bench.pages.addresses import Address

# Of everybody who has signed in.
_FORM = "/accounts/logout/"
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_COOKIE = re.compile(r"csrftoken=([^;]+)")


@dataclass(frozen=True, slots=True)
class Answer:
    """How many milliseconds a request took, and the bytes of its body as sent."""

    milliseconds: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Download:
    """The seconds until the first byte and the last one of a download, and its size."""

    first_byte: float
    whole: float
    bytes: int


@dataclass(frozen=True)
class Visitor:
    """Somebody who has signed in, if there is a session."""

    url: str
    session: str | None

    @cached_property
    def _pool(self) -> urllib3.PoolManager:
        return urllib3.PoolManager(retries=False)

    def request(self, address: Address) -> Answer:
        """Send a request and read the whole answer.

        Raises:
            BenchError: it has another status, or lacks what it must show.
        """
        send = partial(self._get, address.path)
        if address.form is not None:
            send = partial(self._post, address, *self._token)
        response, milliseconds = timed(send)
        if (
            response.status != address.status
            or address.shows not in response.data.decode()
        ):
            raise BenchError(
                f"{address.name}, {address.path}, gave {response.status}, not "
                f"{address.status} with {address.shows!r}."
            )
        return Answer(milliseconds, int(response.headers["Content-Length"]))

    def download(self, path: str) -> Download:
        """Read an answer while it is being made.

        Raises:
            BenchError: its status is not 200.
        """
        started = time.perf_counter()
        first, size = 0.0, 0
        response = self._get(path, preload_content=False)
        for part in response.stream():
            first = first or time.perf_counter() - started
            size += len(part)
        if response.status != 200:
            raise BenchError(f"{path} gave {response.status}.")
        return Download(first, time.perf_counter() - started, size)

    def _get(
        self, path: str, *, preload_content: bool = True
    ) -> urllib3.BaseHTTPResponse:
        return self._pool.request(
            "GET",
            f"{self.url}{path}",
            headers={"Cookie": self._cookies(), "Accept-Encoding": "gzip"},
            redirect=False,
            preload_content=preload_content,
        )

    def _post(
        self, address: Address, token: str, cookie: str
    ) -> urllib3.BaseHTTPResponse:
        headers = {
            "Cookie": self._cookies(f"csrftoken={cookie}"),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        if address.is_partial:
            headers["HX-Request"] = "true"
        form = {"csrfmiddlewaretoken": token, **(address.form or {})}
        return self._pool.request(
            "POST",
            f"{self.url}{address.path}",
            headers=headers,
            body=urlencode(form),
            redirect=False,
        )

    @cached_property
    def _token(self) -> tuple[str, str]:
        """Return the token of a form, and its cookie."""
        page = self._get(_FORM)
        token = _TOKEN.search(page.data.decode())
        cookie = _COOKIE.search(page.headers.get("Set-Cookie", ""))
        if token is None or cookie is None:
            raise BenchError(f"{_FORM} has no form.")
        return token[1], cookie[1]

    def _cookies(self, *others: str) -> str:
        session = [f"sessionid={self.session}"] if self.session else []
        return "; ".join([*session, *others])
