"""Content management: what is deleted, and what is left afterwards."""

from __future__ import annotations

from functools import partial

from oci.media_types import OCI_MANIFEST
from tests.support.clients.edge import Answer
from tests.support.conformance.check import Category, Checks
from tests.support.conformance.client import RegistryClient, Repository, sha256
from tests.support.conformance.images import Manifest, push_image, push_index

check = Checks(Category.MANAGEMENT)


def _delete_image(client: RegistryClient) -> tuple[Repository, Manifest]:
    """Push an image as v1 and delete it by its digest."""
    repository = client.repository()
    pushed = push_image(repository, "v1")
    deleted = repository.send("DELETE", f"manifests/{pushed.digest}")
    assert deleted.status == 202, deleted.body
    return repository, pushed


def _delete_blob(client: RegistryClient) -> tuple[Repository, str]:
    repository = client.repository()
    digest = repository.push_blob(client.content("blob"))
    deleted = repository.send("DELETE", f"blobs/{digest}")
    assert deleted.status == 202, deleted.body
    return repository, digest


@check(202)
def manifest_deleted(client: RegistryClient) -> Answer:
    repository = client.repository()
    pushed = push_image(repository, "v1")
    return repository.send("DELETE", f"manifests/{pushed.digest}")


def _ask_for_deleted(method: str, reference: str, client: RegistryClient) -> Answer:
    repository, pushed = _delete_image(client)
    return repository.get_manifest(reference or pushed.digest, OCI_MANIFEST, method)


def _ask_for_deleted_blob(method: str, client: RegistryClient) -> Answer:
    repository, digest = _delete_blob(client)
    return repository.send(method, f"blobs/{digest}")


for name, method, reference, code in (
    ("deleted_manifest_by_digest", "GET", "", "MANIFEST_UNKNOWN"),
    ("head_of_a_deleted_manifest", "HEAD", "", None),
    ("deleted_manifest_by_tag", "GET", "v1", "MANIFEST_UNKNOWN"),
    ("manifest_deleted_twice", "DELETE", "", "MANIFEST_UNKNOWN"),
):
    check.add(name, partial(_ask_for_deleted, method, reference), 404, code)
for name, method, code in (
    ("deleted_blob", "GET", "BLOB_UNKNOWN"),
    ("head_of_a_deleted_blob", "HEAD", None),
    ("blob_deleted_twice", "DELETE", "BLOB_UNKNOWN"),
):
    check.add(name, partial(_ask_for_deleted_blob, method), 404, code)


@check(200)
def other_tags_outlive_a_deleted_manifest(client: RegistryClient) -> Answer:
    repository = client.repository()
    kept = push_image(repository, "v2", label="kept")
    deleted = push_image(repository, "v1")
    gone = repository.send("DELETE", f"manifests/{deleted.digest}")
    assert gone.status == 202
    assert repository.send("GET", "tags/list").json["tags"] == ["v2"]
    return repository.get_manifest(kept.digest, OCI_MANIFEST)


@check(200)
def image_of_a_deleted_index(client: RegistryClient) -> Answer:
    repository = client.repository()
    index, child = push_index(repository, "v1")
    assert repository.send("DELETE", f"manifests/{index.digest}").status == 202
    return repository.get_manifest(child.digest, OCI_MANIFEST)


@check(201)
def deleted_manifest_pushed_again(client: RegistryClient) -> Answer:
    repository, pushed = _delete_image(client)
    answer = repository.put_manifest("v1", pushed.body, pushed.media_type)
    assert repository.get_manifest("v1", OCI_MANIFEST).body == pushed.body
    return answer


@check(404, "MANIFEST_UNKNOWN")
def unknown_manifest_deleted(client: RegistryClient) -> Answer:
    repository = client.repository()
    push_image(repository, "v1")
    digest = sha256(client.content("never pushed"))
    return repository.send("DELETE", f"manifests/{digest}")


@check(404, "MANIFEST_UNKNOWN")
def manifest_of_an_unknown_repository_deleted(client: RegistryClient) -> Answer:
    digest = sha256(client.content("never pushed"))
    return client.repository("none").send("DELETE", f"manifests/{digest}")


@check(400, "DIGEST_INVALID")
def manifest_deleted_by_tag(client: RegistryClient) -> Answer:
    # Distribution 2.8 deletes by digest only, and so the tag stays.
    repository = client.repository()
    push_image(repository, "v1")
    answer = repository.send("DELETE", "manifests/v1")
    assert repository.get_manifest("v1", OCI_MANIFEST).status == 200
    return answer


@check(202)
def blob_deleted(client: RegistryClient) -> Answer:
    repository = client.repository()
    digest = repository.push_blob(client.content("blob"))
    return repository.send("DELETE", f"blobs/{digest}")


@check(404, "BLOB_UNKNOWN")
def unknown_blob_deleted(client: RegistryClient) -> Answer:
    digest = sha256(client.content("never pushed"))
    return client.repository().send("DELETE", f"blobs/{digest}")


@check(200)
def blob_outlives_its_deletion_elsewhere(client: RegistryClient) -> Answer:
    repository = client.repository("kept")
    digest = repository.push_blob(client.content("blob"))
    _delete_blob(client)
    return repository.send("GET", f"blobs/{digest}")


@check(400, "DIGEST_INVALID")
def malformed_digest_deleted(client: RegistryClient) -> Answer:
    return client.repository().send("DELETE", "blobs/sha256:nonsense")
