"""No application takes a word that means something else at the start of a path."""

from __future__ import annotations

import re

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import get_resolver

from deploy.local.demo_settings import PROJECT
from edge.app import _ENDPOINTS
from edge.proxy.route import Kind
from licenses.models import Application
from teams.models import Membership, validate_slug
from tests.support.clients.api import ApiClient
from tests.support.pages.reading import text_of
from tests.support.rows.factories import ApplicationFactory


def first_segments() -> set[str]:
    """Return the words at which paths of portal, edge and nginx begin."""
    portal = {str(route.pattern) for route in get_resolver().url_patterns}
    edge = {path.removeprefix("/v2/") for path in _ENDPOINTS}
    nginx = (PROJECT / "deploy" / "nginx" / "berth.conf").read_text()
    locations = re.findall(r"location (?:= )?/(\S+)", nginx)
    below = {path.removeprefix("v2/") for path in locations}
    return {path.strip("/").split("/")[0] for path in portal | edge | below}


def is_slug(text: str) -> bool:
    try:
        validate_slug(text)
    except ValidationError:
        return False
    return True


def reserved_words() -> list[str]:
    words = {*first_segments(), *Kind, "proxy", "uploads", "v1", "static"}
    return sorted(word for word in words if is_slug(word))


def test_the_words_are_found() -> None:
    words = {"proxy", "token", "v2", "api", "admin", "t", "livez", "metrics", "tags"}

    assert words <= set(reserved_words())
    assert {"_catalog", "_authorize", ".well-known"}.isdisjoint(reserved_words())


@pytest.mark.parametrize("slug", [*reserved_words(), "_catalog", "_authorize"])
def test_the_api_refuses_it(slug: str, owner_api: ApiClient) -> None:
    response = owner_api.post("/applications", {"name": "Mine", "slug": slug})

    assert response.status_code == 400
    assert response.json()["errors"].keys() == {"slug"}
    assert not Application.objects.exists()


def test_the_page_refuses_a_slug_derived_from_the_name(
    client: Client, owner: Membership
) -> None:
    client.force_login(owner.user)
    address = "/t/acme/new-application"
    body = {
        "name": "Proxy",
        "slug": "",
        "submission": "7b9c2c62-8a43-4b63-b5c8-7f3b9a7f5e11",
    }

    response = client.post(address, body)

    assert "This slug is reserved. Choose another one." in text_of(response)
    assert not Application.objects.exists()


def test_an_application_from_before_can_still_be_renamed(
    owner: Membership, owner_api: ApiClient
) -> None:
    ApplicationFactory(team=owner.team, slug="tags", name="Old")

    response = owner_api.patch("/applications/tags", {"name": "New"})

    assert response.status_code == 200
    assert Application.objects.get().name == "New"
