"""``patch`` reports what it cannot see or do, and never ends with 0 then."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installer.command import Installer
from tests.support.installer.licenses import document, write_license
from tests.support.installer.patching import Patch
from tests.support.installer.pods import pod
from tests.support.installer.servers import OK, Server, server
from tests.support.servers.canned_server import Answer, Request

BUSY = Answer(429, {"Retry-After": "3600"})
SHA512 = "sha512:" + "0" * 128


@pytest.fixture
def registry() -> Iterator[Server]:
    """A registry where each tag has its own response."""
    asked = threading.Event()

    def respond(request: Request) -> Answer:
        tag = request.path.rpartition("/")[2]
        if tag == "v1":
            asked.set()
        elif tag == "busy":
            # After this, the host gets no more requests.
            asked.wait(10)
            time.sleep(0.5)  # until the response to v1 was sent
        known = {"v1": Answer(401), "public": OK, "busy": BUSY, SHA512: OK}
        return known.get(tag, Answer(404))

    with server(respond) as state:
        yield state


@pytest.mark.parametrize(
    ("tag", "status"), [("gone", "missing"), ("busy", "rate_limited")]
)
def test_failed_look_ups_stay_unknown_under_their_new_name(
    patch: Patch, vendor: Path, registry: Server, tag: str, status: str
) -> None:
    name = f"{registry.host}/closed/api"
    new = "proxy.example.com/proxy/my-app/sample/closed/api"
    manifest = pod("web", f"{name}:v1") + "---\n" + pod("other", f"{name}:{tag}")
    (vendor / "pod.yaml").write_text(manifest)

    outcome = patch()

    assert outcome.code == 3
    assert f"proxied: {name}:v1 -> {new}:v1\n" in outcome.out
    assert f"unknown: {name}:{tag} -> {new}:{tag}\n" in outcome.out
    assert "2 images: 2 renamed, 1 with a problem." in outcome.out
    # Kustomize renames both, so both pull with the license.
    patched = {item["target"]["name"] for item in patch.midstream()["patches"]}
    assert patched == {"web", "other"}
    results = {
        item["image"].rpartition(":")[2]: (item["result"], item["status"])
        for item in patch("--output", "json").document["images"]
    }
    assert results == {"v1": ("proxied", "private"), tag: ("unknown", status)}


def test_a_public_tag_of_a_private_image_is_proxied_with_it(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    name = f"{registry.host}/closed/api"
    (vendor / "pod.yaml").write_text(pod("web", f"{name}:v1", f"{name}:public"))

    outcome = patch()

    assert outcome.code == 0
    assert f"proxied: {name}:public -> proxy.example.com/" in outcome.out


def test_a_sha512_digest_is_never_reported_as_proxied(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    name = f"{registry.host}/closed/api"
    (vendor / "pod.yaml").write_text(pod("web", f"{name}:v1", f"{name}@{SHA512}"))

    (outcome,) = [
        item
        for item in patch("--output", "json").document["images"]
        if "sha512" in item["image"]
    ]

    assert (outcome["result"], outcome["new_image"]) == ("public", None)


@pytest.mark.parametrize("directory", ["", "sub/"])
def test_a_namespace_that_the_vendors_list_sets_needs_the_secret(
    patch: Patch, vendor: Path, registry: Server, directory: str
) -> None:
    (vendor / "sub").mkdir()
    image = f"{registry.host}/closed/api:v1"
    (vendor / directory / "pod.yaml").write_text(pod("web", image, namespace="over"))
    (vendor / directory / "kustomization.yaml").write_text(
        "namespace: prod\nresources: [pod.yaml]\n"
    )

    outcome = patch()

    assert outcome.code == 3
    assert "--namespace prod" in outcome.err
    assert "--namespace over" not in outcome.err
    assert patch("--namespace", "prod").code == 0


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ((), {""}),
        # A pod names jobs, so the pod without a namespace still needs the unnamed one.
        (("jobs",), {"", "jobs"}),
        (("own", "jobs"), {"own", "jobs"}),
    ],
)
def test_pods_without_a_namespace_are_not_left_without_the_secret(
    patch: Patch,
    vendor: Path,
    registry: Server,
    given: tuple[str, ...],
    written: set[str],
) -> None:
    image = f"{registry.host}/closed/api:v1"
    named, unnamed = pod("job", image, namespace="jobs"), pod("web", image)
    (vendor / "pods.yaml").write_text(f"{named}---\n{unnamed}")

    outcome = patch(*(text for item in given for text in ("--namespace", item)))

    namespaces = {item["metadata"].get("namespace", "") for item in patch.secrets()}
    assert namespaces == written
    assert outcome.code == (0 if given else 3)


@pytest.mark.parametrize("directory", ["", "sub/"])
@pytest.mark.parametrize("airgap", [True, False])
def test_images_that_the_vendors_list_changes_are_reported(
    patch: Patch, vendor: Path, registry: Server, directory: str, airgap: bool
) -> None:
    (vendor / "sub").mkdir()
    image = f"{registry.host}/closed/api:v1"
    (vendor / directory / "pod.yaml").write_text(pod("web", image))
    (vendor / directory / "kustomization.yaml").write_text(
        "resources: [pod.yaml]\nimages: [{name: api, newName: quay.io/my-org/api}]\n"
    )

    outcome = patch(*(("--airgap", "--registry", "own.test/apps") if airgap else ()))

    assert outcome.code == 3
    assert f"{directory}kustomization.yaml has its own images list" in outcome.err


def test_the_portals_hosts_replace_those_of_an_old_license(
    patch: Patch, vendor: Path, registry: Server, tmp_path: Path
) -> None:
    old = {
        "replicatedProxyDomain": "old-proxy.example.com",
        "replicatedRegistryDomain": "old-registry.example.com",
    }
    write_license(tmp_path, document(**old))
    (vendor / "pod.yaml").write_text(pod("web", f"{registry.host}/closed/api:v1"))

    assert patch().code == 0

    (secret,) = patch.secrets()
    config = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    assert sorted(config["auths"]) == ["proxy.example.com", "registry.example.com"]


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_output_is_the_format_of_every_command(
    patch: Patch, vendor: Path, form: str, tmp_path: Path
) -> None:
    outcome = patch("--output", form)

    assert outcome.code == 0
    assert outcome.out.startswith({"json": "{", "yaml": "images:"}[form])
    assert not Path(form).exists()
    assert patch("--output", str(tmp_path / "there")).code == 2


def test_json_with_surrogate_pairs_is_read(installer: Installer, vendor: Path) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "annotations": {"mood": "\N{GRINNING FACE}"}},
        "spec": {"containers": [{"name": "c", "image": "{{ image }}"}]},
    }
    (vendor / "pod.json").write_text(json.dumps(manifest, indent=2))

    outcome = installer("images", vendor, "-o", "json")

    assert outcome.document["problems"] == []
    (image,) = outcome.document["images"]
    assert image["image"] == "{{ image }}"
