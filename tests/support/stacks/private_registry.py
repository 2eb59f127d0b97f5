"""A private registry as Berth uses it, with a back door to fill it through."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local import images
from deploy.local.images import Descriptor
from deploy.local.process import free_port
from deploy.local.registry import TokenAuth, start_registry


@dataclass(frozen=True)
class PrivateRegistry:
    """``url`` wants Berth's tokens; ``open_url`` is the same storage, without."""

    url: str
    open_url: str

    def push(
        self, repository: str, tag: str | None, *contents: bytes, platform: str = ""
    ) -> Descriptor:
        """Push an image of one layer for each of ``contents``."""
        return images.push_image(
            self.open_url,
            repository,
            tag,
            layers=[images.tar_layer({"file": content}) for content in contents],
            platform=platform or "linux/amd64",
        )

    def has(self, repository: str, reference: str) -> bool:
        return images.manifest_exists(self.open_url, repository, reference)


@contextmanager
def running_private_registry(data: Path) -> Iterator[PrivateRegistry]:
    """Start Distribution twice over one storage: with Berth's tokens, and open."""
    roots = data / "roots.crt"
    roots.write_text(os.environ["BERTH_TOKEN_ROOTS"])
    auth = TokenAuth(
        realm="http://localhost/v2/token",
        service="berth-registry",
        issuer="berth",
        root_bundle=roots,
    )
    closed, opened = free_port(), free_port()
    with (
        start_registry(data / "data", opened),
        start_registry(data / "data", closed, token=auth),
    ):
        yield PrivateRegistry(
            f"http://127.0.0.1:{closed}", f"http://127.0.0.1:{opened}"
        )
