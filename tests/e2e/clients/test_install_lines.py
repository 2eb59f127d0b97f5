"""The lines of the customer's page Install, run as they are copied."""

from __future__ import annotations

import base64
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from customers.web.pulling.install_lines import SAVE_SECRET, TOOLS, Step, Wanted
from deploy.local import images
from tests.e2e.conftest import Upstream
from tests.support.clients.customer_shell import Shell
from tests.support.clients.edge import EdgeClient
from tests.support.clients.engines import succeeded
from tests.support.pages.reading import copyable_of
from tests.support.rows.factories import pull_credential
from tests.support.rows.vendor import Vendor

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="container engines are started as root"
)


@pytest.fixture
def wanted(
    edge: EdgeClient,
    connected: Vendor,
    basic_upstream: Upstream,
    settings: Any,
    live_server: Any,
) -> Wanted:
    settings.BERTH_PROXY_HOST = edge.host
    layer = images.tar_layer({"hello.txt": b"copied"})
    name, login = "my-org/copied", basic_upstream.login
    images.push_image(basic_upstream.url, name, "v1", auth=login, layers=[layer])
    slug = connected.application.slug
    image = f"{edge.host}/proxy/{slug}/sample/{name}:v1"
    return Wanted(slug, image, live_server.url)


@pytest.fixture
def secret(connected: Vendor) -> str:
    _, text = pull_credential(connected.license())
    return text


@pytest.fixture
def shell(tmp_path: Path, engines: Path, wanted: Wanted, secret: str) -> Shell:
    """A shell in which the secret is saved, as the first step says."""
    shell = Shell(tmp_path, engines, wanted.host)
    succeeded(shell(SAVE_SECRET, stdin=f"{secret}\n"))
    assert (tmp_path / "pull-credential").stat().st_mode & 0o077 == 0
    return shell


def steps_of(tool: str, wanted: Wanted) -> list[Step]:
    return TOOLS[tool].steps(wanted)


@pytest.mark.parametrize("tool", ["docker", "podman"])
def test_an_engine_logs_in_and_pulls(shell: Shell, wanted: Wanted, tool: str) -> None:
    shell(f"{tool} image rm --force {wanted.image}")

    for step in steps_of(tool, wanted):
        succeeded(shell(step.lines))

    found = shell(f"{tool} image inspect {wanted.image}")
    assert found.returncode == 0, found.stderr


def without_tls(lines: str) -> str:
    """Tell skopeo, which alone does not find this shell's registries.conf."""
    lines = lines.replace("skopeo login", "skopeo login --tls-verify=false")
    return lines.replace("skopeo copy", "skopeo copy --src-tls-verify=false")


def test_skopeo_copies(shell: Shell, wanted: Wanted, tmp_path: Path) -> None:
    for step in steps_of("skopeo", wanted):
        succeeded(shell(without_tls(step.lines)))

    assert (tmp_path / "image" / "manifest.json").is_file()


@pytest.mark.parametrize("tool", ["docker", "podman", "skopeo"])
def test_what_a_vendor_copies_pulls(
    shell: Shell, wanted: Wanted, connected: Vendor, client: Client, tool: str
) -> None:
    client.force_login(connected.owner)
    # As it is called in the registry that is chosen beside it.
    typed = "/".join(wanted.image.split("/")[4:])
    asked = {"application": wanted.application, "registry": "sample", "other": typed}

    page = client.post(f"/t/{connected.team.slug}/image-names", asked | {"tool": tool})
    name, save, *lines = copyable_of(page)

    assert (name, save) == (wanted.image, SAVE_SECRET)
    shell(f"{tool} image rm --force {name}" if tool != "skopeo" else "true")
    for line in lines:
        succeeded(shell(without_tls(line)))


def test_containerd_pulls(shell: Shell, wanted: Wanted) -> None:
    step = steps_of("containerd", wanted)[0]
    assert step.lines.startswith("ctr ")
    shell(f"ctr images rm {wanted.image}")

    succeeded(shell(step.lines))

    assert wanted.image in shell("ctr images ls --quiet").stdout


def test_the_portal_writes_the_pull_secret(
    shell: Shell, wanted: Wanted, secret: str
) -> None:
    step = steps_of("kubernetes", wanted)[0]
    fetch, _, apply = step.lines.rpartition("|")
    assert apply.strip() == "kubectl apply --filename -"

    written = shell(fetch)

    succeeded(written)
    manifest = yaml.safe_load(written.stdout)
    config = json.loads(base64.b64decode(manifest["data"][".dockerconfigjson"]))
    auth = base64.b64encode(f"license:{secret}".encode()).decode()
    assert config["auths"][wanted.host] == {"auth": auth}
    assert manifest["metadata"]["name"] in step.text


@pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not a Debian package"
)
@pytest.mark.parametrize(("number", "kind"), [(0, "Secret"), (1, "Pod")])
def test_kubectl_reads_what_it_is_given(
    shell: Shell, wanted: Wanted, number: int, kind: str
) -> None:
    step = steps_of("kubernetes", wanted)[number]
    text = step.lines if step.file else shell(step.lines.rpartition("|")[0]).stdout

    # The one of its commands that reads a manifest strictly, and asks no cluster.
    read = shell(
        "kubectl annotate --local --filename - --output yaml read=yes", stdin=text
    )

    succeeded(read)
    manifest = yaml.safe_load(text)
    assert manifest["kind"] == kind
    manifest["metadata"]["annotations"] = {"read": "yes"}
    assert yaml.safe_load(read.stdout) == manifest
