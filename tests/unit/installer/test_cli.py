"""What all commands share: output, progress, exit codes, company proxies."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from installer.report import Progress
from tests.support.installer.command import Installer
from tests.support.installer.licenses import document, write_license
from tests.support.installer.servers import OK, server
from tests.support.servers.canned_server import Answer

PROJECT = Path(__file__).parents[3]
POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: web}}
spec: {{containers: [{{name: a, image: "{}"}}]}}
"""


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    directory = tmp_path / "vendor"
    directory.mkdir()
    return directory


def test_images_for_people(installer: Installer, vendor: Path) -> None:
    with server(lambda _request: Answer(401)) as registry:
        image = f"{registry.host}/my-org/api:v1"
        (vendor / "pod.yaml").write_text(POD.format(image))
        outcome = installer("images", vendor, "--plain-http", registry.host)

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == (
        f"private: {image}\n"
        f"    {registry.host} denies anonymous access: the image is private.\n"
        "    at pod.yaml:4 Pod web, container a\n"
        "1 image: 0 public, 1 private, 0 other.\n"
    )


@pytest.mark.parametrize("name", ["-o", "--format", "--output"])
def test_images_for_scripts(installer: Installer, vendor: Path, name: str) -> None:
    with server(lambda _request: OK) as registry:
        image = f"{registry.host}/my-org/api:v1"
        (vendor / "pod.yaml").write_text(POD.format(image))
        common = ("images", vendor, "--plain-http", registry.host)
        as_json = installer(*common, name, "json")
        as_yaml = installer(*common, name, "yaml")

    assert as_json.document == yaml.safe_load(as_yaml.out)
    assert as_json.document == {
        "images": [
            {
                "image": image,
                "status": "public",
                "detail": f"{registry.host} serves it to everyone.",
                "places": [
                    {
                        "file": "pod.yaml",
                        "line": 4,
                        "kind": "Pod",
                        "name": "web",
                        "namespace": "",
                        "container": "a",
                        "path": "spec/containers[]/image",
                    }
                ],
            }
        ],
        "problems": [],
        "notes": [],
    }


def test_several_directories_and_single_files(
    installer: Installer, tmp_path: Path
) -> None:
    with server(lambda _request: OK) as registry:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            image = f"{registry.host}/my-org/{name}"
            (tmp_path / name / "pod.yaml").write_text(POD.format(image))
        outcome = installer(
            *("images", tmp_path / "one", tmp_path / "two" / "pod.yaml"),
            *("--plain-http", registry.host, "-o", "json"),
        )

    files = [item["places"][0]["file"] for item in outcome.document["images"]]
    assert files == [str(tmp_path / "one/pod.yaml"), str(tmp_path / "two/pod.yaml")]


def test_images_on_berth_are_not_looked_up(
    installer: Installer, vendor: Path, tmp_path: Path
) -> None:
    license = write_license(tmp_path, document())
    image = "proxy.example.com/proxy/my-app/quay.io/my-org/api:v1"
    (vendor / "pod.yaml").write_text(POD.format(image))

    outcome = installer("images", vendor, "--license", license, "-o", "json")

    assert outcome.code == 0
    assert outcome.document["images"][0]["status"] == "already_proxied"


def test_an_empty_directory_has_no_images(installer: Installer, vendor: Path) -> None:
    outcome = installer("images", vendor)

    assert outcome.code == 0
    assert outcome.out == "0 images: 0 public, 0 private, 0 other.\n"


def test_links_are_followed_inside_the_directory_only(
    installer: Installer, vendor: Path, tmp_path: Path
) -> None:
    # As Kubernetes mounts a ConfigMap.
    data = vendor / "..2026"
    data.mkdir()
    (data / "pod.yaml").write_text(POD.format("{{ beside }}"))
    (vendor / "pod.yaml").symlink_to("..2026/pod.yaml")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "pod.yaml").write_text(POD.format("{{ elsewhere }}"))
    (vendor / "file.yaml").symlink_to(tmp_path / "elsewhere" / "pod.yaml")
    (vendor / "directory").symlink_to(tmp_path / "elsewhere")
    (vendor / "dangling.yaml").symlink_to("nowhere.yaml")

    outcome = installer("images", vendor, "-o", "json")

    assert outcome.code == 3
    images = [item["image"] for item in outcome.document["images"]]
    assert images == ["{{ beside }}"]
    problems = {item["file"]: item["detail"] for item in outcome.document["problems"]}
    assert sorted(problems) == ["dangling.yaml", "directory", "file.yaml"]
    assert all("link" in item for item in problems.values())


