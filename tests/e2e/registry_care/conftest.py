"""A private registry as an operator sets it up: with the file that Berth writes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import urllib3
from django.core.management import call_command

from deploy.local import images
from deploy.local.process import ManagedProcess, free_port
from deploy.local.registry import find_registry
from tests.e2e.conftest import Upstream
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.rows.vendor import Vendor
from tests.support.servers.receiver import Receiver, running_receiver

NOTIFICATION_TOKEN = "notification-token-of-the-tests-0a1b2c"
# REGISTRY_* variables of the caller would override the file.
ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath)}


@dataclass
class Registry:
    """The registry's files and its users. ``source`` is where images are made."""

    config: Path
    storage: Path
    port: int
    edge: EdgeClient
    events: Receiver
    source: Upstream
    owner: tuple[str, str]
    customer: tuple[str, str]

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    @property
    def log(self) -> Path:
        return self.config.with_name("registry.log")

    @property
    def stored_bytes(self) -> int:
        files = (path for path in self.storage.rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files)

    def configure(self, *options: str) -> None:
        call_command(
            "write_registry_config",
            str(self.config),
            f"--addr=127.0.0.1:{self.port}",
            f"--directory={self.storage}",
            f"--realm=http://{self.edge.host}/v2/token",
            f"--notifications-url=http://{self.events.host}/registry-notifications",
            *options,
            stdout=StringIO(),
        )

    def start(self) -> ManagedProcess:
        process = ManagedProcess(
            [str(find_registry()), "serve", str(self.config)],
            name="The private registry",
            log=self.log,
            env=ENVIRONMENT | {"OTEL_TRACES_EXPORTER": "none"},
        )
        process.wait_for_http(f"http://127.0.0.1:{self.port}/v2/")
        return process

    def collect_garbage(self, *options: str) -> str:
        """Run Distribution's garbage collection; return what it says."""
        outcome = subprocess.run(
            [str(find_registry()), "garbage-collect", *options, str(self.config)],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert outcome.returncode == 0, outcome.stderr
        return outcome.stdout

    def push(self, name: str, *layers: bytes, tag: str = "v1") -> str:
        """Push an image of these layers as the vendor; return its digest."""
        image = images.push_image(
            self.source.url, name, tag, auth=self.source.login, layers=layers
        )
        outcome = self.push_again(name, tag)
        assert outcome.returncode == 0, outcome.stderr
        return image.digest

    def push_index(self, name: str, *layers: bytes) -> str:
        """Push an image of one layer for each of several platforms."""
        url, auth = self.source.url, self.source.login
        platforms = ("linux/amd64", "linux/arm64")
        children = [
            images.push_image(
                url, name, None, auth=auth, layers=[layer], platform=platform
            )
            for layer, platform in zip(layers, platforms, strict=True)
        ]
        index = images.push_index(url, name, "v1", auth=auth, images=children)
        outcome = self.push_again(name)
        assert outcome.returncode == 0, outcome.stderr
        return index.digest

    def push_again(
        self, name: str, tag: str = "v1"
    ) -> subprocess.CompletedProcess[str]:
        """Push what ``push`` made, with skopeo."""
        assert self.source.login is not None
        return skopeo(
            *("copy", "--all", "--preserve-digests"),
            *("--src-tls-verify=false", "--dest-tls-verify=false"),
            *("--src-creds", ":".join(self.source.login)),
            *("--dest-creds", ":".join(self.owner)),
            f"docker://{self.source.endpoint}/{name}:{tag}",
            f"docker://{self.host}/{name}:{tag}",
        )

    def pull(self, image: str, target: Path) -> subprocess.CompletedProcess[str]:
        """Pull as the customer; skopeo checks every digest."""
        return skopeo(
            *("copy", "--all", "--preserve-digests", "--src-tls-verify=false"),
            *("--src-creds", ":".join(self.customer)),
            f"docker://{self.host}/{image}",
            f"dir:{target}",
        )

    def ask(self, method: str, name: str, rest: str, actions: str) -> Answer:
        """Ask as the vendor, with a registry token for these actions."""
        tokens = self.edge.token_answer(
            self.owner, f"repository:{name}:{actions}", service="berth-registry"
        )
        response = urllib3.request(
            method,
            f"http://127.0.0.1:{self.port}/v2/{name}/{rest}",
            headers={
                "Authorization": f"Bearer {tokens.json['token']}",
                "Accept": f"{images.INDEX}, {images.MANIFEST}",
            },
            retries=False,
        )
        return Answer(response.status, response.headers, response.data)


def skopeo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["skopeo", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def registry(
    edge: EdgeClient,
    vendor: Vendor,
    basic_upstream: Upstream,
    tmp_path: Path,
    settings: Any,
) -> Iterator[Registry]:
    """A registry that is configured and does not run yet."""
    settings.BERTH_REGISTRY_NOTIFICATION_TOKEN = NOTIFICATION_TOKEN
    _, token = vendor.api_token()
    with running_receiver() as events:
        registry = Registry(
            config=tmp_path / "etc" / "config.yml",
            storage=tmp_path / "storage",
            port=free_port(),
            edge=edge,
            events=events,
            source=basic_upstream,
            owner=(vendor.owner.email, token.reveal()),
            customer=("license", vendor.license().license_id.reveal()),
        )
        registry.configure()
        yield registry


@pytest.fixture
def slug(vendor: Vendor) -> str:
    return str(vendor.application.slug)
