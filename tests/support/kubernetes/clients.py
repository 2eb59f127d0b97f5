"""Clients that use an installation without pause, and never try anything again."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import urllib3

from tests.support.kubernetes.release import ENTRY, PORTAL, PROXY

# The processors that answer also have to start new Pods.
PAUSE_SECONDS = 0.5
PATIENCE_SECONDS = 60
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class RequestError(Exception):
    """A request got no answer, or not the one it must get."""


@dataclass
class Outcome:
    """What clients have done, and what failed."""

    done: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def pull(license_id: str, name: str, tag: str = "v1") -> None:
    """Pull an image with connections of its own, and check each byte.

    Raises:
        RequestError: something was refused, wrong, or not answered.
    """
    login = urllib3.make_headers(basic_auth=f"license:{license_id}")
    with urllib3.PoolManager(retries=False, timeout=PATIENCE_SECONDS) as pool:
        scope = f"service=berth-proxy&scope=repository:{name}:pull"
        answer = _get(pool, PROXY, f"/v2/token?{scope}", login)
        bearer = {"Authorization": f"Bearer {answer.json()['token']}"}
        accept = {"Accept": MANIFEST}
        path = f"/v2/{name}/manifests/{tag}"
        manifest = _get(pool, PROXY, path, bearer | accept).json()
        for blob in (manifest["config"], *manifest["layers"]):
            digest = blob["digest"]
            data = _get(pool, PROXY, f"/v2/{name}/blobs/{digest}", bearer).data
            if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
                raise RequestError(f"{digest} came with other bytes.")


def open_portal() -> None:
    """Open the portal's login page. Raises RequestError."""
    with urllib3.PoolManager(retries=False, timeout=PATIENCE_SECONDS) as pool:
        _get(pool, PORTAL, "/accounts/login/", {})


def _get(
    pool: urllib3.PoolManager, host: str, path: str, headers: dict[str, str]
) -> urllib3.BaseHTTPResponse:
    url = f"http://{ENTRY}{path}"
    try:
        answer = pool.request("GET", url, headers={"Host": host} | headers)
    except urllib3.exceptions.HTTPError as error:
        raise RequestError(f"GET {path}: {error!r}") from error
    if answer.status != 200:
        raise RequestError(f"GET {path}: {answer.status} {answer.data[:300]!r}")
    return answer


@contextmanager
def clients(*uses: tuple[int, str, Callable[[], None]]) -> Iterator[Outcome]:
    """Run clients, given as number, name and what they do, until the block ends."""
    outcome, ended, lock = Outcome(), threading.Event(), threading.Lock()

    def run(name: str, use: Callable[[], None]) -> None:
        while not ended.is_set():
            began = time.strftime("%H:%M:%S")
            try:
                use()
            except RequestError as failed:
                with lock:
                    outcome.failures.append(f"{began} {name}: {failed}")
            else:
                with lock:
                    outcome.done[name] += 1
            ended.wait(PAUSE_SECONDS)

    threads = [
        threading.Thread(target=run, args=(name, use))
        for number, name, use in uses
        for _ in range(number)
    ]
    for thread in threads:
        thread.start()
    try:
        yield outcome
    finally:
        ended.set()
        for thread in threads:
            thread.join()
