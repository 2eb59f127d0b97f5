"""Distribution as it is deployed: with the cache of blob descriptors switched on.

Debian's own configuration has that cache; without it the comparison would be unfair.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.local.private_files import private_directory, write_private
from deploy.local.process import ManagedProcess
from deploy.local.registry import TokenAuth, find_registry


@dataclass(frozen=True, slots=True)
class Distribution:
    """One registry: several may serve the same ``storage``."""

    name: str
    port: int
    storage: Path
    token: TokenAuth | None = None
    proxy_remote: str | None = None

    @property
    def endpoint(self) -> str:
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.endpoint}"


def start_distribution(registry: Distribution, directory: Path) -> ManagedProcess:
    """Start a registry on 127.0.0.1 and return it once it answers.

    Raises:
        LocalStackError: it did not start; the message quotes its log.
    """
    private_directory(directory)
    config = write_private(directory / "config.yml", yaml.safe_dump(_config(registry)))
    process = ManagedProcess(
        [str(find_registry()), "serve", str(config)],
        name=registry.name,
        log=directory / "registry.log",
        env={"PATH": os.environ.get("PATH", os.defpath)},
    )
    process.wait_for_http(f"http://127.0.0.1:{registry.port}/v2/")
    return process


def _config(registry: Distribution) -> dict[str, Any]:
    config: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {
            "cache": {"blobdescriptor": "inmemory"},
            "filesystem": {"rootdirectory": str(registry.storage)},
        },
        "http": {"addr": f"127.0.0.1:{registry.port}", "secret": "bench"},
    }
    if registry.token is not None:
        config["auth"] = {
            "token": {
                "realm": registry.token.realm,
                "service": registry.token.service,
                "issuer": registry.token.issuer,
                "rootcertbundle": str(registry.token.root_bundle),
            }
        }
    if registry.proxy_remote is not None:
        config["proxy"] = {"remoteurl": registry.proxy_remote}
    return config
