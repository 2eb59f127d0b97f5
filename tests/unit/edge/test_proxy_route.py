"""Which paths the proxy serves, and what each asks of the upstream."""

from __future__ import annotations

import pytest

from edge.http import RegistryError
from edge.proxy.route import UNKNOWN_CODES, Kind, check_reference, parse_route
from edge.pull_counter import PulledImage
from oci.errors import ErrorCode

SHA256 = "sha256:" + "a" * 64
SHA512 = "sha512:" + "b" * 128
LONGEST_TAG = "a" * 128


# The path below /v2/, then application, upstream, repository, kind and reference.
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "proxy/my-app/quay.io/org/api/manifests/v1.0",
            ("my-app", "quay.io", "org/api", "manifests", "v1.0"),
        ),
        (
            f"proxy/my-app/quay.io/org/api/manifests/{LONGEST_TAG}",
            ("my-app", "quay.io", "org/api", "manifests", LONGEST_TAG),
        ),
        (
            f"proxy/my-app/ghcr/a/manifests/{SHA512}",
            ("my-app", "ghcr", "a", "manifests", SHA512),
        ),
        (
            f"proxy/my-app/quay.io/org/api/blobs/{SHA256}",
            ("my-app", "quay.io", "org/api", "blobs", SHA256),
        ),
        (
            f"proxy/my-app/quay.io/a/referrers/{SHA256}",
            ("my-app", "quay.io", "a", "referrers", SHA256),
        ),
        (
            "proxy/my-app/quay.io/a/tags/list",
            ("my-app", "quay.io", "a", "tags", "list"),
        ),
        (
            "proxy/my-app/busybox/manifests/latest",
            ("my-app", "busybox", "", "manifests", "latest"),
        ),
        # Only the last two parts are kind and reference.
        (
            "proxy/my-app/quay.io/tags/list/blobs/manifests/v1",
            ("my-app", "quay.io", "tags/list/blobs", "manifests", "v1"),
        ),
        (
            "proxy/my-app/quay.io/v2/manifests/v1",
            ("my-app", "quay.io", "v2", "manifests", "v1"),
        ),
    ],
)
def test_a_path_names_one_object(path: str, expected: tuple[str, ...]) -> None:
    route = parse_route(f"/v2/{path}")

    name = route.name
    parts = (name.application, name.upstream, name.repository)
    assert (*parts, route.kind.value, route.reference) == expected
    below = path.rsplit("/", 2)[0]
    assert route.scope == f"repository:{below}:pull"
    assert route.upstream_path("org/x") == f"/v2/org/x/{expected[3]}/{expected[4]}"


@pytest.mark.parametrize(
    "path",
    [
        "/v2/proxy/_catalog",
        "/v2/proxy/",
        "/v2/manifests/v1",
        "/v2/proxy/my-app/quay.io/a/tags/other",
        "/v2/proxy/my-app/quay.io/a/tags/",
        "/v2/proxy/my-app/quay.io/a/tags/list/",
        "/v2/proxy/my-app/quay.io/a/manifests/v1/",
        "/v2/proxy/my-app/quay.io/a/blobs/uploads/",
        "/v2/proxy/my-app/quay.io/a/MANIFESTS/v1",
        "/v2/proxy/my-app/quay.io/a/signatures/v1",
    ],
)
def test_nothing_else_is_served(path: str) -> None:
    with pytest.raises(RegistryError) as caught:
        parse_route(path)

    assert (caught.value.status, caught.value.code) == (404, ErrorCode.NAME_UNKNOWN)
    assert "proxy/<application>/<registry>/<repository>" in caught.value.message


@pytest.mark.parametrize(
    "name",
    [
        "my-app/quay.io/a",
        "proxy/my-app",
        "proxy//quay.io/a",
        "proxy/my-app/quay.io/",
        "proxy/my-app/quay.io/A",
        "proxy/my-app/quay.io/a//b",
        "proxy/my-app/quay.io/../a",
        "proxy/my-app/quay.io/a%2Fb",
        "proxy/my-app/quay.io/-a",
    ],
)
def test_a_malformed_name_is_invalid(name: str) -> None:
    with pytest.raises(RegistryError) as caught:
        parse_route(f"/v2/{name}/manifests/v1")

    assert (caught.value.status, caught.value.code) == (400, ErrorCode.NAME_INVALID)
    assert isinstance(caught.value.code, ErrorCode)
    assert len(caught.value.message) > 10


@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        ("manifests", ""),
        ("manifests", ".v1"),
        ("manifests", "-v1"),
        ("manifests", "v1%"),
        ("manifests", LONGEST_TAG + "a"),
        ("manifests", "sha256:abc"),
        ("manifests", SHA256 + "a"),
        ("manifests", "md5:" + "a" * 32),
        ("blobs", "v1"),
        ("blobs", ""),
        ("blobs", "sha256:" + "A" * 64),
        ("blobs", "sha256:" + "a" * 63),
        ("referrers", "v1"),
        ("referrers", "list"),
    ],
)
def test_a_malformed_reference_reaches_no_upstream(kind: str, reference: str) -> None:
    with pytest.raises(RegistryError) as caught:
        parse_route(f"/v2/proxy/my-app/quay.io/a/{kind}/{reference}")

    assert caught.value.status in {400, 404}
    assert isinstance(caught.value.code, ErrorCode)
    assert len(caught.value.message) > 10


@pytest.mark.parametrize(
    ("rest", "immutable", "counted"),
    [
        ("manifests/v1", False, "v1"),
        (f"manifests/{SHA256}", True, SHA256),
        (f"blobs/{SHA256}", True, None),
        (f"referrers/{SHA256}", False, None),
        ("tags/list", False, None),
    ],
)
def test_only_digests_are_immutable_and_only_manifests_are_pulls(
    rest: str, immutable: bool, counted: str | None
) -> None:
    route = parse_route(f"/v2/proxy/my-app/quay.io/org/api/{rest}")

    assert route.is_immutable is immutable
    if counted is None:
        assert route.pulled is None
    else:
        assert route.pulled == PulledImage("my-app", "quay.io/org/api", counted)


def test_every_kind_has_a_code_for_what_is_missing() -> None:
    assert UNKNOWN_CODES[Kind("manifests")].value == "MANIFEST_UNKNOWN"
    assert UNKNOWN_CODES[Kind("blobs")].value == "BLOB_UNKNOWN"
    assert set(UNKNOWN_CODES) == set(Kind)


@pytest.mark.parametrize(
    ("kind", "reference", "is_read", "status", "code"),
    [
        (Kind.MANIFESTS, ".a", True, 404, ErrorCode.MANIFEST_UNKNOWN),
        (Kind.BLOBS, "sha256:a", True, 404, ErrorCode.BLOB_UNKNOWN),
        (Kind.REFERRERS, "sha256:a", True, 400, ErrorCode.DIGEST_INVALID),
        (Kind.MANIFESTS, ".a", False, 400, ErrorCode.TAG_INVALID),
        (Kind.BLOBS, "sha256:a", False, 400, ErrorCode.DIGEST_INVALID),
    ],
)
def test_a_malformed_reference_says_what_is_wrong(
    kind: Kind, reference: str, is_read: bool, status: int, code: ErrorCode
) -> None:
    with pytest.raises(RegistryError) as caught:
        check_reference(kind, reference, is_read=is_read)

    assert (caught.value.status, caught.value.code) == (status, code)
    assert reference in caught.value.message


def test_a_reference_is_taken_for_one_that_is_read() -> None:
    with pytest.raises(RegistryError) as caught:
        check_reference(Kind.MANIFESTS, ".a")

    assert caught.value.status == 404
