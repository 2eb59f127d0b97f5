from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.digest import MalformedDigest
from oci.reference import (
    MalformedName,
    Reference,
    looks_like_host,
    parse_manifest_reference,
    parse_reference,
    parse_registry_host,
    parse_repository,
    parse_tag,
)

DIGEST = "sha256:" + "0123456789abcdef" * 4

PART = st.from_regex(
    r"[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,3}", fullmatch=True
)
REPOSITORIES = st.lists(PART, min_size=1, max_size=5).map("/".join)
TAGS = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", fullmatch=True)
HOSTS = st.sampled_from(
    [
        "quay.io",
        "localhost",
        "localhost:5000",
        "10.0.0.1:8443",
        "[::1]",
        "[fe80::1]:5000",
    ]
)
ANY_TEXT = st.text() | st.text(alphabet="aA0./:_-@[]\x00\n é", max_size=300)


@given(REPOSITORIES)
def test_parse_repository_returns_a_name_unchanged(name: str) -> None:
    assert parse_repository(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "0",
        "a.b",
        "a_b",
        "a__b",
        "a-b",
        "a---b",
        "library/nginx",
        "a" * 255,
        "/".join("a" * 128),
    ],
)
def test_parse_repository_accepts_the_edges_of_the_grammar(name: str) -> None:
    assert parse_repository(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        "A",
        "a.",
        ".a",
        "a..b",
        "a___b",
        "a._b",
        "-a",
        "a-",
        "a b",
        "a\n",
        "a\x00",
        "é",
        "a:b",
        "a@b",
        "../a",
        "a/../b",
        "\u0660",
        "a" * 256,
        "/".join("a" * 300),
        "a-" * 50_000,
        "a" + "-" * 254,
    ],
)
def test_parse_repository_refuses_what_is_no_name(name: str) -> None:
    with pytest.raises(MalformedName):
        parse_repository(name)


def test_parse_repository_quotes_eighty_characters_of_a_long_input() -> None:
    with pytest.raises(MalformedName) as refusal:
        parse_repository("x" * 100_000)

    assert str(refusal.value) == (
        f"The repository that begins with '{'x' * 80}' is longer than 255 characters."
    )


def test_parse_repository_escapes_what_it_quotes() -> None:
    with pytest.raises(MalformedName) as refusal:
        parse_repository("a\r\n\x00\x1b[31m")

    assert str(refusal.value) == r"'a\r\n\x00\x1b[31m' is not a repository name."


@given(TAGS)
def test_parse_tag_returns_a_tag_unchanged(tag: str) -> None:
    assert parse_tag(tag) == tag


@pytest.mark.parametrize(
    "tag", ["a", "Z", "0", "_", "v1.0-rc_1", "a" * 128, "_" + ".-" * 63 + "a"]
)
def test_parse_tag_accepts_the_edges_of_the_grammar(tag: str) -> None:
    assert parse_tag(tag) == tag


@pytest.mark.parametrize(
    "tag", ["", ".a", "-a", "a b", "a/b", "a:b", "a+b", "é", "a\n", "\x00", "a" * 129]
)
def test_parse_tag_refuses_what_is_no_tag(tag: str) -> None:
    with pytest.raises(MalformedName):
        parse_tag(tag)


@given(TAGS | st.just(DIGEST))
def test_parse_manifest_reference_returns_tag_and_digest_unchanged(text: str) -> None:
    assert parse_manifest_reference(text) == text


def test_parse_manifest_reference_reads_a_colon_as_a_digest() -> None:
    with pytest.raises(MalformedDigest):
        parse_manifest_reference("latest:1")


