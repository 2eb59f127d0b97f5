"""The slug of an application is changed on its page."""

from __future__ import annotations

import pytest
from django.test import Client

from licenses.models import Application, RetiredSlug
from teams.models import Membership, Team
from tests.support.pages.reading import text_of
from tests.support.rows.factories import (
    ApplicationFactory,
    ImageTagFactory,
    LicenseFactory,
)
from tests.support.rows.world import rows_of

PAGE = "/t/acme/applications/my-app"
SLUG = f"{PAGE}/slug"


@pytest.fixture
def browser(client: Client, owner: Membership) -> Client:
    client.force_login(owner.user)
    return client


@pytest.fixture
def application(team: Team) -> Application:
    made: Application = ApplicationFactory(team=team, name="My App", slug="my-app")
    return made


def test_the_dialog_says_what_stops_and_changes_it(
    browser: Client, application: Application, team: Team
) -> None:
    LicenseFactory(team=team, application=application)
    LicenseFactory(team=team, application=application, revoked=True)
    assert SLUG in browser.get(PAGE).content.decode()

    asked = browser.get(SLUG)
    assert " disabled" not in asked.content.decode()
    changed = browser.post(SLUG, {"slug": "my-tool"})

    assert "my-app stop working immediately, and 1 active license uses them" in (
        text_of(asked)
    )
    assert changed.headers["Location"] == "/t/acme/applications/my-tool"
    application.refresh_from_db()
    assert application.slug == "my-tool"
    assert RetiredSlug.objects.get().slug == "my-app"


@pytest.mark.parametrize(
    ("slug", "said"),
    [
        ("other", "This slug is taken. Choose another one."),
        ("proxy", "This slug is reserved. Choose another one."),
        ("", "This field is required."),
    ],
)
def test_another_slug_is_asked_for(
    browser: Client, application: Application, team: Team, slug: str, said: str
) -> None:
    ApplicationFactory(team=team, slug="other")
    before = rows_of(team)

    refused = browser.post(SLUG, {"slug": slug})

    assert said in text_of(refused)
    assert rows_of(team) == before


def test_images_in_the_private_registry_are_in_the_way(
    browser: Client, application: Application, team: Team
) -> None:
    ImageTagFactory(manifest__repository__application=application)
    before = rows_of(team)

    asked = browser.get(SLUG)
    refused = browser.post(SLUG, {"slug": "my-tool"})

    assert "which are stored under its slug" in text_of(asked)
    assert 'name="slug" value="my-app"' in asked.content.decode()
    assert " disabled" in asked.content.decode()
    assert ">Change slug</button>" not in asked.content.decode()
    assert "Delete the images first" in text_of(refused)
    assert rows_of(team) == before


def test_who_may_not_change_applications_is_refused(
    client: Client, viewer: Membership, application: Application, team: Team
) -> None:
    client.force_login(viewer.user)
    assert SLUG not in client.get(PAGE).content.decode()
    before = rows_of(team)

    assert client.post(SLUG, {"slug": "my-tool"}).status_code == 403

    assert rows_of(team) == before
