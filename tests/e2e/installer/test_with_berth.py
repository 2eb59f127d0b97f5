"""The installer with a complete Berth: from manifests to pulled images."""

from __future__ import annotations

import base64
import gzip
import json
import shlex
import shutil
import subprocess
import time
from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.utils import timezone

from deploy.local import images
from deploy.local.process import free_port
from deploy.local.registry import start_registry
from licenses.selectors import pull_credential_by_secret
from licenses.services import revoke_license
from oci.media_types import DOCKER_MANIFEST
from portal.crypto.secrets import Secret
from teams.models import Team
from tests.e2e.installer.conftest import Site, push, skopeo
from tests.support.installer.licenses import license_yaml
from tests.support.rows.factories import pull_credential

DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
REASON = "The trial is over."


def test_from_manifests_to_images_that_the_secret_pulls(site: Site) -> None:
    pushed = push(site.private, "my-org/api", "v1.0.1")
    push(site.public, "my-org/web", "v2")
    private = f"{site.private.endpoint}/my-org/api:v1.0.1"
    public = f"{site.public.endpoint}/my-org/web:v2"
    site.write_pod(private, public)

    looked = site.run("images", site.manifests, "--format", "json", *site.plain)
    statuses = {
        item["image"]: item["status"] for item in json.loads(looked.stdout)["images"]
    }
    assert statuses == {private: "private", public: "public"}

    patched = site.online(
        "patch", site.manifests, "--out", site.directory / "out", "-o", "json"
    )
    assert patched.returncode == 0, patched.stdout + patched.stderr
    results = {
        item["image"]: item["new_image"]
        for item in json.loads(patched.stdout)["images"]
    }
    slug = site.vendor.application.slug
    new_image = f"{site.proxy}/proxy/{slug}/sample/my-org/api:v1.0.1"
    assert results == {private: new_image, public: None}

    secret = yaml.safe_load((site.midstream / "secret.yaml").read_text())
    logins = site.directory / "config.json"
    logins.write_bytes(base64.b64decode(secret["data"][".dockerconfigjson"]))
    pulled = skopeo(
        *("inspect", "--tls-verify=false", "--authfile", logins),
        *("--format", "{{.Digest}}", f"docker://{new_image}"),
    )
    assert (pulled.stderr, pulled.stdout.strip()) == ("", pushed.digest)


@pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not a Debian package"
)
def test_kustomize_builds_what_was_patched(site: Site) -> None:
    push(site.private, "my-org/built", "v1")
    site.write_pod(f"{site.private.endpoint}/my-org/built:v1")
    patched = site.online("patch", site.manifests, "--out", site.directory / "out")
    assert patched.returncode == 0, patched.stderr

    built = subprocess.run(
        ["kubectl", "kustomize", str(site.midstream)],
        check=True,
        capture_output=True,
        text=True,
    )

    slug = site.vendor.application.slug
    pod = next(
        item for item in yaml.safe_load_all(built.stdout) if item["kind"] == "Pod"
    )
    assert pod["spec"]["imagePullSecrets"] == [{"name": f"{slug}-registry"}]
    assert pod["spec"]["containers"][0]["image"] == (
        f"{site.proxy}/proxy/{slug}/sample/my-org/built:v1"
    )


def test_a_license_is_verified_synced_and_revoked(site: Site) -> None:
    license = ("--license", site.license_file, "--root-key", site.root_key)
    slug = site.vendor.application.slug
    verified = site.run("verify", *license, "--application", slug)
    assert verified.returncode == 0, verified.stderr
    assert "is genuine" in verified.stdout

    current = site.online("sync", "--root-key", site.root_key)
    assert current.returncode == 0, current.stderr
    assert "is up to date" in current.stdout

    before = site.license_file.read_bytes()
    revoke_license(actor=site.vendor.actor, license=site.license, reason=REASON)
    refused = site.online("sync", "--root-key", site.root_key)
    assert refused.returncode == 1
    assert "revoked" in refused.stderr
    assert site.license_file.read_bytes() == before
    assert site.online("secret").returncode == 1


def test_sync_renews_a_pull_credential_that_then_opens_the_registry(
    site: Site,
) -> None:
    push(site.private, "my-org/renewed", "v1")
    Team.objects.update(customers_make_credentials=True)
    now = timezone.now()
    old, text = pull_credential(
        site.license,
        created_at=now - timedelta(days=80),
        expires_at=now + timedelta(days=10),
    )
    file = site.directory / "credential"
    file.write_text(text)
    option = ("--credential-file", file)

    synced = site.online("sync", "--root-key", site.root_key, *option)

    assert synced.returncode == 0, synced.stderr
    new = file.read_text().strip()
    assert new != text
    assert not {text, new} & set((synced.stdout + synced.stderr).split())
    old.refresh_from_db()
    assert old.replaced_by == pull_credential_by_secret(Secret(new))
    for secret in (text, new):
        file.write_text(secret)
        written = site.online("secret", *option)
        assert written.returncode == 0, written.stderr
        slug = site.vendor.application.slug
        image = f"{site.proxy}/proxy/{slug}/sample/my-org/renewed:v1"
        pulled = skopeo(
            *("inspect", "--tls-verify=false", "--creds", f"license:{secret}"),
            f"docker://{image}",
        )
        assert pulled.returncode == 0, pulled.stderr


