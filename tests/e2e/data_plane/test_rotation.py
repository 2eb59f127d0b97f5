"""nginx renames its own log of pulls, as in a container."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3

from deploy.local.nginx import DEPLOYED, MODULES, NGINX
from deploy.local.process import ManagedProcess, free_port

CONFIGURATION = """
{user}
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_lua_module.so;
daemon off;
pid {directory}/nginx.pid;
error_log stderr warn;
worker_processes 2;
events {{ worker_connections 64; }}
http {{
    lua_package_path "{deployed}/?.lua;;";
    init_worker_by_lua_block {{
        require("berth.rotation").start("{log}", 400, {keep}, 0.05)
    }}
    log_format line "$request_uri";
    server {{
        listen 127.0.0.1:{port};
        access_log {log} line;
        return 204;
    }}
}}
"""


@contextmanager
def nginx(directory: Path, keep: int) -> Iterator[str]:
    """Run an nginx that renames ``pulls.log`` at 400 bytes; yield its address."""
    port = free_port()
    configuration = directory / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(
            # As in a container, both processes of nginx belong to one user.
            user="user root;" if os.geteuid() == 0 else "",
            modules=MODULES,
            deployed=DEPLOYED,
            directory=directory,
            log=directory / "pulls.log",
            keep=keep,
            port=port,
        )
    )
    command = [NGINX, "-c", str(configuration), "-p", str(directory), "-e", "stderr"]
    with ManagedProcess(command, name="nginx", log=directory / "stderr.log") as process:
        process.wait_for_http(f"http://127.0.0.1:{port}/ready")
        yield f"http://127.0.0.1:{port}"


def request(http: urllib3.PoolManager, address: str, number: int) -> None:
    assert http.request("GET", f"{address}/{number:0100}").status == 204


def renamed(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("pulls.log.*"))


def wait_for_files(directory: Path, names: list[str]) -> None:
    deadline = time.monotonic() + 10
    while renamed(directory) != names:
        assert time.monotonic() < deadline, renamed(directory)
        time.sleep(0.02)


def test_no_line_is_lost_or_written_twice(tmp_path: Path) -> None:
    http = urllib3.PoolManager()
    with nginx(tmp_path, keep=1000) as address:
        for number in range(300):
            request(http, address, number)
            time.sleep(0.002)
    files = list(tmp_path.glob("pulls.log*"))
    lines = [line for path in files for line in path.read_text().split()]
    numbers = sorted(int(line[1:]) for line in lines if line != "/ready")
    assert numbers == list(range(300))
    assert len(files) > 3


def test_the_oldest_are_forgotten(tmp_path: Path) -> None:
    http = urllib3.PoolManager()
    with nginx(tmp_path, keep=2) as address:
        for number, names in enumerate(
            [["pulls.log.1"], *3 * [["pulls.log.1", "pulls.log.2"]]]
        ):
            before = tmp_path / "pulls.log.1"
            last = before.stat().st_ino if before.exists() else 0
            for _ in range(5):
                request(http, address, number)
            deadline = time.monotonic() + 10
            # Until nginx has opened a new log, the one before it gets the lines.
            while not before.exists() or before.stat().st_ino == last:
                assert time.monotonic() < deadline
                request(http, address, number)
                time.sleep(0.02)
            wait_for_files(tmp_path, names)
        text = (tmp_path / "pulls.log.1").read_text()
    assert f"/{3:0100}" in text
    assert f"/{0:0100}" not in (tmp_path / "pulls.log.2").read_text()


def test_a_small_log_stays(tmp_path: Path) -> None:
    http = urllib3.PoolManager()
    with nginx(tmp_path, keep=2) as address:
        request(http, address, 1)
        # Longer than several looks at the log.
        time.sleep(0.3)
        assert renamed(tmp_path) == []
