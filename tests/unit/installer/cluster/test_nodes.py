"""What ``node-setup`` writes. The credential provider has tests of its own."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from installer.cluster.nodes import script
from tests.support.installer.command import Installer, Outcome, tree
from tests.support.installer.licenses import LICENSE_ID
from tests.support.installer.servers import Server


class NodeSetup:
    def __init__(
        self, installer: Installer, license: Path, portal: Server, directory: Path
    ) -> None:
        self._installer = installer
        self._portal = portal.host
        self._license = license
        self.directory = directory

    def __call__(self, *more: str) -> Outcome:
        outcome = self._installer(
            *("node-setup", self.directory, "--license", self._license),
            *("--portal", f"http://{self._portal}", "--plain-http", self._portal),
            *more,
        )
        written = b"".join(tree(self.directory).values()).decode()
        assert LICENSE_ID not in outcome.out + outcome.err + written
        return outcome

    def provider(self, name: str = "berth-credential-provider") -> Any:
        config = yaml.safe_load((self.directory / f"{name}.yaml").read_text())
        (provider,) = config["providers"]
        return provider


@pytest.fixture
def node_setup(
    installer: Installer, license: Path, portal: Server, tmp_path: Path
) -> NodeSetup:
    return NodeSetup(installer, license, portal, tmp_path / "nodes")


def test_all_that_a_node_needs(node_setup: NodeSetup) -> None:
    outcome = node_setup()

    assert outcome.code == 0, outcome.err
    assert sorted(tree(node_setup.directory)) == [
        "berth-credential-provider.yaml",
        "bin/berth-credential-provider",
        "node-audience.yaml",
    ]
    program = node_setup.directory / "bin" / "berth-credential-provider"
    assert program.read_bytes() == script()
    assert stat.S_IMODE(program.stat().st_mode) == 0o755
    hosts = ["proxy.example.com", "registry.example.com"]
    assert node_setup.provider() == {
        "name": "berth-credential-provider",
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "matchImages": hosts,
        "defaultCacheDuration": "0s",
        "args": hosts,
        "tokenAttributes": {
            "serviceAccountTokenAudience": "proxy.example.com",
            "cacheType": "Token",
            "requireServiceAccount": True,
        },
    }
    assert "Apply node-audience.yaml to the cluster." in outcome.err


def test_kubelets_may_ask_for_the_audience(node_setup: NodeSetup) -> None:
    node_setup("--audience", "other.example.com")

    text = (node_setup.directory / "node-audience.yaml").read_text()
    role, binding = yaml.safe_load_all(text)
    for document in (role, binding):
        kubernetes_validate.validate(document, "1.37", strict=True)
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["other.example.com"],
            "verbs": ["request-serviceaccounts-token-audience"],
        }
    ]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert [subject["name"] for subject in binding["subjects"]] == ["system:nodes"]
    attributes = node_setup.provider()["tokenAttributes"]
    assert attributes["serviceAccountTokenAudience"] == "other.example.com"


def test_a_mirrored_registry_is_replaced_by_the_proxy(node_setup: NodeSetup) -> None:
    outcome = node_setup("--mirror", "registry.corp:5000", "--mirror", "quay.io")

    assert outcome.code == 0, outcome.err
    for host, upstream in (("registry.corp:5000", "corp"), ("quay.io", "quay.io")):
        file = node_setup.directory / "certs.d" / host / "hosts.toml"
        place = f"https://proxy.example.com/v2/proxy/my-app/{upstream}"
        # Nobody but the proxy is asked, even if that refuses.
        assert tomllib.loads(file.read_text()) == {
            "server": place,
            "override_path": True,
            "host": {
                place: {"capabilities": ["pull", "resolve"], "override_path": True}
            },
        }
    assert node_setup.provider()["matchImages"] == [
        *("proxy.example.com", "registry.example.com"),
        *("registry.corp:5000", "quay.io"),
    ]
    assert "Install hosts.toml before the kubelet's configuration" in outcome.err


def test_a_second_vendor_has_a_provider_of_its_own(node_setup: NodeSetup) -> None:
    assert node_setup("--name", "other").code == 0

    assert node_setup.provider("other")["name"] == "other"
    assert (node_setup.directory / "bin" / "other").exists()


def test_the_same_again_changes_nothing(node_setup: NodeSetup) -> None:
    node_setup("--mirror", "quay.io")
    before = tree(node_setup.directory)

    assert node_setup("--mirror", "quay.io").code == 0
    assert tree(node_setup.directory) == before


@pytest.mark.parametrize(
    "name", ["berth-credential-provider.yaml", "bin/berth-credential-provider"]
)
def test_what_was_made_by_hand_stays(name: str, node_setup: NodeSetup) -> None:
    path = node_setup.directory / name
    path.parent.mkdir(parents=True)
    path.write_text("mine\n")

    assert node_setup().code == 4
    assert tree(node_setup.directory) == {name: b"mine\n"}
    assert node_setup("--force").code == 0
    assert path.read_text() != "mine\n"


def test_an_earlier_version_of_the_program_is_replaced(node_setup: NodeSetup) -> None:
    node_setup()
    program = node_setup.directory / "bin" / "berth-credential-provider"
    program.write_bytes(script() + b"# of an earlier version\n")

    assert node_setup().code == 0
    assert program.read_bytes() == script()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--mirror", "ghcr.io"], "pulls nothing of ghcr.io through the proxy"),
        (["--mirror", "quay.io/x"], "is not a registry host"),
        (["--mirror", "quay.io", "--offline"], "Only the portal knows"),
        (["--audience", "a b"], "give an audience such as proxy"),
        (["--audience", ""], "give an audience such as proxy"),
        (["--name", "../x"], "is not the name of a program"),
    ],
)
def test_what_cannot_be_done_is_told(
    more: list[str], sentence: str, node_setup: NodeSetup
) -> None:
    outcome = node_setup(*more)

    assert (outcome.code, outcome.out) == (2, "")
    assert sentence in outcome.err
    assert tree(node_setup.directory) == {}
