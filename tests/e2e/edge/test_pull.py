from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from deploy.local import images
from tests.e2e.conftest import Upstream
from tests.support.clients.edge import EdgeClient
from tests.support.rows.vendor import Vendor

GIB = 2**30


def proxied(vendor: Vendor, repository: str, slug: str = "sample") -> str:
    return f"proxy/{vendor.application.slug}/{slug}/{repository}"


def push_sample(upstream: Upstream, repository: str, tag: str) -> images.Descriptor:
    layer = images.tar_layer({"hello.txt": repository.encode()})
    return images.push_image(
        upstream.url, repository, tag, auth=upstream.login, layers=[layer]
    )


def manifest_digest(directory: Path) -> str:
    content = (directory / "manifest.json").read_bytes()
    return "sha256:" + hashlib.sha256(content).hexdigest()


def test_pull_by_tag(
    edge: EdgeClient, connected: Vendor, basic_upstream: Upstream, tmp_path: Path
) -> None:
    pushed = push_sample(basic_upstream, "my-org/api", "v1.0.1")
    license_id = connected.license().license_id.reveal()

    copy = edge.skopeo_copy(
        proxied(connected, "my-org/api"), "v1.0.1", license_id, tmp_path / "image"
    )

    assert copy.returncode == 0, copy.stderr
    assert manifest_digest(tmp_path / "image") == pushed.digest


def test_pull_by_digest(
    edge: EdgeClient, connected: Vendor, basic_upstream: Upstream, tmp_path: Path
) -> None:
    pushed = push_sample(basic_upstream, "my-org/by-digest", "v1")
    license_id = connected.license().license_id.reveal()

    copy = edge.skopeo_copy(
        proxied(connected, "my-org/by-digest"),
        pushed.digest,
        license_id,
        tmp_path / "image",
    )

    assert copy.returncode == 0, copy.stderr
    assert manifest_digest(tmp_path / "image") == pushed.digest


def test_pull_of_a_multi_platform_index(
    edge: EdgeClient, connected: Vendor, basic_upstream: Upstream, tmp_path: Path
) -> None:
    layer = images.tar_layer({"hello.txt": b"hi"})
    children = [
        images.push_image(
            basic_upstream.url,
            "my-org/multi",
            None,
            auth=basic_upstream.login,
            layers=[layer],
            platform=platform,
        )
        for platform in ("linux/amd64", "linux/arm64")
    ]
    index = images.push_index(
        basic_upstream.url,
        "my-org/multi",
        "v1",
        auth=basic_upstream.login,
        images=children,
    )
    license_id = connected.license().license_id.reveal()

    copy = edge.skopeo_copy(
        proxied(connected, "my-org/multi"),
        "v1",
        license_id,
        tmp_path / "image",
        "--all",
    )

    assert copy.returncode == 0, copy.stderr
    assert manifest_digest(tmp_path / "image") == index.digest


def test_pull_of_an_artifact_with_a_media_type_of_its_own(
    edge: EdgeClient, connected: Vendor, basic_upstream: Upstream
) -> None:
    content = json.dumps({"sbom": True}).encode()
    blob = images.push_blob(
        basic_upstream.url,
        "my-org/sbom",
        content,
        auth=basic_upstream.login,
        media_type="application/vnd.example.sbom.v1+json",
    )
    pushed = images.push_artifact(
        basic_upstream.url,
        "my-org/sbom",
        "v1",
        auth=basic_upstream.login,
        artifact_type="application/vnd.example.sbom",
        blobs=[blob],
    )
    name = proxied(connected, "my-org/sbom")
    token = edge.token(connected.license().license_id.reveal(), name)

    manifest = edge.get(name, "manifests/v1", token)
    layer = edge.get(name, f"blobs/{blob.digest}", token)

    assert manifest.status == 200
    assert manifest.headers["Docker-Content-Digest"] == pushed.digest
    assert manifest.json["artifactType"] == "application/vnd.example.sbom"
    assert layer.body == content


