"""The bundle has every image, each blob once, and only verified content."""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import Any

import pytest

from oci.media_types import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST
from tests.support.installer.airgapping import LOGIN, Airgap, checked
from tests.support.installer.command import Outcome, tree
from tests.support.installer.licenses import LICENSE_ID
from tests.support.installer.servers import server
from tests.support.servers.canned_server import Answer

TOKEN = Answer(200, {}, b'{"token": "from-elsewhere"}')
SHARED = b"shared layer " * 1000
LARGE = bytes(range(256)) * 8192


def test_a_bundle_of_a_private_and_a_public_image(airgap: Airgap) -> None:
    public = f"{airgap.public_server.host}/org/app:v1"
    private = airgap.proxied("my-org/api") + ":v1"
    first = airgap.public.image("org/app", "v1", SHARED, b"app")
    second = airgap.private.image("proxy/my-app/quay.io/my-org/api", "v1", SHARED)
    airgap.manifest(public, private)

    outcome = airgap("--registry", "registry.corp/apps")

    assert outcome.code == 0
    assert outcome.document["complete"] is True
    assert airgap.index() == {public: first["digest"], private: second["digest"]}
    checked(airgap.bundle)
    blobs = [path for path in tree(airgap.bundle) if path.startswith("blobs/")]
    # Two manifests, one configuration, and two layers: the shared one is there once.
    assert len(blobs) == 5
    for path in blobs:
        content = (airgap.bundle / path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == path.rpartition("/")[2]
    assert outcome.document["push"] == [
        f"skopeo copy --all oci:{airgap.bundle}:{image} docker://registry.corp/apps/{to}"
        for image, to in sorted([(public, "app:v1"), (private, "api:v1")])
    ]


def test_only_the_proxy_sees_the_license(airgap: Airgap) -> None:
    airgap.public.image("org/app", "v1", SHARED)
    airgap.private.image("proxy/my-app/quay.io/my-org/api", "v1", b"api")
    airgap.manifest(
        f"{airgap.public_server.host}/org/app:v1", airgap.proxied("my-org/api") + ":v1"
    )

    outcome = airgap()

    assert outcome.code == 0
    assert LICENSE_ID not in outcome.out + outcome.err
    shown = [
        item.headers.get("Authorization") for item in airgap.public_server.requests
    ]
    assert set(shown) == {None}
    assert not any(LICENSE_ID.encode() in item for item in tree(airgap.bundle).values())


@pytest.mark.parametrize("challenge", ['Basic realm="r"', 'Bearer realm="{}/token"'])
def test_a_registry_that_asks_for_a_login_later_does_not_get_the_license(
    airgap: Airgap, challenge: str
) -> None:
    host = airgap.public_server.host
    airgap.public.image("org/app", "v1", SHARED)
    airgap.public.needs, airgap.public.open_to_heads = LOGIN, True
    airgap.public.challenge = challenge.format(f"http://{host}")
    airgap.manifest(f"{host}/org/app:v1")

    outcome = airgap()

    assert outcome.code == 3
    assert (
        "denies access to org/app:v1"
        in outcome.document["failed"][f"{host}/org/app:v1"]
    )
    shown = [
        item.headers.get("Authorization") for item in airgap.public_server.requests
    ]
    assert set(shown) == {None}
    assert "GET" in {item.method for item in airgap.public_server.requests}


def test_a_token_server_elsewhere_does_not_get_the_license(
    airgap: Airgap,
) -> None:
    with server(lambda _request: TOKEN) as elsewhere:
        realm = f'Bearer realm="http://{elsewhere.host}/token",service="s"'
        airgap.private.challenge = realm
        airgap.manifest(airgap.proxied("my-org/api") + ":v1")

        outcome = airgap("--plain-http", elsewhere.host)

    assert outcome.code == 3
    (asked,) = elsewhere.requests
    assert asked.path.startswith("/token?service=s&scope=repository")
    assert "Authorization" not in asked.headers


def test_the_proxys_own_token_server_gets_the_license(airgap: Airgap) -> None:
    host = airgap.proxy_server.host
    airgap.private.challenge = f'Bearer realm="http://{host}/token",service="s"'
    airgap.private.image("proxy/my-app/quay.io/my-org/api", "v1", SHARED)
    airgap.manifest(airgap.proxied("my-org/api") + ":v1")

    assert airgap().code == 0

    asked = [item for item in airgap.proxy_server.requests if "/token" in item.path]
    assert {item.headers["Authorization"] for item in asked} == {LOGIN}


def test_one_blob_under_two_media_types_is_fetched_once(airgap: Airgap) -> None:
    store, host = airgap.public, airgap.public_server.host
    store.image("org/new", "v1", LARGE)
    store.docker_image("org/old", "v1", LARGE)
    airgap.manifest(f"{host}/org/new:v1", f"{host}/org/old:v1")

    assert airgap().code == 0

    digest = store.blob(LARGE)["digest"]
    asked = [item.path for item in airgap.public_server.requests if digest in item.path]
    assert len(asked) == 1
    checked(airgap.bundle)


def test_all_platforms_or_one(airgap: Airgap) -> None:
    store = airgap.public
    amd = store.image("org/app", "amd", b"amd64")
    arm = store.image("org/app", "arm", b"arm64")
    index = store.index("org/app", "v1", linux_amd64=amd, linux_arm64=arm)
    image = f"{airgap.public_server.host}/org/app:v1"
    airgap.manifest(image)

    assert airgap().code == 0
    assert airgap.index() == {image: index["digest"]}
    assert len([item for item in tree(airgap.bundle) if "blobs/" in item]) == 6

    airgap.bundle = airgap.directory / "arm"
    assert airgap("--platform", "linux/arm64").code == 0
    assert airgap.index() == {image: arm["digest"]}
    assert len([item for item in tree(airgap.bundle) if "blobs/" in item]) == 3

    airgap.bundle = airgap.directory / "none"
    outcome = airgap("--platform", "windows/amd64")
    assert outcome.code == 3
    assert "no image for windows/amd64" in outcome.document["failed"][image]


def test_a_blob_that_is_cut_short_is_resumed(airgap: Airgap) -> None:
    airgap.public.image("org/app", "v1", LARGE)
    digest = airgap.public.blob(LARGE)["digest"]
    airgap.public.breaks[digest] = 2
    airgap.manifest(f"{airgap.public_server.host}/org/app:v1")

    outcome = airgap()

    assert outcome.code == 0
    tenth = len(LARGE) // 10
    assert airgap.public.ranges == [f"bytes={tenth}-", f"bytes={2 * tenth}-"]
    checked(airgap.bundle)


@pytest.mark.parametrize("supports_ranges", [True, False])
def test_a_second_run_resumes(airgap: Airgap, supports_ranges: bool) -> None:
    airgap.public.image("org/app", "v1", LARGE, SHARED)
    digest = airgap.public.blob(LARGE)["digest"]
    airgap.public.breaks[digest] = 4
    airgap.public.supports_ranges = supports_ranges
    image = f"{airgap.public_server.host}/org/app:v1"
    airgap.manifest(image)

    outcome = airgap()
    assert outcome.code == 3
    assert "Run this again" in outcome.document["failed"][image]
    assert (outcome.document["push"], airgap.index()) == ([], {})
    before = len(airgap.public_server.requests)
    assert airgap().code == 0

    again = airgap.public_server.requests[before:]
    blobs = [item.path for item in again if "/blobs/" in item.path]
    assert blobs == [f"/v2/org/app/blobs/{digest}"]
    checked(airgap.bundle)
    assert not (airgap.bundle / "partial").exists()


def test_a_blob_with_the_wrong_digest_is_discarded(airgap: Airgap) -> None:
    airgap.public.image("org/app", "v1", LARGE)
    good = airgap.public.image("org/good", "v1", SHARED)
    digest = airgap.public.blob(LARGE)["digest"]
    airgap.public.corrupt.add(digest)
    host = airgap.public_server.host
    airgap.manifest(f"{host}/org/app:v1", f"{host}/org/good:v1")

    outcome = airgap()

    assert outcome.code == 3
    assert (
        f"The content received is not {digest}"
        in outcome.document["failed"][f"{host}/org/app:v1"]
    )
    assert airgap.index() == {f"{host}/org/good:v1": good["digest"]}
    assert not (airgap.bundle / "blobs/sha256" / digest.partition(":")[2]).exists()
    airgap.public.corrupt.clear()
    assert airgap().code == 0
    checked(airgap.bundle)


def test_a_manifest_with_the_wrong_digest_is_refused(airgap: Airgap) -> None:
    store, host = airgap.public, airgap.public_server.host
    for image in (
        store.image("org/a", "v1", SHARED),
        store.docker_image("org/b", "v1", b""),
    ):
        store.corrupt.add(image["digest"])
    airgap.manifest(f"{host}/org/a:v1", f"{host}/org/b:v1")

    outcome = airgap()

    assert outcome.code == 3
    assert airgap.index() == {}
    assert all("discarded" in item for item in outcome.document["failed"].values())


def test_a_refusal_is_reported_with_the_proxys_sentence(airgap: Airgap) -> None:
    airgap.private.needs = "nobody"
    airgap.private.refusal = "This license was revoked on 2026-02-03."
    image = airgap.proxied("my-org/api") + ":v1"
    airgap.manifest(image)

    outcome = airgap()

    assert outcome.code == 3
    assert "This license was revoked" in outcome.document["failed"][image]


def test_a_busy_registry_is_retried(airgap: Airgap) -> None:
    airgap.public.image("org/app", "v1", SHARED)
    airgap.public.busy = 3
    airgap.manifest(f"{airgap.public_server.host}/org/app:v1")

    assert airgap().code == 0

    airgap.bundle = airgap.directory / "other"
    airgap.public.busy = 1000
    outcome = airgap("--offline")
    assert outcome.code == 3
    assert airgap.index() == {}


def test_docker_manifests_become_oci_manifests_with_the_same_blobs(
    airgap: Airgap,
) -> None:
    store = airgap.public
    amd = store.docker_image("org/app", "amd", b"amd64")
    arm = store.docker_image("org/app", "arm", b"arm64")
    stored = store.index(
        "org/app", "v1", media_type=DOCKER_LIST, linux_amd64=amd, linux_arm64=arm
    )
    airgap.manifest(f"{airgap.public_server.host}/org/app:v1")

    for _ in range(2):
        assert airgap().code == 0

    (entry,) = json.loads((airgap.bundle / "index.json").read_text())["manifests"]
    assert entry["mediaType"] == OCI_INDEX
    assert entry["digest"] != stored["digest"]
    index = blob(airgap, entry["digest"])
    assert index["mediaType"] == OCI_INDEX
    platforms = [item["platform"]["architecture"] for item in index["manifests"]]
    assert platforms == ["amd64", "arm64"]
    image = blob(airgap, index["manifests"][0]["digest"])
    assert (image["mediaType"], image["config"]["mediaType"]) == (
        OCI_MANIFEST,
        "application/vnd.oci.image.config.v1+json",
    )
    (layer,) = image["layers"]
    assert layer == store.blob(b"amd64") | {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"
    }
    checked(airgap.bundle)
    text = b"".join(tree(airgap.bundle).values())
    assert b"vnd.docker" not in text


def blob(airgap: Airgap, digest: str) -> Any:
    path = airgap.bundle / "blobs" / "sha256" / digest.partition(":")[2]
    return json.loads(path.read_bytes())


def test_one_tar(airgap: Airgap) -> None:
    airgap.public.image("org/app", "v1", LARGE)
    image = f"{airgap.public_server.host}/org/app:v1"
    airgap.manifest(image)
    contents, outcome = [], Outcome(-1, "", "")
    for name in ("one", "two"):
        airgap.bundle = airgap.directory / f"{name}.tar"
        outcome = airgap("--registry", "registry.corp/apps")
        assert outcome.code == 0
        assert not airgap.bundle.with_name(f"{name}.tar.partial").exists()
        contents.append(airgap.bundle.read_bytes())
    assert contents[0] == contents[1]
    assert outcome.document["push"] == [
        "mkdir -p two && tar -xf two.tar -C two",
        f"skopeo copy --all oci:two:{image} docker://registry.corp/apps/app:v1",
    ]

    unpacked = airgap.directory / "unpacked"
    with tarfile.open(airgap.bundle) as archive:
        archive.extractall(unpacked, filter="data")
    checked(unpacked)
    assert airgap().code == 2
    assert airgap("--force").code == 0


def test_an_incomplete_bundle_is_not_packed(airgap: Airgap) -> None:
    airgap.manifest(f"{airgap.public_server.host}/org/gone:v1")
    airgap.bundle = airgap.directory / "bundle.tar"

    outcome = airgap()

    assert outcome.code == 3
    assert not airgap.bundle.exists()


def test_an_image_can_be_left_out(airgap: Airgap) -> None:
    airgap.public.image("my-org/web", "v1", b"layer")
    there = f"{airgap.public_server.host}/my-org/web:v1"
    gone = f"{airgap.public_server.host}/my-org/gone:v1"
    airgap.manifest(there, gone)
    airgap.bundle = airgap.directory / "bundle.tar"
    assert airgap().code == 3

    outcome = airgap("--leave-out", gone)

    assert outcome.code == 0
    assert airgap.bundle.exists()
    assert list(outcome.document["images"]) == [there]
    unknown = airgap("--force", "--leave-out", "redis:7")
    assert (unknown.code, unknown.document["error"]["code"]) == (2, "leave_out")


def test_digests_are_refused_with_the_tag_to_use(airgap: Airgap) -> None:
    digest = "sha256:" + "0" * 64
    airgap.manifest(f"quay.io/my-org/api:v1@{digest}", f"quay.io/my-org/db@{digest}")

    outcome = airgap()

    assert outcome.code == 1
    error: Any = outcome.document["error"]
    assert error["code"] == "digest"
    assert "use quay.io/my-org/api:v1 instead" in error["message"]
    assert f"quay.io/my-org/db@{digest}: it has no tag" in error["message"]
    assert airgap.public_server.requests == []
