"""What a license holder gets as files."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml

from licenses.files.license_keys import license_roots
from licenses.models import License
from licenses.services import change_license
from teams.actors import Actor
from teams.models import Team
from tests.support.clients.api import code_of
from tests.support.clients.license_holder import PROXY, REGISTRY, LicenseClient
from tests.support.clients.license_verifier import verify_license
from tests.support.rows.audit import audited
from tests.support.rows.factories import LicenseFactory

# The license file.


def test_the_file_is_signed(license: License, holder: LicenseClient) -> None:
    response = holder.get("/file", headers={"Accept": "application/yaml"})

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Disposition"] == (
        'attachment; filename="license-my-app.yaml"'
    )
    signed = verify_license(response.content.decode(), license_roots().published())
    assert signed["spec"]["licenseID"] == license.license_id.reveal()
    assert signed["spec"]["licenseSequence"] == 7
    assert signed["spec"]["entitlements"]["key"]["value"] == "hunter2"
    # Nothing changed hands that was not the holder's: it is no event.
    assert [tag for tag, _ in audited(license.team)] == ["license-key:created"]


def test_a_file_that_has_not_changed_is_not_sent_again(
    license: License, holder: LicenseClient, actor: Actor
) -> None:
    tag = holder.get("/file").headers["ETag"]
    assert tag.startswith('"7-')

    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        response = holder.get("/file", headers={"If-None-Match": known})
        assert response.status_code == 304
        assert response.headers["ETag"] == tag
        assert response.content == b""
    assert holder.get("/file", headers={"If-None-Match": '"x"'}).status_code == 200

    change_license(actor=actor, license=license, changes={"field_values": {"seats": 6}})

    changed = holder.get("/file", headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"].startswith('"8-')


def test_another_host_of_the_proxy_is_another_file(
    holder: LicenseClient, settings: Any
) -> None:
    tag = holder.get("/file").headers["ETag"]
    settings.BERTH_PROXY_HOST = "images.example.com"

    response = holder.get("/file", headers={"If-None-Match": tag})

    assert response.status_code == 200
    assert b"images.example.com" in response.content


def test_no_file_without_a_root(holder: LicenseClient, settings: Any) -> None:
    settings.BERTH_LICENSE_ROOT_KEY = ""

    response = holder.get("/file")

    assert response.status_code == 409
    assert code_of(response) == "license_signing_not_set_up"
    assert holder.get().status_code == 200


def test_a_head_request_tells_the_same(holder: LicenseClient) -> None:
    tag = holder.get("/file").headers["ETag"]

    response = holder.request("head", "/license/file")

    assert response.status_code == 200
    assert response.headers["ETag"] == tag
    assert response.content == b""


# The pull secret.


def test_the_pull_secret(license: License, holder: LicenseClient) -> None:
    response = holder.get("/pull-secret?namespace=123")

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    secret = yaml.safe_load(response.content)
    content = base64.b64decode(secret["data"].pop(".dockerconfigjson"))
    assert secret == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "my-app-registry", "namespace": "123"},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {},
    }
    login = f"license:{license.license_id.reveal()}".encode()
    auth = {"auth": base64.b64encode(login).decode()}
    assert json.loads(content) == {"auths": {PROXY: auth, REGISTRY: auth}}


@pytest.mark.parametrize(
    ("proxy", "registry", "named"),
    [
        (PROXY, "", [PROXY]),
        ("", REGISTRY, [REGISTRY]),
        (PROXY, PROXY, [PROXY]),
        ("localhost:8000", "localhost:5000", ["localhost:8000", "localhost:5000"]),
    ],
)
def test_the_pull_secret_names_each_host_once(
    proxy: str, registry: str, named: list[str], holder: LicenseClient, settings: Any
) -> None:
    settings.BERTH_PROXY_HOST, settings.BERTH_REGISTRY_HOST = proxy, registry

    secret = yaml.safe_load(holder.get("/pull-secret").content)

    assert "namespace" not in secret["metadata"]
    content = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    assert list(content["auths"]) == named


def test_no_pull_secret_without_a_host(holder: LicenseClient, settings: Any) -> None:
    settings.BERTH_PROXY_HOST = settings.BERTH_REGISTRY_HOST = ""

    assert code_of(holder.get("/pull-secret")) == "hosts_not_set_up"
    assert code_of(holder.resolve("redis")) == "hosts_not_set_up"


def test_the_name_of_a_secret_has_no_underscore(team: Team) -> None:
    holder = LicenseClient(LicenseFactory(team=team, application__slug="my_app.x"))

    secret = yaml.safe_load(holder.get("/pull-secret").content)

    assert secret["metadata"]["name"] == "my-app.x-registry"


@pytest.mark.parametrize(
    "namespace", ["", "A", "a_b", "a.b", "-a", "a-", "a" * 64, "a%0A", "a%0Ab: c", "ä"]
)
def test_what_is_no_namespace_is_told(namespace: str, holder: LicenseClient) -> None:
    response = holder.get(f"/pull-secret?namespace={namespace}")

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["namespace"]
