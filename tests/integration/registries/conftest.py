from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.local import images
from deploy.local.process import free_port
from deploy.local.registry import start_registry

UPSTREAM_AUTH = ("puller", "upstream-password")


@dataclass(frozen=True)
class Upstream:
    """A real registry that asks for a password, with one image in it."""

    endpoint: str
    username: str = UPSTREAM_AUTH[0]
    password: str = UPSTREAM_AUTH[1]
    image: str = "my-org/api:v1.0.1"

    def body(self, **values: Any) -> dict[str, Any]:
        """Return the body that connects it."""
        return {
            "provider": "other",
            "endpoint": self.endpoint,
            "slug": "sample",
            "username": self.username,
            "secret": self.password,
        } | values


@pytest.fixture(scope="session")
def running_upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    data: Path = tmp_path_factory.mktemp("upstream")
    port = free_port()
    with start_registry(data / "registry", port, htpasswd=UPSTREAM_AUTH):
        images.push_image(
            f"http://127.0.0.1:{port}",
            "my-org/api",
            "v1.0.1",
            auth=UPSTREAM_AUTH,
            layers=[b"layer"],
        )
        yield Upstream(f"127.0.0.1:{port}")


@pytest.fixture
def upstream(running_upstream: Upstream, settings: Any) -> Upstream:
    settings.BERTH_INSECURE_REGISTRIES = [running_upstream.endpoint]
    return running_upstream
