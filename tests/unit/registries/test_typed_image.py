from __future__ import annotations

import pytest

from oci.reference import MalformedName
from registries.decision.pull import PRIVATE_REGISTRY, Upstream
from registries.preview.typed_image import Question, question_of

PROXY = "proxy.example:8000"
DIGEST = "sha256:" + "0" * 64


def asked(text: str) -> Question:
    return question_of(
        text,
        proxy_host=PROXY,
        registry_host="registry.example",
        application_slug="chosen",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{PROXY}/proxy/app/quay.io/org/api:v1", ("app", "quay.io", "org/api")),
        (f"{PROXY}/proxy/app/quay.io/org/api@{DIGEST}", ("app", "quay.io", "org/api")),
        (f"  docker pull {PROXY}/proxy/app/sample/api:v1 ", ("app", "sample", "api")),
        (f"docker://{PROXY}/proxy/app/redis", ("app", "redis", "")),
        ("proxy/app/quay.io/org/api:v1", ("app", "quay.io", "org/api")),
        ("registry.example/app/api:v1", ("app", PRIVATE_REGISTRY, "api", "v1")),
        ("registry.example/app/t/api", ("app", PRIVATE_REGISTRY, "t/api", "latest")),
        ("quay.io/org/api:v1", ("chosen", "quay.io", "org/api")),
        ("localhost:5001/org/api:v1", ("chosen", "localhost:5001", "org/api")),
        ("org/api", ("chosen", "org", "api")),
        ("redis:7", ("chosen", "redis", "")),
    ],
)
def test_names_as_people_type_them(
    text: str, expected: tuple[str, Upstream, str] | tuple[str, Upstream, str, str]
) -> None:
    assert asked(text) == Question(*expected)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Quay.io/Org", "is not a repository name"),
        ("quay.io/org/api:", "is not a tag"),
        ("quay.io/org/api@sha256:1", "is not sha256"),
        ("proxy.example:8000/app/api", "are named proxy.example:8000/proxy/"),
        ("proxy.example:8000/proxy/app", "are named proxy/"),
        ("registry.example/api", "are named registry.example/APPLICATION"),
        ("old.example/proxy/app/quay.io/api", "leads to old.example"),
    ],
)
def test_names_that_never_come_here(text: str, says: str) -> None:
    with pytest.raises(MalformedName, match=says):
        asked(text)
