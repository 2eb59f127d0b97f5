"""Run ``patch`` with a portal that resolves images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.support.installer.command import Installer, Outcome
from tests.support.installer.servers import Server
from tests.support.servers.canned_server import Answer, Request

REGISTRIES = [
    {"host": "quay.io", "upstream": "quay.io", "repositories": ["my-org/*"]},
    {"host": "registry.corp:5000", "upstream": "corp", "repositories": ["*"]},
]


class Patch:
    """Runs ``patch`` with the options that all tests share."""

    def __init__(
        self, installer: Installer, registry: Server, portal: Server, tmp_path: Path
    ) -> None:
        self._installer = installer
        self._hosts = (registry.host, portal.host)
        self.portal = portal
        self.tmp_path = tmp_path
        self.out = tmp_path / "out"

    def __call__(self, *more: str | Path, vendor: Path | None = None) -> Outcome:
        plain = [item for host in self._hosts for item in ("--plain-http", host)]
        return self._installer(
            "patch",
            vendor or self.tmp_path / "vendor",
            *("--license", self.tmp_path / "license.yaml"),
            *("--out", self.out),
            *("--portal", f"http://{self.portal.host}"),
            *plain,
            *more,
        )

    def midstream(self) -> Any:
        path = self.out / "overlays" / "midstream" / "kustomization.yaml"
        return yaml.safe_load(path.read_text())

    def secrets(self) -> list[Any]:
        path = self.out / "overlays" / "midstream" / "secret.yaml"
        return list(yaml.safe_load_all(path.read_text()))


def resolved(image: str) -> dict[str, Any]:
    name, _, tag = image.rpartition(":")
    repository = name.partition("/")[2]
    if "unshared" in image:
        return {
            "image": image,
            "result": "not_connected",
            "new_image": None,
            "detail": "No registry of this name is connected.",
        }
    new_image = f"proxy.example.com/proxy/my-app/sample/{repository}:{tag}"
    return {"image": image, "result": "proxied", "new_image": new_image, "detail": ""}


def respond_as_portal(request: Request) -> Answer:
    if request.path == "/api/v1/license":
        content: Any = {
            "application": {"slug": "my-app", "name": "My app"},
            "sequence": 7,
            "proxy_host": "proxy.example.com",
            "registry_host": "registry.example.com",
        }
    elif request.path == "/api/v1/license/registries":
        content = {"registries": REGISTRIES}
    else:
        asked = json.loads(request.body)["images"]
        content = {"images": [resolved(image) for image in asked]}
    return Answer(
        200, {"Content-Type": "application/json"}, json.dumps(content).encode()
    )
