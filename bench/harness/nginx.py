"""nginx without Berth: as a server of files, and as a cache of an upstream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.harness.servers import Server
from deploy.local.nginx import NGINX, main_configuration
from deploy.local.private_files import private_directory
from deploy.local.process import ManagedProcess, free_port

_FILES = """
server {{
listen 127.0.0.1:{port};
root {files};
default_type application/octet-stream;
}}
"""
# Any answer is kept, also a tag's: this asks the upstream nothing, and decides nothing.
_CACHE = """
proxy_cache_path {directory}/cache levels=1:2 keys_zone=plain:10m max_size=4g
    inactive=1h use_temp_path=off;
upstream registry {{ server {upstream}; keepalive 64; }}
server {{
listen 127.0.0.1:{port};
location / {{
proxy_pass http://registry;
proxy_http_version 1.1;
proxy_set_header Connection "";
proxy_cache plain;
proxy_cache_lock on;
proxy_cache_valid 200 1h;
}}
}}
"""


@contextmanager
def serving_files(directory: Path, files: Path) -> Iterator[Server]:
    """Run nginx with the files of a directory."""
    port = free_port()
    with _running(directory, port, _FILES.format(port=port, files=files)) as server:
        yield server


@contextmanager
def caching(directory: Path, upstream: str) -> Iterator[Server]:
    """Run nginx with its own cache of the upstream at a host."""
    port = free_port()
    own = private_directory(directory)
    configuration = _CACHE.format(port=port, directory=own, upstream=upstream)
    with _running(directory, port, configuration) as server:
        yield server


@contextmanager
def _running(directory: Path, port: int, http: str) -> Iterator[Server]:
    main = private_directory(directory) / "nginx.conf"
    # The processes and the log are those of nginx in front of Berth.
    configuration = main_configuration(directory, f"sendfile on;\n{http}")
    main.write_text(configuration, encoding="utf-8")
    process = ManagedProcess(
        [NGINX, "-c", str(main), "-p", str(directory)],
        name="nginx",
        log=directory / "nginx.log",
    )
    with process:
        process.wait_for_http(f"http://127.0.0.1:{port}/v2/")
        yield Server(process.pid, f"127.0.0.1:{port}")
