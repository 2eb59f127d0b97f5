"""Replacing and trying the credential of a registry."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from portal.limits.waiting import waiting
from registries.models import ExternalRegistry
from registries.selectors import active_credential
from tests.integration.registries.conftest import Upstream
from tests.support.clients.api import ApiClient, code_of
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ExternalRegistryFactory,
)
from tests.support.rows.world import rows_of


def test_replace_credential_keeps_the_old_one_on_failure(
    owner_api: ApiClient, upstream: Upstream
) -> None:
    owner_api.post("/registries", upstream.body())
    registry = ExternalRegistry.objects.get()
    before = rows_of(owner_api.team)

    response = owner_api.put(
        "/registries/sample/credential", {"username": "puller", "secret": "wrong"}
    )

    assert response.status_code == 400
    assert code_of(response) == "credential_rejected"
    assert rows_of(owner_api.team) == before
    assert active_credential(registry).secret.reveal() == upstream.password


def test_replace_credential(owner_api: ApiClient, upstream: Upstream) -> None:
    owner_api.post("/registries", upstream.body(secret="old", skip_test=True))
    registry = ExternalRegistry.objects.get()
    old = active_credential(registry)

    response = owner_api.put(
        "/registries/sample/credential",
        {"username": upstream.username, "secret": upstream.password},
    )

    assert response.status_code == 200
    assert response.json()["health"] == "valid"
    new = active_credential(registry)
    assert new.pk != old.pk
    assert new.secret.reveal() == upstream.password
    old.refresh_from_db()
    assert not old.active
    assert [tag for tag, _ in audited(owner_api.team)] == [
        "registry:connected",
        "registry:credential-replaced",
    ]


def test_try_stored_credential_is_recorded(
    owner_api: ApiClient, upstream: Upstream
) -> None:
    owner_api.post("/registries", upstream.body(secret="wrong", skip_test=True))

    response = owner_api.post("/registries/sample/test")

    assert response.status_code == 200
    assert response.json()["outcome"] == "rejected"
    assert response.json()["http_status"] == 401
    # One refusal changes nothing yet; the second one in a row confirms it.
    assert owner_api.get("/registries/sample").json()["health"] is None
    owner_api.post("/registries/sample/test")
    assert owner_api.get("/registries/sample").json()["health"] == "rejected"
    checks = owner_api.get("/registries/sample/checks").json()["results"]
    assert [each["outcome"] for each in checks] == ["rejected", "rejected"]


@pytest.mark.parametrize(
    ("image", "outcome"),
    [
        ("my-org/api:v1.0.1", "valid"),
        ("my-org/api:v9", "repository_denied"),
        ("my-org/nope", "repository_denied"),
    ],
)
def test_try_credential_with_an_image(
    image: str, outcome: str, owner_api: ApiClient, upstream: Upstream
) -> None:
    owner_api.post("/registries", upstream.body())
    body = upstream.body(image=image)
    del body["slug"]

    stored = owner_api.post("/registries/sample/test", {"image": image})
    new = owner_api.post("/registries/test", body)

    assert stored.json()["outcome"] == outcome
    assert new.json()["outcome"] == outcome


@pytest.mark.parametrize("image", ["UPPER", "a b", "a:b:c@d", "../etc", "a" * 513])
def test_try_credential_refuses_malformed_images(
    image: str, owner_api: ApiClient
) -> None:
    ExternalRegistryFactory(team=owner_api.team, slug="sample")

    response = owner_api.post("/registries/sample/test", {"image": image})

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["image"]


def test_try_new_credential_stores_nothing(
    owner_api: ApiClient, upstream: Upstream
) -> None:
    body = upstream.body()
    del body["slug"]
    before = rows_of(owner_api.team)

    response = owner_api.post("/registries/test", body)

    assert response.json()["outcome"] == "valid"
    after = rows_of(owner_api.team)
    for rows in (before, after):
        del rows["teams.ApiToken"]  # notes its use
    assert after == before


@pytest.mark.parametrize("holders", ["own", "all"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/registries"),
        ("POST", "/registries/test"),
        ("POST", "/registries/sample/test"),
        ("PUT", "/registries/sample/credential"),
    ],
)
def test_few_tries_wait_at_once(
    owner_api: ApiClient, upstream: Upstream, method: str, path: str, holders: str
) -> None:
    owner_api.post("/registries", upstream.body(skip_test=True))
    new = upstream.body(slug="new")
    body = {
        "/registries": new,
        "/registries/test": {name: new[name] for name in new if name != "slug"},
        "/registries/sample/test": {},
        "/registries/sample/credential": {
            "username": upstream.username,
            "secret": upstream.password,
        },
    }[path]
    before = rows_of(owner_api.team)
    own = [owner_api.team.pk] * 2

    with ExitStack() as stack:
        for holder in own if holders == "own" else ["a", "a", "b"]:
            stack.enter_context(waiting(holder))
        response = owner_api.request(method, path, body)

    assert response.status_code == (429 if holders == "own" else 503)
    assert code_of(response) == ("too_many_at_once" if holders == "own" else "busy")
    assert response.headers["Retry-After"] == "5"
    assert rows_of(owner_api.team) == before
    assert owner_api.request(method, path, body).status_code in {200, 201}
