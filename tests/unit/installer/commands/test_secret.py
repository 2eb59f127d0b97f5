from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.installer.command import Installer, Outcome
from tests.support.installer.licenses import LICENSE_ID, document, write_license
from tests.support.installer.servers import closed_port


@pytest.fixture
def license(tmp_path: Path) -> Path:
    return write_license(tmp_path, document())


def config(secret: Any) -> Any:
    return json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))


def test_the_secret_for_both_hosts(installer: Installer, license: Path) -> None:
    outcome = installer(
        *("secret", "--license", license),
        *("--private-registry", "registry.example.com"),
    )

    assert (outcome.code, outcome.err) == (0, "")
    secret = yaml.safe_load(outcome.out)
    assert (secret["kind"], secret["type"], secret["metadata"]) == (
        "Secret",
        "kubernetes.io/dockerconfigjson",
        {"name": "my-app-registry"},
    )
    login = base64.b64encode(f"license:{LICENSE_ID}".encode()).decode()
    assert config(secret) == {
        "auths": {
            "proxy.example.com": {"auth": login},
            "registry.example.com": {"auth": login},
        }
    }


@pytest.mark.parametrize("group", ["app.k8s.io/v1beta1", "kots.io/v1beta1"])
def test_one_for_each_namespace_of_the_application(
    installer: Installer, license: Path, tmp_path: Path, group: str
) -> None:
    application = tmp_path / "application.yaml"
    application.write_text(
        f"apiVersion: {group}\nkind: Application\nspec:\n"
        "  additionalNamespaces: [b, a]\n"
        "---\napiVersion: example.com/v1\nkind: Application\nspec:\n"
        "  additionalNamespaces: [not-ours]\n"
    )

    outcome = installer(
        *("secret", "--license", license, "--application", application),
        *("--namespace", "own", "--format", "json"),
    )

    listed = outcome.document
    assert (listed["kind"], sorted(listed)) == ("List", ["apiVersion", "items", "kind"])
    namespaces = [item["metadata"]["namespace"] for item in listed["items"]]
    assert namespaces == ["own", "a", "b"]
    # Creating namespaces is up to the cluster's administrators.
    assert {item["kind"] for item in listed["items"]} == {"Secret"}


def test_a_secret_for_all_namespaces_is_explained(
    installer: Installer, license: Path, tmp_path: Path
) -> None:
    application = tmp_path / "application.yaml"
    application.write_text(
        "apiVersion: kots.io/v1beta1\nkind: Application\n"
        "spec: {additionalNamespaces: ['*']}\n"
    )

    outcome = installer("secret", "--license", license, "--application", application)

    assert outcome.code == 3
    assert "Give each namespace" in outcome.err
    assert len(list(yaml.safe_load_all(outcome.out))) == 1


def test_a_file_is_private_and_never_overwrites_an_edit(
    installer: Installer, license: Path, tmp_path: Path
) -> None:
    file = tmp_path / "secret.yaml"
    arguments = ("secret", "--license", license, "--file", file)

    outcome = installer(*arguments)

    assert outcome.code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "dockerconfigjson" not in outcome.out
    file.write_text("mine")
    assert installer(*arguments).code == 4
    assert file.read_text() == "mine"
    assert installer(*arguments, "--force").code == 0


@pytest.mark.parametrize("namespace", ["Prod", "a_b", "*", "", "a" * 64])
def test_an_invalid_namespace_is_a_usage_error(
    installer: Installer, license: Path, namespace: str
) -> None:
    outcome = installer("secret", "--license", license, "--namespace", namespace)

    assert outcome.code == 2
    assert outcome.out == ""


def test_a_license_without_a_proxy_needs_the_option(
    installer: Installer, tmp_path: Path
) -> None:
    license = write_license(tmp_path, document(replicatedProxyDomain=""))

    assert "--proxy" in installer("secret", "--license", license).err
    outcome = installer("secret", "--license", license, "--proxy", "proxy.example.org")
    assert list(config(yaml.safe_load(outcome.out))["auths"]) == ["proxy.example.org"]


def test_an_unreachable_portal_can_be_skipped(
    installer: Installer, tmp_path: Path
) -> None:
    host = closed_port()
    license = write_license(tmp_path, document(endpoint=f"http://{host}"))
    common = ("secret", "--license", license, "--plain-http", host)

    outcome = installer(*common)

    assert outcome == Outcome(
        5,
        "",
        f"Error: {host} cannot be reached. To go on without the portal, give "
        "--offline.\n",
    )
    assert installer(*common, "--offline").code == 0


def test_hosts_of_the_license_are_in_the_secret(
    installer: Installer, tmp_path: Path
) -> None:
    content = document(replicatedRegistryDomain="registry.example.com")
    license = write_license(tmp_path, content)

    secret = yaml.safe_load(installer("secret", "--license", license).out)

    assert list(config(secret)["auths"]) == [
        "proxy.example.com",
        "registry.example.com",
    ]


@pytest.mark.parametrize("command", ["patch", "secret", "airgap"])
def test_nothing_is_written_offline_for_an_expired_license(
    installer: Installer, tmp_path: Path, command: str
) -> None:
    vendor, out = tmp_path / "vendor", tmp_path / "out"
    vendor.mkdir()
    arguments: dict[str, list[str | Path]] = {
        "patch": [vendor, "--out", out],
        "secret": ["--file", out],
        "airgap": [vendor, "--bundle", out],
    }
    license = document(endpoint="https://portal.example.com")
    license["spec"]["entitlements"]["expires_at"]["value"] = "2020-02-03T04:05:06Z"
    path = write_license(tmp_path, license)

    outcome = installer(
        *(command, *arguments[command], "--license", path, "--offline", "-o", "json")
    )

    assert outcome.code == 1
    error = outcome.document["error"]
    assert error["code"] == "license_expired"
    assert "expired on 2020-02-03 04:05:06 UTC" in error["message"]
    assert not out.exists()
