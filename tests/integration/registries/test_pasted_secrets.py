"""What copying adds to a secret is removed and reported, or named as the mistake."""

from __future__ import annotations

import html
import re
import uuid
from typing import Any

import pytest
from django.test import Client

from registries.models import ExternalRegistry
from registries.selectors import active_credential
from teams.models import Membership
from tests.integration.registries.conftest import Upstream
from tests.support.clients.api import ApiClient
from tests.support.pages.reading import text_of

REMOVED = "Line breaks around the secret were removed."


def stored_secret() -> str:
    return active_credential(ExternalRegistry.objects.get()).secret.reveal()


@pytest.mark.parametrize("around", ["{}\n", "{}\r\n", "\n{}", "\r\n{}\n\n"])
def test_the_api_removes_line_breaks_around_a_secret(
    around: str, owner_api: ApiClient, upstream: Upstream
) -> None:
    secret = around.format(upstream.password)

    response = owner_api.post("/registries", upstream.body(secret=secret))

    assert response.status_code == 201, response.content
    assert response.json()["health"] == "valid"
    assert stored_secret() == upstream.password


def test_the_api_removes_them_from_a_replacement(
    owner_api: ApiClient, upstream: Upstream
) -> None:
    owner_api.post("/registries", upstream.body(secret="old", skip_test=True))

    response = owner_api.put(
        "/registries/sample/credential",
        {"username": f"{upstream.username}\n", "secret": f"{upstream.password}\n"},
    )

    assert response.status_code == 200, response.content
    assert stored_secret() == upstream.password


def submitted(upstream: Upstream, **fields: Any) -> dict[str, Any]:
    return {
        "endpoint": upstream.endpoint,
        "slug": "sample",
        "username": upstream.username,
        "shared_with": "all",
        "repository_patterns": "*",
        "submission": str(uuid.uuid4()),
        **fields,
    }


@pytest.mark.parametrize(("end", "is_reported"), [("\r\n", True), ("", False)])
def test_the_page_says_that_it_removed_them(
    end: str,
    is_reported: bool,
    client: Client,
    owner: Membership,
    upstream: Upstream,
) -> None:
    client.force_login(owner.user)
    body = submitted(upstream, secret=upstream.password + end)

    response = client.post("/t/acme/registries/add?provider=other", body)

    assert stored_secret() == upstream.password
    page = text_of(client.get(response.headers["Location"]))
    assert (REMOVED in page) is is_reported


@pytest.mark.parametrize(
    ("field", "value"), [("secret", "two\nlines"), ("username", "two\tcells")]
)
def test_a_control_character_is_named(
    field: str, value: str, owner_api: ApiClient, upstream: Upstream
) -> None:
    response = owner_api.post("/registries", upstream.body(**{field: value}))

    assert response.status_code == 400
    (message,) = response.json()["errors"][field]
    assert "contains a line break or another control character" in message
    assert not ExternalRegistry.objects.exists()


@pytest.mark.parametrize(("end", "is_named"), [(" ", True), ("x", False)])
def test_a_space_at_the_end_is_kept_and_named_when_refused(
    end: str,
    is_named: bool,
    owner_api: ApiClient,
    upstream: Upstream,
) -> None:
    body = upstream.body(secret=upstream.password + end)

    response = owner_api.post("/registries", body)

    detail = html.unescape(response.json()["detail"])
    assert "refused this username and password." in detail
    assert bool(re.search("begins or ends with a space", detail)) is is_named
