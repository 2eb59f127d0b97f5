"""Which accesses a request needs: Distribution's rules (registry/handlers/app.go)."""

from __future__ import annotations

import pytest

from edge.http import RegistryError
from edge.pull_counter import PulledImage
from edge.registry.route import parse_wanted

DIGEST = "sha256:" + "a" * 64
UPLOAD = "0a6c7f99-9a22-4307-8dac-022c62930c9b"
PULL, PUSH, DELETE = (
    {("my-app/api", "pull")},
    {("my-app/api", "pull"), ("my-app/api", "push")},
    {("my-app/api", "delete")},
)


def accesses(method: str, uri: str) -> set[tuple[str, str]]:
    return {
        (item.repository, item.action) for item in parse_wanted(method, uri).accesses
    }


@pytest.mark.parametrize(
    ("method", "rest", "expected"),
    [
        ("GET", "manifests/v1", PULL),
        ("HEAD", f"manifests/{DIGEST}", PULL),
        ("GET", f"manifests/{DIGEST.replace(':', '%3A')}", PULL),
        ("PUT", "manifests/v1", PUSH),
        ("DELETE", f"manifests/{DIGEST}", DELETE),
        ("GET", f"blobs/{DIGEST}", PULL),
        ("HEAD", f"blobs/{DIGEST}", PULL),
        ("DELETE", f"blobs/{DIGEST}", DELETE),
        ("POST", "blobs/uploads/", PUSH),
        ("POST", f"blobs/uploads/?digest={DIGEST}", PUSH),
        ("PATCH", f"blobs/uploads/{UPLOAD}?_state=NpXk4_-w%3D%3D", PUSH),
        ("PUT", f"blobs/uploads/{UPLOAD}?_state=a&digest={DIGEST}", PUSH),
        ("GET", f"blobs/uploads/{UPLOAD}", PULL),
        ("HEAD", f"blobs/uploads/{UPLOAD}", PULL),
        ("DELETE", f"blobs/uploads/{UPLOAD}", DELETE),
        ("GET", "tags/list?n=10&last=v1", PULL),
        ("GET", f"referrers/{DIGEST}?artifactType=a/b", PULL),
    ],
)
def test_the_method_says_which_access(
    method: str, rest: str, expected: set[tuple[str, str]]
) -> None:
    assert accesses(method, f"/v2/my-app/api/{rest}") == expected


@pytest.mark.parametrize(
    ("uri", "repository"),
    [
        ("/v2/a/manifests/manifests/v1", "a/manifests"),
        ("/v2/a/blobs/uploads/tags/list", "a/blobs/uploads"),
        ("/v2/a/blobs/uploads/blobs/uploads/", "a/blobs/uploads"),
        ("/v2/a/tags/list/manifests/v1", "a/tags/list"),
        (f"/v2/my-app%2Fapi/blobs/{DIGEST}", "my-app/api"),
        ("/v2/alone/manifests/v1", "alone"),
    ],
)
def test_the_last_parts_say_what_it_is(uri: str, repository: str) -> None:
    assert {name for name, _ in accesses("GET", uri)} == {repository}


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_every_source_of_a_mount_is_a_pull(method: str) -> None:
    uri = (
        f"/v2/my-app/api/blobs/uploads/?mount={DIGEST}&from=other%2Fimage"
        "&%66rom=third/image&from="
    )

    found = accesses(method, uri)

    assert {("other/image", "pull"), ("third/image", "pull")} < found


def test_the_scope_is_as_registries_write_it() -> None:
    uri = f"/v2/my-app/api/blobs/uploads/?mount={DIGEST}&from=other/image"

    assert parse_wanted("POST", uri).scope == (
        "repository:my-app/api:pull,push repository:other/image:pull"
    )
    assert parse_wanted("GET", "/v2/").scope == ""
    assert parse_wanted("GET", "/v2/_catalog?n=1").scope == "registry:catalog:*"


def test_only_manifests_that_are_read_count_as_pulls() -> None:
    pulled = parse_wanted("GET", "/v2/my-app/deep/api/manifests/v1").pulled

    assert pulled == PulledImage("my-app", "deep/api", "v1", is_private=True)
    for method, uri in (
        ("PUT", "/v2/my-app/api/manifests/v1"),
        ("GET", f"/v2/my-app/api/blobs/{DIGEST}"),
        ("GET", "/v2/alone/manifests/v1"),
        ("GET", "/v2/my-app/api/tags/list"),
    ):
        assert parse_wanted(method, uri).pulled is None


@pytest.mark.parametrize(
    ("method", "uri", "status"),
    [
        ("GET", "", 404),
        ("GET", "/", 404),
        ("GET", "/v3/a/b/manifests/v1", 404),
        ("GET", "/v2/_catalog/", 404),
        ("GET", "/v2/_authorize", 404),
        ("GET", "/v2/token", 404),
        ("GET", "/v2/manifests/v1", 404),
        ("GET", "/v2/a/b/tags/all", 404),
        ("GET", "/v2/a/b/manifests/v1/", 404),
        ("POST", "/v2/a/b/blobs/uploads", 400),
        ("GET", "/v2/a/b/blobs/uploads/a/b", 404),
        ("GET", "/v2//a/b/manifests/v1", 400),
        ("GET", "//v2/a/b/manifests/v1", 404),
        ("GET", "/v2/a/../b/manifests/v1", 400),
        ("GET", "/v2/a/%2e%2e/b/manifests/v1", 400),
        ("GET", "/v2/a%252fb/manifests/v1", 400),
        ("GET", "/v2/A/b/manifests/v1", 400),
        ("GET", "/v2/a/b/manifests/v1#x", 404),
        ("HEAD", "/v2/a/b/manifests/v1%0a", 404),
        ("PUT", "/v2/a/b/manifests/v1%0a", 400),
        ("GET", "/v2/a%0ab/manifests/v1", 404),
        ("GET", "/v2/a%ff/b/manifests/v1", 400),
        ("GET", "/v2/\xe4/b/manifests/v1", 400),
        ("GET", "/v2/a/b/manifests/" + "v" * 129, 404),
        ("GET", "/v2/" + "a" * 256 + "/manifests/v1", 400),
        ("POST", "/v2/a/b/blobs/uploads/?from=UPPER/case", 400),
        ("POST", "/v2/a/b/blobs/uploads/?x=1;from=other/image", 400),
        ("POST", "/v2/a/b/blobs/uploads/?from=%ff", 400),
        ("POST", "/v2/a/b/blobs/uploads/?from=\xe4", 400),
        ("OPTIONS", "/v2/a/b/manifests/v1", 405),
        ("CONNECT", "/v2/", 405),
        ("get", "/v2/", 405),
        ("", "/v2/", 405),
        ("GET, GET", "/v2/", 405),
    ],
)
def test_all_else_is_refused(method: str, uri: str, status: int) -> None:
    with pytest.raises(RegistryError) as refusal:
        parse_wanted(method, uri)

    assert refusal.value.status == status