def test_parse_manifest_reference_reads_the_rest_as_a_tag() -> None:
    with pytest.raises(MalformedName):
        parse_manifest_reference("lat/est")


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("quay.io", "quay.io"),
        ("Quay.IO", "quay.io"),
        ("quay.io:443", "quay.io:443"),
        ("registry", "registry"),
        ("localhost:1", "localhost:1"),
        ("localhost:65535", "localhost:65535"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("1password.example", "1password.example"),
        ("3.example", "3.example"),
        ("r2d2.example", "r2d2.example"),
        ("a1b.c-3d.example", "a1b.c-3d.example"),
        (".".join(["a" * 63] * 3 + ["b" * 61]), ".".join(["a" * 63] * 3 + ["b" * 61])),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1:5000", "127.0.0.1:5000"),
        ("[::1]", "[::1]"),
        ("[0:0:0:0:0:0:0:1]:5000", "[::1]:5000"),
        ("[2001:DB8::A]", "[2001:db8::a]"),
        ("[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_parse_registry_host_returns_the_canonical_spelling(
    text: str, host: str
) -> None:
    assert parse_registry_host(text) == host
    assert parse_registry_host(host) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        ":",
        ":5000",
        "quay.io:",
        "quay.io:0",
        "quay.io:65536",
        "quay.io:99999",
        "quay.io:0443",
        "quay.io:+1",
        "quay.io:\u0664",
        "quay.io:1:2",
        "quay.io:100000",
        "https://quay.io",
        "//quay.io",
        "quay.io/",
        "quay.io/org",
        "quay.io?a",
        "quay.io#a",
        "user@quay.io",
        "user:secret@quay.io",
        "quay.io\x00",
        "quay.io\n",
        "quay io",
        " a",
        "quay.io.",
        ".quay.io",
        "quay..io",
        "-quay.io",
        "quay-.io",
        "quay_1.io",
        "*.io",
        "quay\\io",
        "büch.example",
        "\u212a.io",
        "quay\u3002io",
        "a" * 64 + ".example",
        ".".join("a" * 128),
        ".".join(["a" * 63] * 3 + ["b" * 62]),
        "a." * 50_000,
        "127.1",
        "127.0.0.01",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "2130706433",
        "127.0.0.0x1",
        "1.2.3.4.5",
        "256.0.0.1",
        "example.1",
        "::1",
        "[::1",
        "::1]",
        "[]",
        "[::1]x",
        "[:::1]",
        "[fe80::1%eth0]",
        "[127.0.0.1]",
    ],
)
def test_parse_registry_host_refuses_what_is_no_host(text: str) -> None:
    with pytest.raises(MalformedName):
        parse_registry_host(text)


@given(ANY_TEXT)
def test_parse_registry_host_raises_only_malformed_name(text: str) -> None:
    with contextlib.suppress(MalformedName):
        host = parse_registry_host(text)
        assert parse_registry_host(host) == host


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("quay.io", True),
        ("registry:5000", True),
        ("localhost", True),
        ("[::1]", True),
        ("library", False),
        ("localhost1", False),
        ("", False),
    ],
)
def test_looks_like_host_follows_docker(part: str, expected: bool) -> None:
    assert looks_like_host(part) is expected


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("nginx", Reference(None, "nginx", None, None)),
        ("nginx:1.27", Reference(None, "nginx", "1.27", None)),
        ("library/nginx", Reference(None, "library/nginx", None, None)),
        ("quay.io/org/api:v1.0.1", Reference("quay.io", "org/api", "v1.0.1", None)),
        ("Quay.io/api", Reference("quay.io", "api", None, None)),
        ("localhost/api", Reference("localhost", "api", None, None)),
        ("localhost:5000", Reference(None, "localhost", "5000", None)),
        ("localhost:5000/api", Reference("localhost:5000", "api", None, None)),
        ("registry:5000/api:1", Reference("registry:5000", "api", "1", None)),
        ("[::1]:5000/api:1", Reference("[::1]:5000", "api", "1", None)),
        ("quay.io", Reference(None, "quay.io", None, None)),
        (f"api@{DIGEST}", Reference(None, "api", None, DIGEST)),
        (f"quay.io/a/b:1@{DIGEST}", Reference("quay.io", "a/b", "1", DIGEST)),
    ],
)
def test_parse_reference_splits_as_docker_does(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "/",
        ":tag",
        "api:",
        "api:a:b",
        "quay.io/",
        "quay.io/:1",
        "/api",
        "Api",
        "quay.io//api",
        "user@quay.io/api",
        f"@{DIGEST}",
        "https://quay.io/api",
        "quay.io:x/api",
        "quay.io/localhost:5000/api",
        "api:1\x00",
        "a/" * 300 + "a",
    ],
)
def test_parse_reference_refuses_what_is_no_reference(text: str) -> None:
    with pytest.raises((MalformedName, MalformedDigest)):
        parse_reference(text)


@pytest.mark.parametrize("text", ["api@", "api@sha256:00", f"api@{DIGEST}@{DIGEST}"])
def test_parse_reference_refuses_a_malformed_digest(text: str) -> None:
    with pytest.raises(MalformedDigest):
        parse_reference(text)


@given(HOSTS, REPOSITORIES, st.none() | TAGS, st.none() | st.just(DIGEST))
def test_parse_reference_finds_the_parts_it_was_built_from(
    host: str, repository: str, tag: str | None, digest: str | None
) -> None:
    suffix = (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")

    reference = parse_reference(f"{host}/{repository}{suffix}")

    assert reference == Reference(host, repository, tag, digest)


@given(ANY_TEXT)
def test_parsers_of_names_raise_only_the_documented_errors(text: str) -> None:
    with contextlib.suppress(MalformedName):
        assert parse_repository(text) == text
    with contextlib.suppress(MalformedName):
        assert parse_tag(text) == text
    with contextlib.suppress(MalformedName, MalformedDigest):
        assert parse_manifest_reference(text) == text
    with contextlib.suppress(MalformedName, MalformedDigest):
        parse_reference(text)