def test_pull_through_a_registry_whose_token_server_is_berth(
    edge: EdgeClient, vendor: Vendor, bearer_upstream: Upstream, tmp_path: Path
) -> None:
    source = vendor.another_application(f"{vendor.team.slug}-source")
    _, text = vendor.api_token()
    login = (vendor.owner.email, text.reveal())
    repository = f"{source.slug}/api"
    pushed = skopeo_push(bearer_upstream, repository, login, tmp_path)
    vendor.connect(bearer_upstream.endpoint, "own", login, trusted_realm=edge.host)
    name = proxied(vendor, repository, "own")

    copy = edge.skopeo_copy(
        name, "v1", vendor.license().license_id.reveal(), tmp_path / "copy"
    )

    assert copy.returncode == 0, copy.stderr
    assert manifest_digest(tmp_path / "copy") == pushed


def skopeo_push(
    upstream: Upstream, repository: str, login: tuple[str, str], directory: Path
) -> str:
    """Push a small image through the real token dance; return its digest."""
    image = directory / "source"
    write_image(image)
    push = subprocess.run(
        [
            *("skopeo", "copy", "--dest-tls-verify=false"),
            *("--dest-creds", ":".join(login)),
            *("--digestfile", str(directory / "digest"), f"dir:{image}"),
            f"docker://{upstream.endpoint}/{repository}:v1",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert push.returncode == 0, push.stderr
    return (directory / "digest").read_text()


def write_image(directory: Path) -> None:
    """Write an image in skopeo's ``dir:`` form."""
    layer = images.tar_layer({"hello.txt": b"hi"})
    layer_digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        }
    ).encode()
    config_digest = hashlib.sha256(config).hexdigest()
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": f"sha256:{config_digest}",
            "size": len(config),
        },
        "layers": [
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": f"sha256:{layer_digest}",
                "size": len(layer),
            }
        ],
    }
    directory.mkdir()
    (directory / "version").write_text("Directory Transport Version: 1.1\n")
    (directory / config_digest).write_bytes(config)
    (directory / layer_digest).write_bytes(layer)
    (directory / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.timeout(300)
def test_pull_of_a_2_gib_blob_in_constant_memory(
    edge: EdgeClient, connected: Vendor, basic_upstream: Upstream
) -> None:
    blob = images.push_blob_stream(
        basic_upstream.url, "my-org/big", 2 * GIB, auth=basic_upstream.login
    )
    name = proxied(connected, "my-org/big")
    token = edge.token(connected.license().license_id.reveal(), name)
    digest, size, most = hashlib.sha256(), 0, 0

    response = edge.http.request(
        "GET",
        f"http://{edge.host}/v2/{name}/blobs/{blob.digest}",
        headers={"Authorization": f"Bearer {token}"},
        preload_content=False,
    )
    for number, chunk in enumerate(response.stream(2**20)):
        digest.update(chunk)
        size += len(chunk)
        if number % 64 == 0:
            most = max(most, edge.process.rss_bytes())
    response.release_conn()

    assert size == 2 * GIB
    assert f"sha256:{digest.hexdigest()}" == blob.digest
    assert most < 150 * 10**6, f"the edge took {most / 10**6:.0f} MB"


def test_pull_by_the_registrys_host_without_a_port(
    edge: EdgeClient, vendor: Vendor, tmp_path: Path
) -> None:
    """A host with no such registry is not sent anywhere."""
    name = f"proxy/{vendor.application.slug}/quay.io/my-org/api"

    copy = edge.skopeo_copy(
        name, "v1", vendor.license().license_id.reveal(), tmp_path / "image"
    )

    assert copy.returncode != 0
    assert "The registry 'quay.io' is not available to the application" in copy.stderr
    assert not (tmp_path / "image" / "manifest.json").exists()
