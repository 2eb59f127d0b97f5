"""Names of repositories and tags: which are taken, and how the others are refused."""

from __future__ import annotations

from functools import partial

from oci.media_types import OCI_MANIFEST
from tests.support.clients.edge import Answer
from tests.support.conformance.check import Category, Checks
from tests.support.conformance.client import RegistryClient
from tests.support.conformance.images import push_blobs_of_image

check = Checks(Category.PUSH)
# Of all of a name (Distribution, reference.RepositoryNameTotalLengthMax).
NAME_LENGTH = 255


def _open_upload(image: str, client: RegistryClient) -> Answer:
    return client.repository(image).send("POST", "blobs/uploads/")


def _put_tag(tag: str, client: RegistryClient) -> Answer:
    repository = client.repository()
    manifest = push_blobs_of_image(repository)
    return repository.put_manifest(tag, manifest.body, OCI_MANIFEST)


for name, image, status in (
    ("name_of_many_parts", "a/b/c/d/e", 202),
    ("name_with_every_separator", "a.b_c__d-e---f", 202),
    ("name_with_capital_letters", "Image", 404),
    ("name_that_begins_with_a_dash", "-image", 404),
    ("name_that_ends_with_a_dot", "image.", 404),
    ("name_with_three_underscores", "a___b", 404),
):
    check.add(name, partial(_open_upload, image), status)
for name, tag, status in (
    ("tag_of_every_kind_of_character", "_V1.0-rc_1", 201),
    ("longest_tag", "t" * 128, 201),
    ("tag_too_long", "t" * 129, 404),
    ("tag_that_begins_with_a_dot", ".v1", 404),
    ("tag_with_a_plus", "v1+build", 404),
    ("tag_with_an_encoded_space", "v%201", 404),
):
    check.add(name, partial(_put_tag, tag), status)


@check(202)
def longest_name(client: RegistryClient) -> Answer:
    room = NAME_LENGTH - len(f"{client.target.namespace}/")
    return _open_upload("a" * room, client)


@check(500, "UNKNOWN")
def name_too_long(client: RegistryClient) -> Answer:
    # Distribution 2.8 says that it is the one to blame.
    return _open_upload("a" * NAME_LENGTH, client)


@check(404)
def manifest_of_a_tag_that_cannot_be(client: RegistryClient) -> Answer:
    return client.repository().get_manifest("-v1", OCI_MANIFEST)
