"""Pull: manifests by tag and digest, and what Accept makes of them."""

from __future__ import annotations

from functools import partial

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


def _get_served(
    media_type: str, tag: str, accept: str, client: RegistryClient
) -> Answer:
    repository = client.repository()
    if media_type in {OCI_INDEX, DOCKER_LIST}:
        pushed, _ = push_index(repository, tag, media_type)
    else:
        pushed = push_image(repository, *filter(None, [tag]), media_type=media_type)
    return _served(repository.get_manifest(tag or pushed.digest, accept), pushed)


def _ask_for_tag(method: str, tag: str, accept: str, client: RegistryClient) -> Answer:
    """Ask for a tag where only v1 is an OCI manifest."""
    repository = client.repository()
    push_image(repository, "v1")
    return repository.get_manifest(tag, accept, method)


_WEIGHTED = f"{DOCKER_MANIFEST};q=0.5, {OCI_MANIFEST};q=0.9, */*;q=0.1"
# Without a tag, by digest.
for name, media_type, tag, accept in (
    ("manifest_by_tag", OCI_MANIFEST, "v1", OCI_MANIFEST),
    ("manifest_by_digest", OCI_MANIFEST, "", OCI_MANIFEST),
    ("accepted_types_in_a_list_with_weights", OCI_MANIFEST, "v1", _WEIGHTED),
    ("docker_manifest_by_tag", DOCKER_MANIFEST, "v1", DEFAULT_MANIFEST_ACCEPT),
    ("docker_manifest_by_digest_for_who_accepts_nothing", DOCKER_MANIFEST, "", ""),
    ("index_by_tag", OCI_INDEX, "v1", DEFAULT_MANIFEST_ACCEPT),
    ("docker_list_by_tag", DOCKER_LIST, "v1", DOCKER_LIST),
):
    check.add(name, partial(_get_served, media_type, tag, accept), 200)
for name, tag, accept in (
    ("unknown_tag", "v2", DEFAULT_MANIFEST_ACCEPT),
    ("oci_manifest_for_who_accepts_nothing", "v1", ""),
    ("oci_manifest_for_who_accepts_docker_only", "v1", DOCKER_MANIFEST),
    # Distribution 2.8 knows no wildcard.
    ("oci_manifest_for_who_accepts_anything", "v1", "*/*"),
):
    ask = partial(_ask_for_tag, "GET", tag, accept)
    check.add(name, ask, 404, "MANIFEST_UNKNOWN")
check.add(
    "head_of_an_unknown_tag",
    partial(_ask_for_tag, "HEAD", "v2", DEFAULT_MANIFEST_ACCEPT),
    404,
)


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


@check(200, Content_Type=DOCKER_MANIFEST)
def docker_list_for_who_accepts_manifests_only(client: RegistryClient) -> Answer:
    # Distribution 2.8 gives old clients the image for linux/amd64.
    repository = client.repository()
    _, child = push_index(repository, "v1", DOCKER_LIST)
    return _served(repository.get_manifest("v1", DOCKER_MANIFEST), child)
