"""Push: manifests and indexes, whole ones and broken ones."""

from __future__ import annotations

from functools import partial

from oci.media_types import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.support.clients.edge import Answer
from tests.support.conformance.check import Category, Checks
from tests.support.conformance.client import RegistryClient, Repository, sha256
from tests.support.conformance.images import (
    Manifest,
    image_manifest,
    index_of,
    push_blobs_of_image,
    push_image,
    push_index,
)

check = Checks(Category.PUSH)
# What Distribution 2.8 reads of a manifest.
SIZE_LIMIT = 4 * 2**20


def _put(repository: Repository, reference: str, manifest: Manifest) -> Answer:
    return repository.put_manifest(reference, manifest.body, manifest.media_type)


def _put_text(text: bytes, media_type: str, client: RegistryClient) -> Answer:
    repository = client.repository()
    answer = repository.put_manifest("v1", text, media_type)
    assert repository.get_manifest("v1", media_type).status == 404
    return answer


@check(201)
def manifest_put_by_tag(client: RegistryClient) -> Answer:
    repository = client.repository()
    manifest = push_blobs_of_image(repository)
    answer = _put(repository, "v1", manifest)
    path = f"{repository.name}/manifests/{manifest.digest}"
    assert answer.headers["Location"].endswith(path)
    assert answer.headers["Docker-Content-Digest"] == manifest.digest
    return answer


@check(201)
def manifest_put_by_digest(client: RegistryClient) -> Answer:
    repository = client.repository()
    manifest = push_blobs_of_image(repository)
    answer = _put(repository, manifest.digest, manifest)
    got = repository.get_manifest(manifest.digest, OCI_MANIFEST)
    assert got.body == manifest.body
    return answer


@check(201)
def manifest_put_twice(client: RegistryClient) -> Answer:
    repository = client.repository()
    return _put(repository, "v1", push_image(repository, "v1"))


@check(201)
def tag_moved_to_another_manifest(client: RegistryClient) -> Answer:
    repository = client.repository()
    push_image(repository, "v1")
    manifest = push_blobs_of_image(repository, label="second")
    answer = _put(repository, "v1", manifest)
    assert repository.get_manifest("v1", OCI_MANIFEST).body == manifest.body
    return answer


@check(201)
def docker_manifest_put(client: RegistryClient) -> Answer:
    repository = client.repository()
    return _put(repository, "v1", push_blobs_of_image(repository, DOCKER_MANIFEST))


@check(201)
def manifest_of_no_layers(client: RegistryClient) -> Answer:
    repository = client.repository()
    config = client.content("config")
    repository.push_blob(config)
    return _put(repository, "v1", image_manifest(config))


@check(201)
def manifest_with_a_subject(client: RegistryClient) -> Answer:
    # No OCI-Subject: Distribution 2.8 has no referrers, so clients fall back to tags.
    repository = client.repository()
    subject = push_image(repository, "v1")
    config = client.content("signature")
    repository.push_blob(config)
    fields = {
        "mediaType": subject.media_type,
        "digest": subject.digest,
        "size": len(subject.body),
    }
    answer = _put(repository, "signature", image_manifest(config, subject=fields))
    assert "OCI-Subject" not in answer.headers
    return answer


def _put_index(media_type: str, client: RegistryClient) -> Answer:
    repository = client.repository()
    index, _ = push_index(repository, "v1", media_type)
    return _put(repository, index.digest, index)


check.add("index_put", partial(_put_index, OCI_INDEX), 201)
check.add("docker_list_put", partial(_put_index, DOCKER_LIST), 201)


@check(400, "MANIFEST_BLOB_UNKNOWN")
def index_of_a_missing_image(client: RegistryClient) -> Answer:
    repository = client.repository()
    return _put(repository, "v1", index_of(push_blobs_of_image(repository)))


@check(400, "MANIFEST_BLOB_UNKNOWN")
def manifest_of_a_missing_layer(client: RegistryClient) -> Answer:
    repository = client.repository()
    config = client.content("config")
    repository.push_blob(config)
    manifest = image_manifest(config, client.content("never pushed"))
    answer = _put(repository, "v1", manifest)
    assert repository.get_manifest("v1", OCI_MANIFEST).status == 404
    return answer


@check(400, "MANIFEST_BLOB_UNKNOWN")
def manifest_of_a_missing_config(client: RegistryClient) -> Answer:
    repository = client.repository()
    layer = client.content("layer")
    repository.push_blob(layer)
    manifest = image_manifest(client.content("never pushed"), layer)
    return _put(repository, "v1", manifest)


@check(400, "MANIFEST_BLOB_UNKNOWN")
def manifest_of_another_repositorys_blobs(client: RegistryClient) -> Answer:
    manifest = push_blobs_of_image(client.repository("other"))
    return _put(client.repository(), "v1", manifest)


@check(400, "DIGEST_INVALID")
def manifest_under_another_digest(client: RegistryClient) -> Answer:
    repository = client.repository()
    digest = sha256(client.content("another manifest"))
    answer = _put(repository, digest, push_blobs_of_image(repository))
    assert repository.get_manifest(digest, OCI_MANIFEST).status == 404
    return answer


_MANIFEST = image_manifest(b"config").body
# CVE-2021-41190: two readers must not see two different things.
_ALSO_AN_INDEX = image_manifest(b"config", manifests=[]).body
_TOO_LARGE = image_manifest(b"config", annotations={"filling": "x" * SIZE_LIMIT}).body
for name, text, media_type in (
    ("manifest_that_is_no_json", b"this is no manifest", OCI_MANIFEST),
    ("empty_manifest", b"", OCI_MANIFEST),
    ("manifest_of_an_unknown_type", _MANIFEST, "application/vnd.example.manifest+json"),
    ("manifest_sent_under_another_type", _MANIFEST, DOCKER_MANIFEST),
    ("manifest_that_is_also_an_index", _ALSO_AN_INDEX, OCI_MANIFEST),
    ("manifest_too_large", _TOO_LARGE, OCI_MANIFEST),
):
    check.add(name, partial(_put_text, text, media_type), 400, "MANIFEST_INVALID")