def test_untrusted_text_cannot_control_the_terminal(
    installer: Installer, vendor: Path
) -> None:
    (vendor / "pod.yaml").write_text(POD.format("a\\e]0;title\\a\\e[31mred"))

    outcome = installer("images", vendor)

    assert outcome.code == 3
    assert "\x1b" not in outcome.out
    assert "\x07" not in outcome.out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("images",),
        ("images", "/nowhere"),
        ("patch", "/nowhere", "--license", "x", "--out", "y"),
        ("verify", "--license", "/nowhere", "--root-key", "/nowhere"),
        ("secret", "--license", "/nowhere"),
        ("images", ".", "--ca-file", "/nowhere"),
        ("images", ".", "--timeout", "0"),
        ("images", ".", "--form", "json"),
    ],
)
def test_a_usage_error_is_exit_code_2(
    installer: Installer, arguments: tuple[str, ...], vendor: Path
) -> None:
    outcome = installer(*(str(vendor) if item == "." else item for item in arguments))

    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err


def test_errors_for_scripts_are_documents(installer: Installer) -> None:
    outcome = installer("images", "/nowhere", "-o", "json")

    assert outcome.document == {
        "error": {"code": "no_directory", "message": "/nowhere does not exist."}
    }
    assert outcome.err == ""


def test_an_unwritable_directory_is_reported(
    installer: Installer, vendor: Path, tmp_path: Path
) -> None:
    license = write_license(tmp_path, document())
    (tmp_path / "file").write_text("")

    outcome = installer(
        "patch", vendor, "--license", license, "--out", tmp_path / "file" / "out"
    )

    assert outcome.code == 2
    assert "Not a directory" in outcome.err


def test_progress_is_one_line_and_only_shown_if_wanted() -> None:
    stream = io.StringIO()
    shown = Progress("Looked up", always=True, stream=stream)
    for done in (1, 2, 3):
        shown(done, 3)
    assert stream.getvalue() == "\rLooked up: 1 of 3\rLooked up: 3 of 3\n"

    quiet = io.StringIO()
    Progress("Looked up", always=False, stream=quiet)(1, 1)
    assert quiet.getvalue() == ""


def test_requested_progress_goes_to_standard_error(
    installer: Installer, vendor: Path
) -> None:
    with server(lambda _request: OK) as registry:
        (vendor / "pod.yaml").write_text(POD.format(f"{registry.host}/my-org/api"))
        common = ("images", vendor, "--plain-http", registry.host, "-o", "json")
        assert installer(*common).err == ""
        outcome = installer(*common, "--progress")

    assert outcome.err.endswith("Looked up: 1 of 1\n")
    assert json.loads(outcome.out)


def test_a_company_proxy_is_used_except_for_no_proxy(
    installer: Installer, vendor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with server(lambda _request: OK) as company:
        (vendor / "pod.yaml").write_text(POD.format("registry.test/my-org/api:v1"))
        monkeypatch.setenv("http_proxy", f"http://{company.host}")
        common = ("images", vendor, "--plain-http", "registry.test", "-o", "json")
        through = installer(*common)
        monkeypatch.setenv("no_proxy", "registry.test")
        direct = installer(*common)
        monkeypatch.setenv("http_proxy", "socks5://proxy.test:1")
        assert installer(*common).code == 2

    assert through.document["images"][0]["status"] == "public"
    (request,) = company.requests
    assert request.path == "http://registry.test/v2/my-org/api/manifests/v1"
    assert direct.document["images"][0]["status"] == "dns_failure"


def test_a_closed_pipe_prints_no_error(vendor: Path) -> None:
    (vendor / "pod.yaml").write_text(POD.format("{{ image }}"))

    ran = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m installer images {vendor} | true"],
        cwd=PROJECT,
        check=False,
        capture_output=True,
        text=True,
    )

    assert ran.stderr == ""
