"""The installer's wheel: the same bytes each time, and the lines that install it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

import pytest

from customers.web.pulling.installer import installer_lines
from deploy.local import stack
from deploy.local.demo_settings import PROJECT
from tests.integration.customers.conftest import signed_in
from tests.support.pages.reading import text_of
from tests.support.rows.factories import ContactFactory, LicenseFactory


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    return stack.build_installer(directory / "wheel", directory / "log")


def test_the_same_source_gives_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    """Elsewhere, with other times and permissions of its files."""
    for package in ("installer", "oci"):
        shutil.copytree(PROJECT / package, tmp_path / package)
    for path in tmp_path.rglob("*.py"):
        path.chmod(0o600)
        os.utime(path, (1_000_000_000, 1_000_000_000))

    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "../other"],
        cwd=tmp_path / "installer",
        check=True,
        capture_output=True,
    )

    (other,) = (tmp_path / "other").iterdir()
    assert other.name == wheel.name
    assert other.read_bytes() == wheel.read_bytes()


def test_the_nodes_program_is_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as content:
        program = content.read("installer/cluster/berth-credential-provider")

    assert program.startswith(b"#!/bin/sh\n")


@pytest.mark.django_db(transaction=True)
def test_the_lines_of_the_page_install_it(
    wheel: Path, tmp_path: Path, settings: Any, live_server: Any
) -> None:
    settings.BERTH_INSTALLER_WHEEL = str(wheel)
    settings.BERTH_PORTAL_URL = live_server.url
    contact = ContactFactory()
    LicenseFactory(customer=contact.customer, team=contact.team)
    page = signed_in(contact).get(f"/c/{contact.customer_id}/license-file")
    lines = installer_lines(page.wsgi_request)
    assert lines is not None
    for part in (lines.download, lines.verify, *lines.install.splitlines()):
        assert " ".join(part.split()) in text_of(page)

    def shell(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-e", "-c", text],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                # What the wheel needs is here already; nothing is fetched for it.
                "PIP_NO_INDEX": "1",
                "PYTHONPATH": sysconfig.get_path("purelib"),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    downloaded = shell(lines.download)
    assert downloaded.returncode == 0, downloaded.stderr
    verified = shell(lines.verify)
    assert verified.stdout == f"{wheel.name}: OK\n"
    installed = shell(
        f"{lines.install}\nberth-installer --version\ntype berth-installer"
    )
    assert installed.returncode == 0, installed.stderr
    version = wheel.name.split("-")[1]
    assert f"\n{version}\n" in installed.stdout
    assert str(tmp_path / "berth-installer/bin/berth-installer") in installed.stdout

    (tmp_path / wheel.name).write_bytes(wheel.read_bytes() + b"x")
    damaged = shell(lines.verify)
    assert damaged.returncode != 0
    assert f"{wheel.name}: FAILED" in damaged.stdout
