from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from licenses.models import Application, Channel
from teams.models import Membership, Team
from teams.web.forms import slug_from
from tests.support.pages.reading import text_of
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    ChannelFactory,
    LicenseFactory,
    LicenseFieldFactory,
)
from tests.support.rows.world import rows_of

LIST = "/t/acme/applications"
ADD = "/t/acme/new-application"
PAGE = f"{LIST}/my-app"


@pytest.fixture
def browser(client: Client, owner: Membership) -> Client:
    client.force_login(owner.user)
    return client


@pytest.fixture
def application(team: Team) -> Application:
    return ApplicationFactory(team=team, name="My App", slug="my-app")


def submission() -> dict[str, str]:
    return {"submission": str(uuid.uuid4())}


def seen(browser: Client, address: str) -> str:
    return str(browser.get(address).context["form"].initial["seen"])


def test_list_leads_to_the_first_application(browser: Client) -> None:
    page = browser.get(LIST)

    assert "No applications yet" in text_of(page)
    assert ADD in page.content.decode()


def test_list_shows_channels_and_licenses_that_pull_now(
    browser: Client, application: Application, team: Team
) -> None:
    ChannelFactory(application=application, name="Beta", slug="beta")
    LicenseFactory(team=team, application=application)
    LicenseFactory(team=team, application=application)
    LicenseFactory(team=team, application=application, revoked=True)
    LicenseFactory(
        team=team, application=application, expires_at="2020-01-01T00:00:00Z"
    )
    ApplicationFactory(name="Theirs", slug="theirs")

    page = browser.get(LIST)

    assert "My App my-app Stable, Beta 2 " in text_of(page)
    assert "Theirs" not in text_of(page)


def test_add_makes_the_slug_from_the_name(browser: Client, team: Team) -> None:
    response = browser.post(ADD, {"name": "My Great App!", "slug": "", **submission()})

    assert response.status_code == 302
    assert response.headers["Location"] == f"{LIST}/my-great-app"
    assert audited(team) == [
        ("application:created", "my-great-app"),
        ("channel:created", "my-great-app/stable"),
    ]
    assert "My Great App! is added." in text_of(browser.get(f"{LIST}/my-great-app"))


def test_add_takes_the_slug_that_is_given(browser: Client) -> None:
    browser.post(ADD, {"name": "My App", "slug": "other.slug", **submission()})

    assert Application.objects.get().slug == "other.slug"


@pytest.mark.parametrize(
    ("sent", "field", "message"),
    [
        ({"name": "", "slug": ""}, "name", "This field is required."),
        ({"name": "???", "slug": ""}, "slug", "No slug can be derived from this name."),
        ({"name": "App", "slug": "My App"}, "slug", "Use lower-case letters"),
        ({"name": "App", "slug": "taken"}, "slug", "This slug is taken."),
        ({"name": "a" * 151, "slug": "a"}, "name", "at most 150 characters"),
        ({"name": "a\x01b", "slug": "a"}, "name", "Control characters"),
    ],
)
def test_add_says_beside_the_field_what_is_wrong(
    sent: dict[str, str], field: str, message: str, browser: Client, team: Team
) -> None:
    ApplicationFactory(slug="taken")
    before = rows_of(team)

    response = browser.post(ADD, {**sent, **submission()})

    assert message in " ".join(response.context["form"].errors[field])
    assert f'id="id_{field}_errors"' in response.content.decode()
    assert rows_of(team) == before


def test_add_sent_twice_makes_one(browser: Client) -> None:
    body = {"name": "My App", "slug": "", **submission()}

    first, second = browser.post(ADD, body), browser.post(ADD, body)

    assert first.headers["Location"] == second.headers["Location"]
    assert Application.objects.count() == 1


def test_an_application_may_be_called_like_a_page(browser: Client) -> None:
    for slug in ("new", "add", "new-application"):
        browser.post(ADD, {"name": slug, "slug": slug, **submission()})

        assert browser.get(f"{LIST}/{slug}").status_code == 200


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My App", "my-app"),
        ("  Über _-- App 2.0 ", "uber-app-20"),
        ("日本", ""),
        ("x" * 63 + " y", "x" * 63),
    ],
)
def test_slug_from_a_name(name: str, slug: str) -> None:
    assert slug_from(name) == slug


def test_detail_shows_channels_and_fields(
    browser: Client, application: Application
) -> None:
    LicenseFieldFactory(
        application=application, name="seats", type="Integer", default=0
    )

    text = text_of(browser.get(PAGE))

    assert "Stable default stable 0 " in text
    assert "Seats seats Integer 0 " in text


def test_detail_names_no_private_registry_that_is_not_there(
    browser: Client, application: Application, settings: Any
) -> None:
    settings.BERTH_REGISTRY_HOST = ""

    assert "private registry" not in text_of(browser.get(PAGE))


def test_rename_keeps_the_slug(
    browser: Client, application: Application, team: Team
) -> None:
    address = f"{PAGE}/edit"
    body = {"name": "Better App", "slug": "hacked", "seen": seen(browser, address)}

    assert browser.post(address, body).headers["Location"] == PAGE

    application.refresh_from_db()
    assert (application.name, application.slug) == ("Better App", "my-app")
    assert audited(team) == [("application:changed", "my-app")]


def test_rename_reports_a_concurrent_change(
    browser: Client, application: Application
) -> None:
    address = f"{PAGE}/edit"
    before = seen(browser, address)
    Application.objects.update(name="Changed by another user")

    response = browser.post(address, {"name": "Mine", "seen": before})

    assert "Somebody else has changed this." in text_of(response)
    assert Application.objects.get().name == "Changed by another user"


