"""What ``make demo`` says when it cannot start."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from deploy.local.demo_settings import DemoSettings, read_settings
from deploy.local.private_files import private_directory
from deploy.local.process import LocalStackError, free_port
from deploy.local.schema import claim_database
from deploy.local.stack import start_servers


@pytest.fixture
def demo_settings(tmp_path: Path) -> DemoSettings:
    ports = (free_port(), free_port(), free_port())
    return DemoSettings(private_directory(tmp_path / "demo"), *ports)


def run_demo(settings: DemoSettings) -> subprocess.CompletedProcess[str]:
    """Run a demo that fails before it waits for Ctrl-C."""
    environment = os.environ | {
        "BERTH_DEMO_DIR": str(settings.directory),
        "BERTH_DEMO_PORT": str(settings.portal_port),
        "BERTH_DEMO_REGISTRY_PORT": str(settings.registry_port),
        "BERTH_DEMO_SAMPLE_PORT": str(settings.sample_port),
    }
    return subprocess.run(
        [sys.executable, "-m", "deploy.local.demo"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_demo_says_which_process_runs_it_already(demo_settings: DemoSettings) -> None:
    holder_script = (
        "import fcntl, sys; lock = open(sys.argv[1], 'w'); "
        "fcntl.flock(lock, fcntl.LOCK_EX); lock.write('4711\\n'); lock.flush(); "
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder_script, str(demo_settings.directory / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        second = run_demo(demo_settings)
        holder.communicate()

    assert second.returncode == 1
    assert "is already running: process 4711. Stop it with" in second.stderr


def test_demo_refuses_the_database_of_an_older_checkout(
    demo_settings: DemoSettings,
) -> None:
    with ExitStack() as stack:
        servers = start_servers(demo_settings, stack, durable=False)
        with psycopg.connect(servers.database_url) as connection:
            connection.execute("CREATE TABLE django_migrations (app text, name text)")
            connection.execute(
                "INSERT INTO django_migrations VALUES ('registries', '0013_images')"
            )

    demo = run_demo(demo_settings)

    directory = demo_settings.directory
    assert demo.returncode == 1
    assert demo.stdout == ""
    assert demo.stderr == (
        f"\nThe data in {directory} were created by another version of Berth and do "
        f"not fit this one. Remove them with `rm -r {directory}`, or keep them and "
        "choose another directory with BERTH_DEMO_DIR=DIRECTORY.\n"
    )


def test_claim_database_refuses_replaced_migrations(
    demo_settings: DemoSettings,
) -> None:
    claim_database(demo_settings)
    (demo_settings.directory / "postgres").mkdir()
    record = demo_settings.directory / "migrations"
    first, *rest = record.read_text().splitlines()
    record.write_text("\n".join([f"{first[:-1]}x", *rest]))

    with pytest.raises(LocalStackError, match="another version of Berth"):
        claim_database(demo_settings)


def test_claim_database_accepts_migrations_added_since(
    demo_settings: DemoSettings,
) -> None:
    claim_database(demo_settings)
    (demo_settings.directory / "postgres").mkdir()
    record = demo_settings.directory / "migrations"
    current = record.read_text()
    record.write_text("".join(current.splitlines(keepends=True)[1:]))

    claim_database(demo_settings)

    assert record.read_text() == current


def test_read_settings_refuses_a_port_that_is_none(tmp_path: Path) -> None:
    script = (
        "from deploy.local.demo_settings import read_settings\n"
        "from deploy.local.process import LocalStackError\n"
        "try: read_settings()\n"
        "except LocalStackError as error: print(error)\n"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", script],
        env={"BERTH_DEMO_DIR": str(tmp_path), "BERTH_DEMO_PORT": "70000"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert outcome.stdout == "BERTH_DEMO_PORT is a port number, not '70000'.\n"


def test_read_settings_has_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BERTH_DEMO_PORT", "BERTH_DEMO_REGISTRY_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BERTH_DEMO_SAMPLE_PORT", "6001")
    monkeypatch.setenv("BERTH_DEMO_DIR", str(tmp_path / "demo"))

    settings = read_settings()

    assert settings == DemoSettings(tmp_path / "demo", 8000, 5000, 6001)
    assert settings.facts == tmp_path / "demo.env"
