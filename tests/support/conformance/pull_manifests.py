"""Pull: manifests by tag and digest, and what Accept makes of them."""

from __future__ import annotations

from oci.media_types import (
    DEFAULT_MANIFEST_ACCEPT,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
)
from tests.support.clients.edge import Answer
from tests.support.conformance.check import Category, Checks
from tests.support.conformance.client import RegistryClient, Repository, sha256
from tests.support.conformance.images import Manifest, push_image, push_index

check = Checks(Category.PULL)
EQUAL = ("Content-Length", "Content-Type", "Docker-Content-Digest", "ETag")


def _served(answer: Answer, manifest: Manifest) -> Answer:
    """Check that a manifest came back to the byte, under its own type and digest."""
    assert answer.body == manifest.body
    assert answer.headers["Content-Type"] == manifest.media_type
    assert answer.headers["Docker-Content-Digest"] == manifest.digest
    return answer


def _head_like_get(repository: Repository, reference: str, accept: str) -> Answer:
    got = repository.get_manifest(reference, accept)
    head = repository.get_manifest(reference, accept, "HEAD")
    assert got.status == 200
    assert head.body == b""
    assert [head.headers[name] for name in EQUAL] == [
        got.headers[name] for name in EQUAL
    ]
    return head


@check(200, Content_Type=OCI_MANIFEST)
def manifest_by_tag(client: RegistryClient) -> Answer:
    repository = client.repository()
    pushed = push_image(repository, "v1")
    return _served(repository.get_manifest("v1", OCI_MANIFEST), pushed)


@check(200, Content_Type=OCI_MANIFEST)
def manifest_by_digest(client: RegistryClient) -> Answer:
    repository = client.repository()
    pushed = push_image(repository)
    return _served(repository.get_manifest(pushed.digest, OCI_MANIFEST), pushed)


@check(200, Content_Type=OCI_MANIFEST)
def head_of_a_tag_is_its_get_without_a_body(client: RegistryClient) -> Answer:
    repository = client.repository()
    push_image(repository, "v1")
    return _head_like_get(repository, "v1", OCI_MANIFEST)


@check(200, Content_Type=OCI_MANIFEST)
def head_of_a_digest_is_its_get_without_a_body(client: RegistryClient) -> Answer:
    repository = client.repository()
    pushed = push_image(repository)
    return _head_like_get(repository, pushed.digest, OCI_MANIFEST)


@check(404, "MANIFEST_UNKNOWN")
def unknown_tag(client: RegistryClient) -> Answer:
    repository = client.repository()
    push_image(repository, "v1")
    return repository.get_manifest("v2", DEFAULT_MANIFEST_ACCEPT)


@check(404)
def head_of_an_unknown_tag(client: RegistryClient) -> Answer:
    repository = client.repository()
    push_image(repository, "v1")
    return repository.get_manifest("v2", DEFAULT_MANIFEST_ACCEPT, "HEAD")


@check(404, "MANIFEST_UNKNOWN")
def unknown_manifest_digest(client: RegistryClient) -> Answer:
    repository = client.repository()
    push_image(repository, "v1")
    digest = sha256(client.content("never pushed"))
    return repository.get_manifest(digest, DEFAULT_MANIFEST_ACCEPT)


@check(404, "MANIFEST_UNKNOWN")
def manifest_of_an_unknown_repository(client: RegistryClient) -> Answer:
    return client.repository("none").get_manifest("v1", DEFAULT_MANIFEST_ACCEPT)


@check(404, "MANIFEST_UNKNOWN")
def manifest_of_another_repository(client: RegistryClient) -> Answer:
    pushed = push_image(client.repository(), "v1")
    other = client.repository("other")
    return other.get_manifest(pushed.digest, DEFAULT_MANIFEST_ACCEPT)


