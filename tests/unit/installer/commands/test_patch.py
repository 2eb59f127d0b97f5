"""``patch`` decides about each image and writes what it needs."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import yaml

from tests.support.installer.command import Installer, tree
from tests.support.installer.licenses import LICENSE_ID, document, write_license
from tests.support.installer.patching import Patch
from tests.support.installer.pods import pod
from tests.support.installer.servers import Server, server
from tests.support.servers.canned_server import Answer

NAMESPACED = """\
apiVersion: kots.io/v1beta1
kind: Application
metadata: {name: my-app}
spec: {additionalNamespaces: [prod, staging]}
"""


def test_the_layout_of_the_documentation(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    manifest = pod("web", f"{registry.host}/closed/api:v1.0.1")
    (vendor / "pod.yaml").write_text(manifest)

    outcome = patch()

    assert (outcome.code, outcome.err) == (0, "")
    assert sorted(tree(patch.out)) == [
        "base.sha256",
        "base/kustomization.yaml",
        "base/pod.yaml",
        "overlays/midstream/kustomization.yaml",
        "overlays/midstream/secret.yaml",
    ]
    assert (patch.out / "base" / "pod.yaml").read_text() == manifest
    assert patch.midstream() == {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["../../base", "secret.yaml"],
        "images": [
            {
                "name": f"{registry.host}/closed/api",
                "newName": "proxy.example.com/proxy/my-app/sample/closed/api",
            }
        ],
        "patches": [
            {
                "target": {
                    "version": "v1",
                    "kind": "Pod",
                    "name": "web",
                    "namespace": "default",
                },
                "patch": (
                    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n"
                    "  imagePullSecrets:\n  - name: my-app-registry\n"
                ),
            }
        ],
    }


def test_the_license_is_only_in_a_file_that_only_its_owner_can_read(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    (vendor / "pod.yaml").write_text(pod("web", f"{registry.host}/closed/api:v1"))

    outcome = patch("--format", "json")

    secret = patch.out / "overlays" / "midstream" / "secret.yaml"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert LICENSE_ID not in outcome.out + outcome.err
    assert [item for item in registry.requests if "Authorization" in item.headers] == []
    others = {name for name, item in tree(patch.out).items() if b"dockerconfig" in item}
    assert others == {"overlays/midstream/secret.yaml"}
    assert all(LICENSE_ID not in item.path for item in patch.portal.requests)


def test_each_image_gets_its_result_and_status(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    host = registry.host
    images = {
        f"{host}/open/app:v1": ("public", "public"),
        f"{host}/closed/api:v1": ("proxied", "private"),
        f"{host}/closed/unshared:v1": ("not_connected", "private"),
        f"{host}/gone/api:v1": ("unknown", "missing"),
        "registry.example.com/my-app/worker:v1": ("private_registry", None),
        "proxy.example.com/proxy/my-app/api:v1": ("already_proxied", None),
        "registry.example.com/other/worker:v1": ("other_application", None),
        "{{ image }}": ("unknown", "template"),
    }
    (vendor / "pod.yaml").write_text(pod("web", *images))

    outcome = patch("--format", "json")

    assert outcome.code == 3
    results = {
        item["image"]: (item["result"], item["status"])
        for item in outcome.document["images"]
    }
    assert results == images
    assert [item["name"] for item in patch.midstream()["images"]] == [
        f"{host}/closed/api"
    ]
    asked = [item for item in patch.portal.requests if item.method == "POST"]
    assert json.loads(asked[0].body) == {
        "images": [f"{host}/closed/api:v1", f"{host}/closed/unshared:v1"]
    }


def test_the_secret_is_written_even_if_all_images_are_public(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    (vendor / "pod.yaml").write_text(pod("web", f"{registry.host}/open/app:v1"))
    (vendor / "application.yaml").write_text(NAMESPACED)

    assert patch().code == 0

    assert [item["metadata"] for item in patch.secrets()] == [
        {"name": "my-app-registry"},
        {"name": "my-app-registry", "namespace": "prod"},
        {"name": "my-app-registry", "namespace": "staging"},
    ]
    assert "patches" not in patch.midstream()
    # The Application manifest is for the app manager; clusters do not know its kind.
    base = yaml.safe_load((patch.out / "base" / "kustomization.yaml").read_text())
    assert base["resources"] == ["pod.yaml"]
    assert (patch.out / "base" / "application.yaml").read_text() == NAMESPACED


def test_pods_in_a_namespace_without_the_secret_are_reported(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    manifest = pod("web", f"{registry.host}/closed/api:v1", namespace="elsewhere")
    (vendor / "pod.yaml").write_text(manifest)

    outcome = patch()

    assert outcome.code == 3
    assert "--namespace elsewhere" in outcome.err
    outcome = patch("--namespace", "elsewhere")
    assert (outcome.code, outcome.err) == (0, "")


def test_a_secret_for_all_namespaces_is_reported_as_impossible(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    (vendor / "application.yaml").write_text(
        NAMESPACED.replace("[prod, staging]", "['*', prod, 'repl{{ Namespace }}']")
    )

    outcome = patch()

    assert outcome.code == 3
    assert 'in all namespaces ("*")' in outcome.err
    assert "Templates are not rendered" in outcome.err
    assert [item["metadata"].get("namespace") for item in patch.secrets()] == [
        None,
        "prod",
    ]


def test_the_portals_refusal_is_reported_in_its_own_words(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    (vendor / "pod.yaml").write_text(pod("web", f"{registry.host}/closed/api:v1"))
    sentence = "This license was revoked on 2026-02-03 04:05 UTC."
    problem = {"code": "license_revoked", "detail": sentence, "status": 403}
    refused = Answer(
        403,
        {"Content-Type": "application/problem+json"},
        json.dumps(problem).encode(),
    )
    with server(lambda _request: refused) as portal:
        outcome = patch(
            *("--portal", f"http://{portal.host}", "--plain-http", portal.host),
            *("--format", "json"),
        )

    assert outcome.code == 1
    assert outcome.document == {
        "error": {"code": "license_revoked", "message": sentence}
    }
    assert not patch.out.exists()


def test_offline_assumes_connected_registries_and_says_so(
    installer: Installer, license: Path, vendor: Path, tmp_path: Path
) -> None:
    (vendor / "pod.yaml").write_text(pod("web", "registry.example.com/my-app/a:v1"))

    outcome = installer(
        *("patch", vendor, "--license", license, "--out", tmp_path / "out"),
        *("--private-registry", "registry.example.com"),
    )

    assert outcome.code == 0
    assert "No portal was asked" in outcome.err
    assert outcome.out.startswith("private registry: registry.example.com/my-app/a:v1")


def test_an_expired_license_is_reported_even_offline(
    installer: Installer, vendor: Path, tmp_path: Path
) -> None:
    content = document()
    content["spec"]["entitlements"]["expires_at"]["value"] = "2020-02-03T04:05:06Z"
    license = write_license(tmp_path, content)

    patched = installer(
        "patch", vendor, "--license", license, "--out", tmp_path / "out"
    )
    secret = installer("secret", "--license", license)

    for outcome in (patched, secret):
        assert "expired on 2020-02-03 04:05:06 UTC" in outcome.err


def test_a_vendor_secret_with_our_name_is_reported(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    (vendor / "secret.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: my-app-registry}\n"
    )

    outcome = patch()

    assert outcome.code == 3
    assert "secret.yaml has its own Secret my-app-registry" in outcome.err


def test_the_default_namespace_needs_the_applications_own(
    patch: Patch, vendor: Path, registry: Server
) -> None:
    application = NAMESPACED.replace("[prod, staging]", "[default]")
    (vendor / "application.yaml").write_text(application)

    outcome = patch()

    assert outcome.code == 3
    assert "Give it with --namespace" in outcome.err
    assert len(patch.secrets()) == 1
    assert patch("--namespace", "own").code == 0
    assert [item["metadata"]["namespace"] for item in patch.secrets()] == [
        "own",
        "default",
    ]
