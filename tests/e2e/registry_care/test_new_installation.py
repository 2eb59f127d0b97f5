"""A backup brought to a new installation, as docs/operations/backup-restore.md says."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.images import tar_layer
from deploy.local.postgres import start_postgres
from deploy.local.postgres_home import find_home
from deploy.local.process import free_port
from licenses.services import create_pull_credential, revoke_license
from tests.e2e.conftest import (
    PROJECT,
    UPSTREAM_LOGIN,
    Ports,
    Upstream,
    edge_environment,
    start_edge,
)
from tests.e2e.registry_care.conftest import Registry
from tests.support.clients.edge import EdgeClient
from tests.support.clients.pulling import pull
from tests.support.rows.vendor import Vendor

LAYER = tar_layer({"a.txt": b"of the backup"})
OTHER_LAYER = tar_layer({"b.txt": b"new"})


@dataclass
class NewInstallation:
    """Another database and another storage, with the keys of the old one."""

    environment: dict[str, str]
    edge: EdgeClient
    registry: Registry

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )


def back_up(registry: Registry, url: str, backup: Path) -> None:
    """Run the documented commands: the database first, then the storage."""
    backup.mkdir()
    dump = backup / "berth.dump"
    _postgres(backup, "pg_dump", "--format=custom", f"--file={dump}", url)
    for part in ("repositories", "blobs"):
        below = Path("docker/registry/v2") / part
        shutil.copytree(registry.storage / below, backup / "storage" / below)


def _postgres(directory: Path, program: str, *arguments: str) -> None:
    binaries = find_home(directory / "unused").binaries
    subprocess.run([str(binaries / program), *arguments], check=True, timeout=100)


@pytest.fixture
def elsewhere(
    registry: Registry, ports: Ports, tmp_path: Path
) -> Iterator[NewInstallation]:
    """An installation without data, until ``restore``."""
    directory = tmp_path / "elsewhere"
    directory.mkdir()
    postgres, url = start_postgres(directory / "postgres", durable=False)
    with postgres:
        host = f"localhost:{free_port()}"
        edge = EdgeClient(host, postgres, directory / "edge.log")
        restored = dataclasses.replace(
            registry,
            config=directory / "config.yml",
            storage=directory / "storage",
            port=free_port(),
            edge=edge,
        )
        environment = edge_environment(ports) | {
            "DATABASE_URL": url,
            "BERTH_REGISTRY_URL": f"http://127.0.0.1:{restored.port}",
        }
        yield NewInstallation(environment, edge, restored)


def restore(new: NewInstallation, backup: Path) -> None:
    """Run the documented commands, before any process of Berth starts."""
    _postgres(
        backup,
        *("pg_restore", "--no-owner", "--exit-on-error"),
        f"--dbname={new.environment['DATABASE_URL']}",
        str(backup / "berth.dump"),
    )
    shutil.copytree(backup / "storage", new.registry.storage)


def test_a_backup_pulls_elsewhere(
    registry: Registry,
    vendor: Vendor,
    basic_upstream: Upstream,
    elsewhere: NewInstallation,
    ports: Ports,
    tmp_path: Path,
) -> None:
    app = vendor.application.slug
    vendor.connect(basic_upstream.endpoint, "sample", UPSTREAM_LOGIN)
    license = vendor.license()
    license_id = license.license_id.reveal()
    _, credential = create_pull_credential(
        actor=vendor.actor, license=license, name="cluster"
    )
    with registry.start():
        # Also at the upstream, under the same name.
        digest = registry.push(f"{app}/api", LAYER)
        back_up(registry, edge_environment(ports)["DATABASE_URL"], tmp_path / "backup")
    # After the backup.
    revoke_license(actor=vendor.actor, license=license, reason="unpaid")
    later = vendor.license().license_id.reveal()

    restore(elsewhere, tmp_path / "backup")
    edge, restored = elsewhere.edge, elsewhere.registry
    restored.configure()
    proxied = f"{edge.host}/proxy/{app}/sample/{app}/api:v1"
    port = int(edge.host.partition(":")[2])
    with (
        start_edge(elsewhere.environment, port, edge.log, "restored edge"),
        restored.start(),
    ):
        examined = elsewhere.manage("doctor", "--json")
        reconciled = elsewhere.manage("reconcile_registry")
        problems = [pull(proxied, license_id), pull(proxied, credential.reveal())]
        pulled = restored.pull(f"{app}/api@{digest}", tmp_path / "pulled")
        pushed = restored.push(f"{app}/api", OTHER_LAYER, tag="v2")
        refused = pull(proxied, later)

    found = {item["check"]: item["status"] for item in json.loads(examined.stdout)}
    of_backup = ("database", "encryption keys", "HMAC keys")
    assert [found[name] for name in of_backup] == 3 * ["ok"]
    # The portal was not there for the notification of the push.
    assert reconciled.stdout == "Repositories: 1. Added tags: 1.\n"
    # Revoked after the backup, and so not here: the documentation warns of it.
    assert problems == ["", ""]
    assert (pulled.returncode, pulled.stderr) == (0, "")
    # By an API token of the backup.
    assert pushed != digest
    # Issued after the backup.
    assert "No known license came with this request" in refused