@check(304)
def manifest_that_the_client_has(client: RegistryClient) -> Answer:
    repository = client.repository()
    pushed = push_image(repository, "v1")
    headers = {"Accept": OCI_MANIFEST, "If-None-Match": f'"{pushed.digest}"'}
    return repository.send("GET", "manifests/v1", headers)


@check(404, "MANIFEST_UNKNOWN")
def oci_manifest_for_who_accepts_nothing(client: RegistryClient) -> Answer:
    repository = client.repository()
    push_image(repository, "v1")
    return repository.get_manifest("v1", "")


@check(404, "MANIFEST_UNKNOWN")
def oci_manifest_for_who_accepts_docker_only(client: RegistryClient) -> Answer:
    repository = client.repository()
    push_image(repository, "v1")
    return repository.get_manifest("v1", DOCKER_MANIFEST)


@check(404, "MANIFEST_UNKNOWN")
def oci_manifest_for_who_accepts_anything(client: RegistryClient) -> Answer:
    # Distribution 2.8 knows no wildcard.
    repository = client.repository()
    push_image(repository, "v1")
    return repository.get_manifest("v1", "*/*")


@check(200, Content_Type=OCI_MANIFEST)
def accepted_types_in_a_list_with_weights(client: RegistryClient) -> Answer:
    repository = client.repository()
    pushed = push_image(repository, "v1")
    accept = f"{DOCKER_MANIFEST};q=0.5, {OCI_MANIFEST};q=0.9, */*;q=0.1"
    return _served(repository.get_manifest("v1", accept), pushed)


@check(200, Content_Type=DOCKER_MANIFEST)
def docker_manifest_by_tag(client: RegistryClient) -> Answer:
    repository = client.repository()
    pushed = push_image(repository, "v1", media_type=DOCKER_MANIFEST)
    return _served(repository.get_manifest("v1", DEFAULT_MANIFEST_ACCEPT), pushed)


@check(200, Content_Type=DOCKER_MANIFEST)
def docker_manifest_by_digest_for_who_accepts_nothing(
    client: RegistryClient,
) -> Answer:
    repository = client.repository()
    pushed = push_image(repository, media_type=DOCKER_MANIFEST)
    return _served(repository.get_manifest(pushed.digest, ""), pushed)


@check(200, Content_Type=OCI_INDEX)
def index_by_tag(client: RegistryClient) -> Answer:
    repository = client.repository()
    index, _ = push_index(repository, "v1")
    return _served(repository.get_manifest("v1", DEFAULT_MANIFEST_ACCEPT), index)


@check(200, Content_Type=OCI_INDEX)
def head_of_an_index_is_its_get_without_a_body(client: RegistryClient) -> Answer:
    repository = client.repository()
    index, _ = push_index(repository, "v1")
    return _head_like_get(repository, index.digest, OCI_INDEX)


@check(200, Content_Type=OCI_MANIFEST)
def image_of_an_index(client: RegistryClient) -> Answer:
    repository = client.repository()
    _, child = push_index(repository, "v1")
    return _served(repository.get_manifest(child.digest, OCI_MANIFEST), child)


@check(404, "MANIFEST_UNKNOWN")
def index_for_who_accepts_manifests_only(client: RegistryClient) -> Answer:
    repository = client.repository()
    push_index(repository, "v1")
    return repository.get_manifest("v1", OCI_MANIFEST)


@check(200, Content_Type=DOCKER_LIST)
def docker_list_by_tag(client: RegistryClient) -> Answer:
    repository = client.repository()
    pushed, _ = push_index(repository, "v1", DOCKER_LIST)
    return _served(repository.get_manifest("v1", DOCKER_LIST), pushed)


@check(200, Content_Type=DOCKER_MANIFEST)
def docker_list_for_who_accepts_manifests_only(client: RegistryClient) -> Answer:
    # Distribution 2.8 gives old clients the image for linux/amd64.
    repository = client.repository()
    _, child = push_index(repository, "v1", DOCKER_LIST)
    return _served(repository.get_manifest("v1", DOCKER_MANIFEST), child)
