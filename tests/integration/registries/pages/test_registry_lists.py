"""The lists of external registries and private images: order, total and CSV."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from registries.models.health import Outcome
from teams.models import Membership, Team
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in
from tests.support.rows.factories import (
    ApplicationFactory,
    ExternalRegistryFactory,
    ImageManifestFactory,
    ImageRepositoryFactory,
    RegistryShareFactory,
)

IMAGES = "/t/acme/images"
REGISTRIES = "/t/acme/registries.csv"
PRIVATE = "/t/acme/private-registry"


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


def downloaded(browser: Client, address: str) -> list[dict[str, str]]:
    response: Any = browser.get(address)
    assert response.status_code == 200
    text = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def titles(browser: Client, address: str) -> list[str]:
    page = browser.get(address).content.decode()
    return re.findall(r'class="berth-row-link"[^>]*>([^<]+)<', page)


@pytest.fixture
def three(team: Team) -> None:
    for slug, endpoint, health, checked_at in (
        ("quay", "quay.io", Outcome.VALID, datetime(2026, 5, 1, tzinfo=UTC)),
        ("ghcr", "ghcr.io", Outcome.REJECTED, None),
        ("hub", "docker.io", Outcome.VALID, datetime(2026, 6, 1, tzinfo=UTC)),
    ):
        ExternalRegistryFactory(
            team=team,
            slug=slug,
            endpoint=endpoint,
            health=health,
            health_checked_at=checked_at,
        )
    ExternalRegistryFactory(slug="theirs")


@pytest.mark.parametrize(
    ("query", "slugs"),
    [
        ("", ["hub", "ghcr", "quay"]),
        ("sort=slug", ["ghcr", "hub", "quay"]),
        ("sort=endpoint", ["hub", "ghcr", "quay"]),
        ("sort=-health", ["hub", "quay", "ghcr"]),
        ("sort=-checked", ["hub", "quay", "ghcr"]),
        ("sort=checked", ["ghcr", "quay", "hub"]),
        ("sort=shared_with", ["hub", "ghcr", "quay"]),
    ],
)
def test_registries_are_sorted_alike_on_the_page_and_as_csv(
    query: str, slugs: list[str], browser: Client, three: None
) -> None:
    rows = downloaded(browser, f"{REGISTRIES}?{query}")

    if query == "sort=-health":  # two are alike
        assert {*titles(browser, f"{IMAGES}?{query}")[:2]} == {*slugs[:2]}
        assert rows[-1]["slug"] == slugs[-1]
    else:
        assert titles(browser, f"{IMAGES}?{query}") == slugs
        assert [row["slug"] for row in rows] == slugs
    assert "3 registries" in text_of(browser.get(IMAGES))


def test_the_csv_of_registries_says_what_they_are_for_and_no_secret(
    browser: Client, team: Team
) -> None:
    registry = ExternalRegistryFactory(
        team=team,
        shared_with_all=False,
        repository_patterns=["my-org/*", "public/*"],
        test_image="my-org/api:v1",
    )
    credential = registry.credentials.get()
    for slug in ("two", "one"):
        application = ApplicationFactory(team=team, slug=slug)
        RegistryShareFactory(registry=registry, application=application)

    (row,) = downloaded(browser, REGISTRIES)

    assert row["shared_with"] == "one two"
    assert row["repositories"] == "my-org/* public/*"
    assert row["test_image"] == "my-org/api:v1"
    assert row["checked"] == ""
    text = ",".join(row.values())
    assert credential.secret.reveal() not in text
    assert credential.username.reveal() not in text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["b/api", "a/web", "a/api"]),
        ("sort=image", ["a/api", "a/web", "b/api"]),
        ("sort=-pushed", ["a/web", "b/api", "a/api"]),
        ("sort=pulled", ["b/api", "a/api", "a/web"]),
        ("sort=-image&application=a", ["a/web", "a/api"]),
        ("sort=image&search=api", ["a/api", "b/api"]),
    ],
)
def test_private_images_are_sorted_and_filtered_alike_on_the_page_and_as_csv(
    query: str, names: list[str], browser: Client, team: Team
) -> None:
    applications = {
        slug: ApplicationFactory(team=team, slug=slug) for slug in ("a", "b")
    }
    for whole, pushed, pulled in (
        ("a/api", 1, 2),
        ("a/web", 3, 3),
        ("b/api", 2, None),
    ):
        slug, name = whole.split("/")
        ImageManifestFactory(
            repository=ImageRepositoryFactory(
                application=applications[slug], name=name
            ),
            pushed_at=datetime(2026, 5, pushed, tzinfo=UTC),
            last_pulled_at=pulled and datetime(2026, 6, pulled, tzinfo=UTC),
        )
    ImageManifestFactory()

    shown = titles(browser, f"{PRIVATE}?{query}")
    rows = downloaded(browser, f"{PRIVATE}.csv?{query}")

    assert [row["image"] for row in rows] == shown == names
    assert f"{len(names)} images" in text_of(browser.get(f"{PRIVATE}?{query}"))