def test_delete_takes_an_unused_application(
    browser: Client, application: Application, team: Team
) -> None:
    address = f"{PAGE}/delete"
    assert "Only your team can reuse the slug." in text_of(browser.get(address))

    assert browser.post(address).headers["Location"] == LIST

    assert not Application.objects.exists()
    assert audited(team) == [("application:deleted", "my-app")]


def test_delete_is_refused_while_licenses_exist(
    browser: Client, application: Application, team: Team
) -> None:
    LicenseFactory(team=team, application=application, revoked=True)
    before = rows_of(team)

    page = browser.get(f"{PAGE}/delete")
    response = browser.post(f"{PAGE}/delete")

    assert "has 1 license, including revoked and expired ones" in text_of(page)
    assert "btn-danger" not in page.content.decode()
    assert "deleting it would break their pulls" in text_of(response)
    assert rows_of(team) == before


def test_add_channel_that_takes_over_as_default(
    browser: Client, application: Application, team: Team
) -> None:
    body = {"name": "Beta", "slug": "", "is_default": "on", **submission()}

    first = browser.post(f"{PAGE}/channels/new", body)
    second = browser.post(f"{PAGE}/channels/new", body)

    assert first.headers["Location"] == second.headers["Location"] == PAGE
    channels = application.channels.order_by("slug")
    assert [(channel.slug, channel.is_default) for channel in channels] == [
        ("beta", True),
        ("stable", False),
    ]
    assert audited(team) == [("channel:created", "my-app/beta")]


def test_add_channel_says_what_is_wrong(
    browser: Client, application: Application, team: Team
) -> None:
    before = rows_of(team)

    taken = browser.post(
        f"{PAGE}/channels/new", {"name": "Stable", "slug": "", **submission()}
    )
    invalid = browser.post(
        f"{PAGE}/channels/new", {"name": "B", "slug": "B b", **submission()}
    )

    assert "The application has a channel with this slug." in text_of(taken)
    assert "Use lower-case letters" in str(invalid.context["form"].errors["slug"])
    assert rows_of(team) == before


def test_delete_channel(browser: Client, application: Application, team: Team) -> None:
    channel = ChannelFactory(application=application, slug="beta")

    response = browser.post(f"{PAGE}/channels/{channel.pk}/delete")

    assert response.headers["Location"] == PAGE
    assert [channel.slug for channel in application.channels.all()] == ["stable"]
    assert audited(team) == [("channel:deleted", "my-app/beta")]


def test_delete_channel_is_refused_for_the_default_and_for_one_in_use(
    browser: Client, application: Application, team: Team
) -> None:
    default = application.channels.get()
    used = ChannelFactory(application=application, slug="beta")
    LicenseFactory(team=team, application=application, channel=used)
    before = rows_of(team)

    refused = {
        channel: browser.post(f"{PAGE}/channels/{channel.pk}/delete")
        for channel in (default, used)
    }

    assert "The default channel cannot be deleted." in text_of(refused[default])
    assert "Licenses are on this channel." in text_of(refused[used])
    assert rows_of(team) == before


CHANGES = ["edit", "delete", "channels/new"]


@pytest.mark.parametrize("role", ["support", "sales", "read-only"])
def test_other_roles_look_and_change_nothing(
    role: str, browser: Client, owner: Membership, application: Application, team: Team
) -> None:
    owner.role = role
    owner.save()
    channel = ChannelFactory(application=application)
    before = rows_of(team)

    page = browser.get(PAGE).content.decode()
    changed = [
        browser.post(address, {"name": "x", **submission()}).status_code
        for address in (
            ADD,
            *(f"{PAGE}/{change}" for change in CHANGES),
            f"{PAGE}/channels/{channel.pk}/delete",
        )
    ]

    assert "My App" in page
    assert "/edit" not in page
    assert "/delete" not in page
    assert "/new" not in page
    assert changed == [403] * 5
    assert rows_of(team) == before


def test_another_licenses_application_is_unknown(
    client: Client, outsider: Membership, application: Application, team: Team
) -> None:
    client.force_login(outsider.user)
    before = rows_of(team)

    answers = [
        client.post(address).status_code if "/" in change else client.get(address)
        for change in CHANGES
        for address in (f"/t/rival/applications/my-app/{change}",)
    ]

    assert client.get("/t/rival/applications/my-app").status_code == 404
    assert [getattr(answer, "status_code", answer) for answer in answers] == [404] * 3
    assert rows_of(team) == before


@pytest.mark.parametrize("rows", [1, 25])
def test_list_takes_the_same_queries_for_any_number_of_rows(
    rows: int,
    browser: Client,
    team: Team,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for application in ApplicationFactory.create_batch(rows, team=team):
        LicenseFactory(team=team, application=application)

    with django_assert_num_queries(11):
        browser.get(LIST)


@pytest.mark.parametrize("rows", [1, 30])
def test_detail_takes_the_same_queries_for_any_number_of_rows(
    rows: int,
    browser: Client,
    application: Application,
    team: Team,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    ChannelFactory.create_batch(rows, application=application)
    LicenseFieldFactory.create_batch(rows, application=application)
    LicenseFactory.create_batch(rows, team=team, application=application)

    with django_assert_num_queries(15):
        browser.get(PAGE)


def test_channel_of_another_application_is_unknown(
    browser: Client, application: Application, team: Team
) -> None:
    channel = ChannelFactory(application=ApplicationFactory(team=team))

    response = browser.post(f"{PAGE}/channels/{channel.pk}/delete")

    assert response.status_code == 404
    assert Channel.objects.filter(pk=channel.pk).exists()