def test_a_changed_license_is_refused(site: Site) -> None:
    document = yaml.safe_load(site.license_file.read_text())
    document["spec"]["appSlug"] = "other-app"
    site.license_file.write_text(license_yaml(document))

    refused = site.run(
        *("verify", "--license", site.license_file, "--root-key", site.root_key),
        *("--format", "json"),
    )

    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["code"] == "changed_field"


def test_a_bundle_is_carried_over_and_pushed(site: Site) -> None:
    children = [
        images.push_image(
            site.private.url,
            "my-org/multi",
            None,
            auth=site.private.login,
            layers=[images.tar_layer({"hello.txt": platform.encode()})],
            platform=platform,
        )
        for platform in ("linux/amd64", "linux/arm64")
    ]
    index = images.push_index(
        site.private.url, "my-org/multi", "v1", auth=site.private.login, images=children
    )
    plain = push(site.public, "my-org/web", "v2")
    site.write_pod(
        f"{site.private.endpoint}/my-org/multi:v1",
        f"{site.public.endpoint}/my-org/web:v2",
    )
    port = free_port()

    with start_registry(site.directory / "own", port):
        collected = site.online(
            *("airgap", site.manifests, "--bundle", site.directory / "bundle.tar"),
            *("--registry", f"localhost:{port}/apps", "--format", "json"),
        )
        assert collected.returncode == 0, collected.stdout + collected.stderr
        for line in json.loads(collected.stdout)["push"]:
            push_line = line.replace(" docker://", " --dest-tls-verify=false docker://")
            subprocess.run(push_line, shell=True, check=True, cwd=site.directory)  # noqa: S602 -- the lines are for a shell
        digests = {
            name: skopeo(
                *("inspect", "--tls-verify=false", "--format", "{{.Digest}}"),
                f"docker://localhost:{port}/apps/{name}",
            ).stdout.strip()
            for name in ("multi:v1", "web:v2")
        }

    assert digests == {"multi:v1": index.digest, "web:v2": plain.digest}


def test_airgap_with_a_revoked_license_says_why_it_fetches_nothing(site: Site) -> None:
    push(site.private, "my-org/revoked", "v1")
    slug = site.vendor.application.slug
    site.write_pod(f"{site.proxy}/proxy/{slug}/sample/my-org/revoked:v1")
    bundle = site.directory / "bundle"

    def airgap() -> Any:
        return site.online("airgap", site.manifests, "--bundle", bundle, "--offline")

    assert airgap().returncode == 0
    shutil.rmtree(bundle)
    revoke_license(actor=site.vendor.actor, license=site.license, reason=REASON)
    # The edge caches decisions for 0.8 seconds.
    deadline = time.monotonic() + 5
    while "This license was revoked on" not in (refused := airgap()).stdout:
        assert time.monotonic() < deadline, refused.stdout

    assert refused.returncode == 3
    assert list(bundle.glob("blobs/*/*")) == []


def test_docker_manifests_can_be_pushed_too(site: Site) -> None:
    layer = images.tar_layer({"hello.txt": b"docker"})
    with images._Repository(site.public.url, "my-org/old", None) as repository:
        config = images._json(images._image_config([layer], "linux/amd64"))
        manifest: Any = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": repository.push_blob(config, DOCKER_CONFIG).as_json(),
            "layers": [
                repository.push_blob(gzip.compress(layer), DOCKER_LAYER).as_json()
            ],
        }
        repository.push_manifest(images._json(manifest), DOCKER_MANIFEST, "v1")
    site.write_pod(f"{site.public.endpoint}/my-org/old:v1")
    collected = site.online(
        *("airgap", site.manifests, "--bundle", site.directory / "bundle"),
        *("--registry", f"{site.public.endpoint}/copied", "--format", "json"),
    )
    assert collected.returncode == 0, collected.stdout + collected.stderr

    (line,) = json.loads(collected.stdout)["push"]
    pushed = line.replace(" docker://", " --dest-tls-verify=false docker://")
    subprocess.run(shlex.split(pushed), check=True)

    copied = f"docker://{site.public.endpoint}/copied/old:v1"
    target = site.directory / "copy"
    pulled = skopeo("copy", "--src-tls-verify=false", copied, f"dir:{target}")
    assert pulled.returncode == 0, pulled.stderr
    copy = json.loads((target / "manifest.json").read_text())
    assert [item["digest"] for item in copy["layers"]] == [
        manifest["layers"][0]["digest"]
    ]


def test_push_lines_are_safe_for_a_shell(site: Site) -> None:
    push(site.public, "my-org/web", "v2")
    site.write_pod(f"{site.public.endpoint}/my-org/web:v2")
    bundle = site.directory / "a b; echo $HOME"

    collected = site.online(
        *("airgap", site.manifests, "--bundle", bundle, "--format", "json")
    )

    (line,) = json.loads(collected.stdout)["push"]
    assert shlex.split(line)[3] == f"oci:{bundle}:{site.public.endpoint}/my-org/web:v2"
