"""Names of repositories and tags: which are taken, and how the others are refused."""

from __future__ import annotations

from oci.media_types import OCI_MANIFEST
from tests.support.clients.edge import Answer
from tests.support.conformance.check import Category, Checks
from tests.support.conformance.client import RegistryClient
from tests.support.conformance.images import push_blobs_of_image

check = Checks(Category.PUSH)
# Of all of a name (Distribution, reference.RepositoryNameTotalLengthMax).
NAME_LENGTH = 255


def _tagged(client: RegistryClient, tag: str) -> Answer:
    repository = client.repository()
    manifest = push_blobs_of_image(repository)
    return repository.put_manifest(tag, manifest.body, OCI_MANIFEST)


@check(202)
def name_of_many_parts(client: RegistryClient) -> Answer:
    return client.repository("a/b/c/d/e").send("POST", "blobs/uploads/")


@check(202)
def name_with_every_separator(client: RegistryClient) -> Answer:
    return client.repository("a.b_c__d-e---f").send("POST", "blobs/uploads/")


@check(404)
def name_with_capital_letters(client: RegistryClient) -> Answer:
    return client.repository("Image").send("POST", "blobs/uploads/")


@check(404)
def name_that_begins_with_a_dash(client: RegistryClient) -> Answer:
    return client.repository("-image").send("POST", "blobs/uploads/")


@check(404)
def name_that_ends_with_a_dot(client: RegistryClient) -> Answer:
    return client.repository("image.").send("POST", "blobs/uploads/")


@check(404)
def name_with_three_underscores(client: RegistryClient) -> Answer:
    return client.repository("a___b").send("POST", "blobs/uploads/")


@check(202)
def longest_name(client: RegistryClient) -> Answer:
    room = NAME_LENGTH - len(f"{client.target.namespace}/")
    return client.repository("a" * room).send("POST", "blobs/uploads/")


@check(500, "UNKNOWN")
def name_too_long(client: RegistryClient) -> Answer:
    # Distribution 2.8 says that it is the one to blame.
    return client.repository("a" * NAME_LENGTH).send("POST", "blobs/uploads/")


@check(201)
def tag_of_every_kind_of_character(client: RegistryClient) -> Answer:
    return _tagged(client, "_V1.0-rc_1")


@check(201)
def longest_tag(client: RegistryClient) -> Answer:
    return _tagged(client, "t" * 128)


@check(404)
def tag_too_long(client: RegistryClient) -> Answer:
    return _tagged(client, "t" * 129)


@check(404)
def tag_that_begins_with_a_dot(client: RegistryClient) -> Answer:
    return _tagged(client, ".v1")


@check(404)
def tag_with_a_plus(client: RegistryClient) -> Answer:
    return _tagged(client, "v1+build")


@check(404)
def tag_with_an_encoded_space(client: RegistryClient) -> Answer:
    return _tagged(client, "v%201")


@check(404)
def manifest_of_a_tag_that_cannot_be(client: RegistryClient) -> Answer:
    return client.repository().get_manifest("-v1", OCI_MANIFEST)
