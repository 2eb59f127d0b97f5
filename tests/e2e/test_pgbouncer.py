"""Berth behind PgBouncer in transaction mode, which shares sessions among clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from psycopg import sql

from deploy.local import images
from deploy.local.process import ManagedProcess, free_port
from images.models import ImageTag
from licenses.services import revoke_license
from tests.e2e.conftest import PROJECT, Ports, Upstream, edge_environment, start_edge
from tests.e2e.portal.conftest import portal_command
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor
from tests.support.stacks.pgbouncer import PgBouncer, pgbouncer_before
from tests.support.stacks.private_registry import running_private_registry

SESSION_SETTINGS = ("statement_timeout", "lock_timeout", "plan_cache_mode", "timezone")


@pytest.fixture
def pgbouncer(transactional_db: None, ports: Ports) -> Iterator[PgBouncer]:
    with pgbouncer_before(edge_environment(ports)["DATABASE_URL"]) as pgbouncer:
        defaults = pgbouncer.settings_left_behind(*SESSION_SETTINGS)
        yield pgbouncer
        # Whatever a test did, who comes next finds sessions as the server makes them.
        assert pgbouncer.settings_left_behind(*SESSION_SETTINGS) == defaults
        with psycopg.connect(pgbouncer.url) as client:
            locks = client.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND"
                " database = (SELECT oid FROM pg_database"
                " WHERE datname = current_database())"
            ).fetchone()
            assert locks == (0,)


@pytest.fixture
def environment(ports: Ports, pgbouncer: PgBouncer) -> dict[str, str]:
    behind = {"DATABASE_URL": pgbouncer.url, "DATABASE_PGBOUNCER": "true"}
    return edge_environment(ports) | behind


def test_pulls_are_decided_counted_and_revoked(
    environment: dict[str, str],
    connected: Vendor,
    basic_upstream: Upstream,
    tmp_path: Path,
) -> None:
    images.push_image(
        basic_upstream.url,
        "my-org/pgbouncer",
        "v1",
        auth=basic_upstream.login,
        layers=[images.tar_layer({"a": b"a"})],
    )
    name = f"proxy/{connected.application.slug}/sample/my-org/pgbouncer"
    kept, revoked = connected.license(), connected.license()
    port, log = free_port(), tmp_path / "edge.log"
    with start_edge(environment, port, log, "edge behind PgBouncer") as process:
        edge = EdgeClient(f"localhost:{port}", process, log)

        def pull(_: int) -> int:
            token = edge.token(kept.license_id.reveal(), name)
            return edge.get(name, "manifests/v1", token).status

        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(pull, range(40))) == {200}
        token = edge.token(revoked.license_id.reveal(), name)
        assert edge.get(name, "manifests/v1", token).status == 200
        revoke_license(actor=connected.actor, license=revoked, reason="test")
        time.sleep(1)  # the promise
        assert edge.get(name, "manifests/v1", token).status == 401
        assert pull(0) == 200
        assert edge.request("GET", "/readyz").json["status"] == "ok"

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(count) FROM registries_pullevent WHERE outcome = 'allowed'"
        )
        assert cursor.fetchone() == (42,)


def test_two_confirmations_at_once(
    environment: dict[str, str], vendor: Vendor, tmp_path: Path
) -> None:
    with running_private_registry(tmp_path) as registry:
        for number in range(5):
            registry.push(f"{vendor.application.slug}/app{number}", "v1", b"x")
        command = [sys.executable, "manage.py", "reconcile_registry"]
        settings = environment | {
            "BERTH_REGISTRY_URL": registry.url,
            "BERTH_INSECURE_REGISTRIES": registry.url.removeprefix("http://"),
        }
        both = [
            subprocess.Popen(
                command,
                cwd=PROJECT,
                env=settings,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for _ in range(2)
        ]
        outputs = [process.communicate(timeout=90)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0], outputs
    assert ImageTag.objects.filter(confirmed_at__isnull=False).count() == 5


def test_an_export_and_a_list(
    environment: dict[str, str], vendor: Vendor, tmp_path: Path
) -> None:
    for _ in range(30):
        vendor.license()
    _, secret = vendor.api_token(name="export")
    headers = {"Authorization": f"Bearer {secret.reveal()}"}
    port, log = free_port(), tmp_path / "portal.log"
    with ManagedProcess(
        portal_command(port), name="portal", log=log, env=environment, cwd=PROJECT
    ) as process:
        process.wait_for_http(f"http://127.0.0.1:{port}/readyz", 60)
        portal = EdgeClient(f"127.0.0.1:{port}", process, log)
        export = portal.request("GET", "/api/v1/team/export", headers)
        listed = portal.request("GET", "/api/v1/licenses", headers)

    rows = [json.loads(line) for line in export.body.splitlines()]
    assert export.status == 200
    assert sum(row["type"] == "license" for row in rows) == 30
    assert len(listed.json["results"]) >= 30


def test_migrate(environment: dict[str, str], pgbouncer: PgBouncer) -> None:
    name = f"migrated_{uuid.uuid4().hex}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            result = subprocess.run(
                [sys.executable, "manage.py", "migrate", "--skip-checks"],
                cwd=PROJECT,
                env=environment | {"DATABASE_URL": pgbouncer.url_of(name)},
                check=False,
                capture_output=True,
                text=True,
                timeout=100,
            )
            assert result.returncode == 0, result.stderr
            left = PgBouncer(pgbouncer.url_of(name)).settings_left_behind(
                "lock_timeout", "statement_timeout"
            )
            assert left == {"lock_timeout": {"0"}, "statement_timeout": {"0"}}
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            server.execute(drop.format(sql.Identifier(name)))
