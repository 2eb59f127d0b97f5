from __future__ import annotations

import pytest

from customers.pulling.pasted import pasted_secret, refusal_of

CREDENTIAL = f"berth_pull_abcdefghijkl_{'0' * 49}"
LICENSE_ID = "3fXDRHTXkOzk75VnEqPHmIUCefi"

SECRETS = {
    CREDENTIAL: "a pull credential",
    f"docker login -u me -p {CREDENTIAL} images.example": "a pull credential",
    CREDENTIAL[:30]: "a pull credential",
    "berth_sa_abcdefghijkl_0123": "an API token",
    LICENSE_ID: "a license ID",
    f"  {LICENSE_ID}\n": "a license ID",
    "a" * 27: "a license ID",
    f"images.example/{LICENSE_ID}": "a license ID",
    f"quay.io/acme/api:v1 {LICENSE_ID}": "a license ID",
    "docker login -u me -p hunter2 images.example": "a command with a password",
    "docker login -p hunter2 images.example": "a command with a password",
    "docker login\n  -u me\n  -p hunter2": "a command with a password",
    "docker login images.example:5000 -p hunter2": "a command with a password",
    "docker login images.example -phunter2": "a command with a password",
    "podman login --password=hunter2 images.example": "a command with a password",
    "docker login --username me --password hunter2": "a command with a password",
    "kubectl create secret docker-registry x --docker-password=y": (
        "a command with a password"
    ),
    "skopeo inspect --creds me:hunter2 docker://quay.io/a": "a command with a password",
    "curl -u me:hunter2 https://portal.example": "a command with a password",
    "https://me:hunter2@quay.io/acme/api": "an address with a password",
    '{"auths": {"images.example": {"auth": "bWU6aHVudGVyMg=="}}}': "a pull secret",
    '{"auth":"bWU6aHVudGVyMg=="}': "a pull secret",
    ".dockerconfigjson: eyJhdXRocyI6e319": "a pull secret",
}
NAMES = [
    "quay.io/acme/api:v1",
    "docker pull quay.io/acme/api:v1",
    "docker://quay.io/acme/api:v1",
    "https://quay.io/acme/api",
    f"quay.io/acme/api@sha256:{'0a' * 32}",
    f"quay.io/acme/{'a' * 27}:v1",
    "localhost:5001/auth:v1",
    "images.example/proxy/app/quay.io/acme/login-p:v1",
    "docker run -p 8080:80 redis:7",
    "docker login --password-stdin images.example",
    "A" * 26,
    "A" * 28,
    "",
]


@pytest.mark.parametrize(("text", "kind"), SECRETS.items())
def test_a_secret_is_named_and_not_repeated(text: str, kind: str) -> None:
    pasted = pasted_secret(text)

    assert pasted == kind
    assert kind in refusal_of(pasted)
    assert "hunter2" not in refusal_of(pasted)


@pytest.mark.parametrize("text", NAMES)
def test_a_name_is_no_secret(text: str) -> None:
    assert pasted_secret(text) == ""
