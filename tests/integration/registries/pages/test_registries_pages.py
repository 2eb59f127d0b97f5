"""The Images page, and the page of one registry."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from licenses.models import Application
from portal.limits.waiting import waiting
from registries.models import CredentialCheck, ExternalRegistry
from teams.models import Membership, Team
from tests.support.pages.reading import copyable_of
from tests.support.rows.factories import (
    ApplicationFactory,
    CacheUseFactory,
    CredentialCheckFactory,
    ExternalRegistryFactory,
    LicenseFactory,
    PullEventFactory,
    RegistryShareFactory,
)

IMAGES = "/t/acme/images"
LIST_QUERIES = 18
DETAIL_QUERIES = 18


@pytest.fixture
def browser(client: Client, member: Membership) -> Client:
    client.force_login(member.user)
    return client


@pytest.fixture
def application(team: Team) -> Application:
    return ApplicationFactory(team=team, name="My app", slug="my-app")


@pytest.fixture
def registry(team: Team) -> ExternalRegistry:
    return ExternalRegistryFactory(team=team, endpoint="quay.io", health="valid")


def address(registry: ExternalRegistry, action: str = "") -> str:
    return f"/t/acme/registries/{registry.pk}" + (f"/{action}" if action else "")


def text_of(response: Any) -> str:
    text = response.content.decode()
    assert "upstream-password" not in text
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def test_list_shows_registries(browser: Client, team: Team) -> None:
    ExternalRegistryFactory(team=team, endpoint="quay.io", health="rejected")
    shared = ExternalRegistryFactory(
        team=team,
        endpoint="registry.example.com:5000",
        shared_with_all=False,
        health="valid",
        health_checked_at=timezone.now() - timedelta(hours=3),
    )
    for slug in ("a", "b", "c", "d"):
        application = ApplicationFactory(team=team, slug=slug)
        RegistryShareFactory(registry=shared, application=application)

    response = browser.get(IMAGES)

    text = text_of(response)
    assert "quay.io Other registry quay.io All applications Rejected" in text
    assert re.search(
        r"registry\.example\.com Other registry registry\.example\.com:5000 "
        r"\w, \w, \w and 1 more Valid 3 h ago",
        text,
    )
    assert f'href="{address(shared)}"' in response.content.decode()


def test_empty_list_links_to_the_dialog(
    browser: Client, client: Client, viewer: Membership
) -> None:
    assert 'href="/t/acme/registries/add"' in browser.get(IMAGES).content.decode()

    client.force_login(viewer.user)
    response = client.get(IMAGES)

    assert "No external registries yet" in text_of(response)
    assert "/t/acme/registries/add" not in response.content.decode()


def test_private_registry_has_commands_to_copy(
    browser: Client, application: Application, settings: Any
) -> None:
    settings.BERTH_REGISTRY_HOST = "registry.acme.example"

    assert copyable_of(browser.get(IMAGES)) == [
        "docker login registry.acme.example --username member@acme.example",
    ]
    # What has a place for a name is no command to copy.
    text = text_of(browser.get(IMAGES))
    assert "docker push registry.acme.example/my-app/IMAGE_NAME:TAG" in text


def test_private_registry_shows_what_is_missing(
    browser: Client, team: Team, settings: Any
) -> None:
    settings.BERTH_REGISTRY_HOST = ""
    assert "has no private registry" in text_of(browser.get(IMAGES))

    settings.BERTH_REGISTRY_HOST = "registry.acme.example"
    assert "No applications yet" in text_of(browser.get(IMAGES))

    ApplicationFactory.create_batch(26, team=team)
    response = browser.get(IMAGES)
    assert len(copyable_of(response)) == 25
    assert "Showing your newest applications." in text_of(response)


@pytest.mark.parametrize("number", [1, 30])
def test_list_queries_do_not_grow_with_rows(
    number: int,
    browser: Client,
    team: Team,
    django_assert_num_queries: DjangoAssertNumQueries,
    settings: Any,
) -> None:
    settings.BERTH_REGISTRY_HOST = "registry.acme.example"
    for _ in range(number):
        registry = ExternalRegistryFactory(team=team, shared_with_all=False)
        RegistryShareFactory(registry=registry)
    browser.get(IMAGES)

    with django_assert_num_queries(LIST_QUERIES):
        browser.get(IMAGES)


@pytest.mark.parametrize("number", [1, 30])
def test_detail_queries_do_not_grow_with_rows(
    number: int,
    browser: Client,
    team: Team,
    registry: ExternalRegistry,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(number):
        CredentialCheckFactory(registry=registry)
        license = LicenseFactory(team=team)
        PullEventFactory(team=team, registry=registry, license=license)
        PullEventFactory(
            team=team,
            license=license,
            repository="quay.io/a/b",
            outcome="license_expired",
        )
    browser.get(address(registry))

    with django_assert_num_queries(DETAIL_QUERIES):
        browser.get(address(registry))


def test_history_of_checks_has_pages(
    browser: Client, registry: ExternalRegistry
) -> None:
    for number in range(12):
        CredentialCheckFactory(registry=registry, detail=f"Check {number}.")
    CredentialCheckFactory(detail="Of another team.")

    first = browser.get(address(registry))
    older = browser.get(address(registry), {"page": first.context["page"].next})

    shown = [
        check.detail for page in (first, older) for check in page.context["page"].rows
    ]
    assert shown == [f"Check {number}." for number in reversed(range(12))]


def test_a_busy_team_keeps_the_image_to_check(
    browser: Client, registry: ExternalRegistry, team: Team
) -> None:
    with waiting(team.pk), waiting(team.pk):
        response = browser.post(
            address(registry, "check"), {"check-image": "my-org/api:v7"}
        )

    assert (response.status_code, response.headers["Retry-After"]) == (429, "5")
    refusal = "Too many of your requests are waiting for other servers."
    assert refusal in text_of(response)
    assert 'value="my-org/api:v7"' in response.content.decode()
    assert not CredentialCheck.objects.exists()


def test_the_page_says_how_many_pulls_the_cache_answered_in_an_outage(
    browser: Client, team: Team, registry: ExternalRegistry
) -> None:
    assert "The cache answered" not in text_of(browser.get(address(registry)))
    today = timezone.now().date()
    for days, number in ((0, 1_200), (29, 34), (30, 500)):
        CacheUseFactory(
            registry=registry, day=today - timedelta(days=days), stale_pulls=number
        )
    CacheUseFactory(registry__team=team, stale_pulls=9)
    PullEventFactory(team=team, registry=registry, count=40, stale=7)

    text = text_of(browser.get(address(registry)))

    assert (
        "The cache answered 1,234 pulls in the last 30 days while the registry was "
        "unavailable."
    ) in text
    assert "7 from the cache: the registry was unavailable" in text


def test_pulls_are_shown_and_refused_ones_explained(
    browser: Client, team: Team, registry: ExternalRegistry, member: Membership
) -> None:
    license = LicenseFactory(team=team, customer__name="Example Corp")
    now = timezone.now()
    PullEventFactory(
        team=team,
        registry=registry,
        repository="quay.io/a/vendor",
        holder=f"user:{member.user.pk}",
        last_at=now,
    )
    PullEventFactory(
        team=team,
        license=license,
        repository="quay.io/a/refused",
        outcome="license_expired",
        last_at=now - timedelta(minutes=1),
    )
    PullEventFactory(team=team, license=license, repository="gcr.io/a/elsewhere")

    response = browser.get(address(registry))

    text = text_of(response)
    assert "elsewhere" not in text
    assert f"my-app quay.io/a/vendor:v1.0.1 {member.user.email} Allowed 1" in text
    assert "my-app quay.io/a/refused:v1.0.1 Example Corp License expired Why?" in text
    (why,) = re.findall(r'href="(/t/acme/why\?[^"]*)"', response.content.decode())
    query = parse_qs(urlsplit(why.replace("&amp;", "&")).query)
    assert query == {
        "license": [str(license.pk)],
        "image": ["proxy/my-app/quay.io/a/refused:v1.0.1"],
    }


def test_only_registry_managers_see_username_and_buttons(
    client: Client,
    member: Membership,
    support: Membership,
    viewer: Membership,
    registry: ExternalRegistry,
) -> None:
    actions = ["check", "edit", "credential", "duplicate", "delete"]

    def sees(membership: Membership) -> tuple[bool, list[str]]:
        client.force_login(membership.user)
        text = client.get(address(registry)).content.decode()
        assert "upstream-password" not in text
        shown = [action for action in actions if address(registry, action) in text]
        return ">puller<" in text, shown

    assert sees(member) == (True, actions)
    assert sees(support) == (False, [])
    assert sees(viewer) == (False, [])
