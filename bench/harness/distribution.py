"""Distribution with its cache of blob descriptors switched on.

Debian's default configuration has this cache; without it the comparison would be
unfair.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from bench.harness.servers import Server
from deploy.local.private_files import private_directory, write_private
from deploy.local.process import ManagedProcess, free_port
from deploy.local.registry import TokenAuth, find_registry
from images.distribution_config import FilesystemStorage, distribution_config


@contextmanager
def running_distribution(
    directory: Path,
    storage: Path,
    *,
    port: int | None = None,
    token: TokenAuth | None = None,
    proxy_remote: str | None = None,
) -> Iterator[Server]:
    """Run a registry on 127.0.0.1; several may serve the same storage.

    Raises:
        LocalStackError: it did not start; the message quotes its log.
    """
    port = port or free_port()
    config = distribution_config(
        addr=f"127.0.0.1:{port}",
        http_secret=secrets.token_hex(),
        storage=FilesystemStorage(storage),
        token=token,
        notifications=None,
    )
    config["storage"]["cache"] = {"blobdescriptor": "inmemory"}
    if proxy_remote is not None:
        config["proxy"] = {"remoteurl": proxy_remote}
    path = private_directory(directory) / "config.yml"
    write_private(path, yaml.safe_dump(config))
    with ManagedProcess(
        [str(find_registry()), "serve", str(path)],
        name=directory.name,
        log=directory / "registry.log",
        env={"PATH": os.environ.get("PATH", os.defpath)},
    ) as process:
        process.wait_for_http(f"http://127.0.0.1:{port}/v2/")
        yield Server(process.pid, f"localhost:{port}")
