"""The commands of the guide, run as they are written, on a complete Berth."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import urllib3

from deploy.local.stack import SAMPLE_USER, sample_password
from tests.e2e.clients.conftest import Demo
from tests.support.clients.customer_shell import Shell
from tests.support.clients.engines import Docker
from tests.support.guide import Page, is_printed, pages

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="container engines are started as root"
)
WITH_COMMANDS = [page for page in pages() if page.of("sh")]
MARK = "=== the next block ==="


@pytest.fixture(scope="module")
def variables(demo: Demo) -> dict[str, str]:
    """What pages tell their readers to set."""
    facts = demo.facts
    host, application = facts["PROXY_HOST"], facts["APP_SLUG"]
    return {
        **facts,
        "EMAIL": facts["OWNER_EMAIL"],
        "LICENSE": only_license(facts),
        "REGISTRY": "sample",
        "IMAGE": f"{host}/proxy/{application}/sample/{facts['SAMPLE_IMAGE']}",
        "ENDPOINT": demo.settings.sample_host,
        "USERNAME": SAMPLE_USER,
        "PASSWORD": sample_password(demo.settings),
        "TEST_IMAGE": facts["SAMPLE_IMAGE"],
        "WEBHOOK_URL": f"http://{demo.receiver_host}/berth",
    }


def only_license(facts: dict[str, str]) -> str:
    answer = urllib3.request(
        "GET",
        f"{facts['PORTAL_URL']}/api/v1/licenses",
        headers={"Authorization": f"Bearer {facts['API_TOKEN']}"},
    )
    (license,) = answer.json()["results"]
    return str(license["id"])


@pytest.fixture
def shell(tmp_path: Path, engines: Path, variables: dict[str, str]) -> Shell:
    """A reader's shell: an image to push is there, and the one to pull is not."""
    docker = Docker(engines, tmp_path / "maker")
    docker.make("worker:1.0.1", b"worker")
    docker("image", "rm", "--force", variables["IMAGE"])
    return Shell(tmp_path, engines, variables["PROXY_HOST"], variables["REGISTRY_HOST"])


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
def test_commands_do_what_the_page_says(
    page: Page, shell: Shell, variables: dict[str, str]
) -> None:
    blocks = list(page.commands())
    script = f"\necho '{MARK}'\n".join(commands for commands, _ in blocks)

    finished = shell(
        f"exec 2>&1\n{script}",
        variables={name: variables[name] for name in page.variables}
        | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
    )

    assert finished.returncode == 0, finished.stdout
    outputs = finished.stdout.split(MARK)
    missing = [
        line
        for (_, lines), output in zip(blocks, outputs, strict=True)
        for line in lines
        if not is_printed(line, output)
    ]
    assert missing == [], finished.stdout
    left = [path.name for path in shell.home.glob("*.curl")]
    assert left == [], "the file with the token stays on the reader's machine"
