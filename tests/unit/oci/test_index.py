from __future__ import annotations

import json

import pytest

from oci.index import MAX_INDEX_BYTES, children_of
from oci.media_types import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST

A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
INDEX = json.dumps({"manifests": [{"digest": A}, {"digest": B, "size": 1}]}).encode()


@pytest.mark.parametrize(
    "kind", [OCI_INDEX, DOCKER_LIST, f"{OCI_INDEX}; charset=utf-8"]
)
def test_an_index_has_its_manifests(kind: str) -> None:
    assert children_of(kind, INDEX) == (A, B)


def test_an_image_has_none() -> None:
    assert children_of(OCI_MANIFEST, INDEX) == ()
    assert children_of("", None) == ()


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"[]",
        b"\xff",
        b'{"manifests": null}',
        b'{"manifests": [{"size": 1}]}',
        b'{"manifests": ["a"]}',
        b"[" * 100_000,
        INDEX.ljust(MAX_INDEX_BYTES + 1),
    ],
)
def test_what_cannot_be_read_is_unknown(content: bytes | None) -> None:
    assert children_of(OCI_INDEX, content) is None


def test_digests_are_texts() -> None:
    assert children_of(OCI_INDEX, b'{"manifests": [{"digest": 1}]}') == ()


@pytest.mark.parametrize(
    "text", ["", "a" * 3000, "sha256:" + "a" * 65, "md5:" + "a" * 32]
)
def test_what_is_no_digest_is_no_child(text: str) -> None:
    """An upstream writes the index, and its children are remembered."""
    content = {"manifests": [{"digest": text}, {"digest": A}]}

    assert children_of(OCI_INDEX, json.dumps(content).encode()) == (A,)
