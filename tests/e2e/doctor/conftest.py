"""An installation for ``manage.py doctor``: nginx, edge, portal, registry, servers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.local.process import ManagedProcess
from tests.e2e.conftest import PROJECT, Ports, edge_environment
from tests.support.clients.edge import EdgeClient
from tests.support.servers.nginx import Front, registry_behind_nginx


@dataclass
class Installation:
    """Its settings, and the servers whose addresses they name."""

    settings: dict[str, str]
    front: Front
    edge: str
    authority: Path

    def examine(self, **changes: str) -> tuple[int, dict[str, dict[str, Any]]]:
        """Run ``doctor --json`` with other settings; return code and findings."""
        done = self.run("--json", **changes)
        assert "Traceback" not in done.stderr
        findings = json.loads(done.stdout)
        return done.returncode, {item["check"]: item for item in findings}

    def run(self, *options: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", "doctor", *options],
            cwd=PROJECT,
            env=self.settings | {"LOG_LEVEL": "CRITICAL"} | changes,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )


@pytest.fixture(scope="session")
def installation(
    edge: EdgeClient, ports: Ports, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    directory = tmp_path_factory.mktemp("doctor")
    with registry_behind_nginx(directory, ports.edge) as front:
        hosts = {
            name: f"localhost:{getattr(front.ports, name)}"
            for name in ("portal", "proxy", "registry")
        }
        settings = edge_environment(ports) | {
            "BERTH_PORTAL_URL": f"http://{hosts['portal']}",
            "BERTH_PROXY_HOST": hosts["proxy"],
            "BERTH_REGISTRY_HOST": hosts["registry"],
            "BERTH_REGISTRY_URL": f"http://127.0.0.1:{front.ports.behind_registry}",
        }
        authority = directory / "ca.crt"
        authority.write_text(front.authority.pem)
        with _portal(settings, front.ports.behind_portal, directory / "portal.log"):
            yield Installation(settings, front, f"localhost:{ports.edge}", authority)


def _portal(environment: dict[str, str], port: int, log: Path) -> ManagedProcess:
    process = ManagedProcess(
        [
            str(Path(sys.executable).with_name("granian")),
            *("--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
            *("--blocking-threads", "2", "portal.wsgi:application"),
        ],
        name="portal",
        log=log,
        env=environment,
        cwd=PROJECT,
    )
    process.wait_for_http(f"http://127.0.0.1:{port}/livez", 60)
    return process
