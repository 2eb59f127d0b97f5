"""The Images page, and the list of the private registry's images."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from images.models import ImageRepository, ImageTag
from licenses.models import Application
from teams.models import Membership, Team
from tests.integration.images.pages.private_images import (
    HOST,
    IMAGES,
    LIST,
    address,
)
from tests.support.pages.reading import copyable_of, text_of
from tests.support.pages.team_pages import signed_in
from tests.support.rows.factories import (
    ApplicationFactory,
    ImageBlobFactory,
    ImageRepositoryFactory,
)


@pytest.fixture(autouse=True)
def host(settings: Any) -> None:
    settings.BERTH_REGISTRY_HOST = HOST


# The Images page


def test_images_page_shows_what_is_stored(viewing: Client, tag: ImageTag) -> None:
    ImageBlobFactory(manifest=tag.manifest, size=3 * 2**20)

    response = viewing.get(IMAGES)

    text = text_of(response)
    assert re.search(r"my-app/api 1 3\.0\WMB now never", text)
    assert re.search(r"Your images use 3\.0\WMB of storage\.", text)
    assert f'href="{address(tag.repository)}"' in response.content.decode()
    assert f'href="{LIST}"' in response.content.decode()


def test_images_page_shows_the_newest_only(
    viewing: Client, application: Application
) -> None:
    for number in range(11):
        ImageRepositoryFactory(application=application, name=f"r{number}")

    text = text_of(viewing.get(IMAGES))

    assert "my-app/r10 " in text
    assert "my-app/r0 " not in text
    assert "Showing the 10 newest." in text


def test_images_page_shows_the_push_commands(
    owner: Membership, viewing: Client, application: Application
) -> None:
    response = signed_in(owner).get(IMAGES)

    text = text_of(response)
    assert "Push your first image with the commands below." in text
    assert "a user token from API tokens" in text
    assert "unless your account has a second factor" in text
    for page in ("api-tokens", "service-accounts"):
        paragraph = response.content.decode().partition("Log in with your e-mail")[2]
        assert f'href="/t/acme/{page}"' in paragraph
    assert copyable_of(response)[-1].startswith(f"docker login {HOST} --username ")
    assert f"docker push {HOST}/my-app/IMAGE_NAME:TAG" in text

    assert "Your role cannot." in text_of(viewing.get(IMAGES))


def test_without_a_registry_host_there_are_no_images(
    viewing: Client, tag: ImageTag, settings: Any
) -> None:
    settings.BERTH_REGISTRY_HOST = ""

    text = text_of(viewing.get(IMAGES))

    assert "has no private registry" in text
    assert "my-app/api" not in text


# The list


def test_list_shows_storage_by_application(
    viewing: Client, team: Team, tag: ImageTag
) -> None:
    ImageBlobFactory(manifest=tag.manifest, size=2**20)
    other = ApplicationFactory(team=team, name="Other app", slug="other-app")
    blob = ImageBlobFactory(manifest__repository__application=other, size=5 * 2**20)
    ImageBlobFactory(
        manifest__repository__application=other, digest=blob.digest, size=5 * 2**20
    )

    text = text_of(viewing.get(LIST))

    assert re.search(r"Storage: 6\.0\WMB", text)
    assert re.search(r"Other app 5\.0\WMB My app 1\.0\WMB", text)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({}, {"api", "web"}),
        ({"application": "my-app"}, {"api"}),
        ({"application": "nowhere"}, set()),
        ({"search": "WE"}, {"web"}),
        ({"search": "my-app/a"}, {"api"}),
        ({"search": f" {HOST}/other-app/web "}, {"web"}),
        ({"search": "%"}, set()),
    ],
)
def test_filters(
    viewing: Client,
    team: Team,
    image: ImageRepository,
    query: dict[str, str],
    shown: set[str],
) -> None:
    other = ApplicationFactory(team=team, slug="other-app")
    ImageRepositoryFactory(application=other, name="web")

    response = viewing.get(LIST, query, headers={"HX-Request": "true"})

    assert "<html" not in response.content.decode()
    assert {row.name for row in response.context["page"].rows} == shown
    if not shown:
        assert "No image matches" in text_of(response)


def test_list_has_pages(viewing: Client, application: Application) -> None:
    for number in range(30):
        ImageRepositoryFactory(application=application, name=f"r{number:02}")

    first = viewing.get(LIST)
    older = viewing.get(LIST, {"page": first.context["page"].next})

    shown = [row.name for page in (first, older) for row in page.context["page"].rows]
    assert shown == [f"r{number:02}" for number in reversed(range(30))]


def test_empty_list_links_to_the_commands(viewing: Client, team: Team) -> None:
    response = viewing.get(LIST)

    assert "No images yet" in text_of(response)
    assert f'href="{IMAGES}#private-registry"' in response.content.decode()


def test_application_links_to_its_images(
    viewing: Client, application: Application
) -> None:
    response = viewing.get("/t/acme/applications/my-app")

    assert f'href="{LIST}?application=my-app"' in response.content.decode()
