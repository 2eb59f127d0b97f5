from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from licenses.models import Application, Channel, License, LicenseField
from licenses.selectors import password_values
from licenses.services import change_license
from teams.actors import Actor
from teams.models import Membership, Team
from tests.support.pages.reading import text_of
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    ChannelFactory,
    LicenseFactory,
    LicenseFieldFactory,
)
from tests.support.rows.world import rows_of

PAGE = "/t/acme/applications/my-app"
ADD = f"{PAGE}/fields/new"


@pytest.fixture
def browser(client: Client, owner: Membership) -> Client:
    client.force_login(owner.user)
    return client


@pytest.fixture
def application(team: Team) -> Application:
    return ApplicationFactory(team=team, name="My App", slug="my-app")


@pytest.fixture
def license(application: Application, team: Team) -> License:
    return LicenseFactory(team=team, application=application)


def new(**values: str) -> dict[str, str]:
    return {
        "submission": str(uuid.uuid4()),
        "name": "seats",
        "title": "Seats",
        "type": "String",
        **values,
    }


def edited(browser: Client, address: str, **values: str) -> Any:
    form = browser.get(address).context["form"]
    shown = {
        name: value
        for name, value in form.initial.items()
        if name in form.fields and value is not False
    }
    return browser.post(address, {**shown, **values})


@pytest.mark.parametrize(
    ("type", "default", "options", "stored"),
    [
        ("String", "hello", "", "hello"),
        ("Text", "a\r\nb", "", "a\nb"),
        ("Integer", "25", "", 25),
        ("Integer", "0", "", 0),
        ("Boolean", "True", "", True),
        ("Boolean", "false", "", False),
        ("Enum", "gold", "gold\r\n silver \r\n\r\ngold", "gold"),
        ("Password", "", "", None),
        ("String", "", "", None),
    ],
)
def test_add_a_field_of_each_type(
    type: str,
    default: str,
    options: str,
    stored: object,
    browser: Client,
    license: License,
    team: Team,
) -> None:
    body = new(type=type, default=default, options=options)

    first, second = browser.post(ADD, body), browser.post(ADD, body)

    assert first.headers["Location"] == second.headers["Location"] == PAGE
    field = LicenseField.objects.get()
    assert field.default == stored
    assert isinstance(field.default, bool) is isinstance(stored, bool)
    assert field.options == (["gold", "silver"] if type == "Enum" else [])
    license.refresh_from_db()
    assert license.sequence == 2
    assert audited(team) == [("license-field:created", "seats")]


@pytest.mark.parametrize(
    ("sent", "field", "message"),
    [
        ({"name": ""}, "name", "This field is required."),
        ({"name": "1x"}, "name", "Start with a letter"),
        ({"name": "expires_at"}, "name", "use expires_at for the license's own expiry"),
        ({"name": "taken"}, "name", "The application has a field with this name."),
        ({"title": ""}, "title", "This field is required."),
        ({"type": "Date"}, "type", "Select a valid choice."),
        ({"type": "Integer", "default": "many"}, "default", "Enter a whole number."),
        ({"type": "Integer", "default": "9" * 20}, "default", "64-bit integer"),
        ({"type": "Boolean", "default": "maybe"}, "default", "Enter true or false."),
        ({"type": "String", "default": "a\nb"}, "default", "A String has one line."),
        ({"type": "Password", "default": "x"}, "default", "cannot have a default"),
        ({"type": "Enum"}, "options", "Enter at least one option."),
        ({"type": "String", "options": "a"}, "options", "Only an Enum has options."),
        ({"type": "Enum", "options": "x" * 255}, "options", "254 characters"),
        (
            {"type": "Enum", "options": "a\nb", "default": "c"},
            "default",
            "must be one of: a, b.",
        ),
    ],
)
def test_add_says_beside_the_field_what_is_wrong(
    sent: dict[str, str],
    field: str,
    message: str,
    browser: Client,
    application: Application,
    team: Team,
) -> None:
    LicenseFieldFactory(application=application, name="taken")
    before = rows_of(team)

    response = browser.post(ADD, new(**sent))

    assert message in " ".join(response.context["form"].errors[field])
    assert rows_of(team) == before


def test_edit_keeps_name_and_type(
    browser: Client, application: Application, license: License, team: Team
) -> None:
    field = LicenseFieldFactory(
        application=application, name="plan", type="Enum", options=["a", "b"]
    )

    response = edited(
        browser,
        f"{PAGE}/fields/{field.pk}/edit",
        title="Plan",
        options="a\nb\nc",
        default="c",
        required="on",
        name="other",
        type="Text",
    )

    assert response.headers["Location"] == PAGE
    field.refresh_from_db()
    assert (field.name, field.type, field.title) == ("plan", "Enum", "Plan")
    assert (field.options, field.default) == (["a", "b", "c"], "c")
    assert (field.required, field.hidden) == (True, False)
    license.refresh_from_db()
    assert license.sequence == 2
    assert audited(team) == [("license-field:changed", "plan")]


@pytest.mark.parametrize(
    ("type", "default", "shown"),
    [("Boolean", False, "false"), ("Integer", 0, "0"), ("Text", "a\nb", "a\nb")],
)
def test_edit_without_a_change_changes_nothing(
    type: str,
    default: object,
    shown: str,
    browser: Client,
    application: Application,
    team: Team,
) -> None:
    field = LicenseFieldFactory(application=application, type=type, default=default)
    address = f"{PAGE}/fields/{field.pk}/edit"
    before = rows_of(team)

    assert browser.get(address).context["form"].initial["default"] == shown
    assert edited(browser, address).headers["Location"] == PAGE

    assert rows_of(team) == before


def test_edit_of_a_password_offers_no_default(
    browser: Client, application: Application
) -> None:
    field = LicenseFieldFactory(application=application, type="Password")

    response = edited(browser, f"{PAGE}/fields/{field.pk}/edit", default="secret")

    assert response.status_code == 302
    field.refresh_from_db()
    assert field.default is None


def test_edit_reports_a_concurrent_change(
    browser: Client, application: Application
) -> None:
    field = LicenseFieldFactory(application=application, title="Before")
    address = f"{PAGE}/fields/{field.pk}/edit"
    seen = browser.get(address).context["form"].initial["seen"]
    LicenseField.objects.update(title="Theirs")

    response = browser.post(address, {"title": "Mine", "seen": seen})

    assert "Somebody else has changed this." in text_of(response)
    assert LicenseField.objects.get().title == "Theirs"


@pytest.mark.parametrize(
    ("type", "value", "says"),
    [
        ("Integer", 5, "1 license loses its value for seats"),
        ("Password", "s3cret-value", "Up to 1 license loses its password for seats"),
    ],
)
def test_delete_says_what_licenses_lose(
    type: str,
    value: object,
    says: str,
    browser: Client,
    application: Application,
    license: License,
    team: Team,
    actor: Actor,
) -> None:
    field = LicenseFieldFactory(application=application, name="seats", type=type)
    change_license(
        actor=actor, license=license, changes={"field_values": {"seats": value}}
    )
    address = f"{PAGE}/fields/{field.pk}/delete"

    page = browser.get(address)
    response = browser.post(address)

    assert says in text_of(page)
    assert "s3cret-value" not in page.content.decode()
    assert response.headers["Location"] == PAGE
    license.refresh_from_db()
    assert license.field_values == {}
    assert password_values(license) == {}
    assert audited(team)[-1] == ("license-field:deleted", "seats")


def test_delete_of_a_field_nobody_set(
    browser: Client, application: Application
) -> None:
    field = LicenseFieldFactory(application=application, name="seats")

    page = browser.get(f"{PAGE}/fields/{field.pk}/delete")

    assert "No license sets its own value for seats" in text_of(page)


def test_renaming_a_channel_raises_the_sequence_of_its_licenses(
    browser: Client, application: Application, license: License, team: Team
) -> None:
    address = f"{PAGE}/channels/{license.channel_id}/edit"
    assert "1 license uses this channel" in text_of(browser.get(address))

    response = edited(browser, address, name="Steady")

    assert response.headers["Location"] == PAGE
    license.refresh_from_db()
    assert (license.channel.name, license.sequence) == ("Steady", 2)
    assert audited(team) == [("channel:changed", "my-app/stable")]


def test_another_channel_becomes_the_default(
    browser: Client, application: Application
) -> None:
    beta = ChannelFactory(application=application, name="Beta", slug="beta")

    edited(browser, f"{PAGE}/channels/{beta.pk}/edit", is_default="on")

    default = Channel.objects.get(application=application, is_default=True)
    assert default == beta


def test_the_default_channel_cannot_stop_being_one(
    browser: Client, application: Application
) -> None:
    channel = application.channels.get()
    address = f"{PAGE}/channels/{channel.pk}/edit"

    page = browser.get(address)
    response = edited(browser, address, name="Steady")

    assert "is_default" not in page.context["form"].fields
    assert response.status_code == 302
    channel.refresh_from_db()
    assert (channel.name, channel.is_default) == ("Steady", True)


def test_channel_edit_reports_a_concurrent_change(
    browser: Client, application: Application
) -> None:
    channel = application.channels.get()
    address = f"{PAGE}/channels/{channel.pk}/edit"
    seen = browser.get(address).context["form"].initial["seen"]
    Channel.objects.update(name="Theirs")

    response = browser.post(address, {"name": "Mine", "seen": seen})

    assert "Somebody else has changed this." in text_of(response)
    assert Channel.objects.get().name == "Theirs"


def _addresses(application: Application) -> list[str]:
    field = LicenseFieldFactory(application=application)
    channel = application.channels.get()
    return [
        ADD,
        f"{PAGE}/fields/{field.pk}/edit",
        f"{PAGE}/fields/{field.pk}/delete",
        f"{PAGE}/channels/{channel.pk}/edit",
    ]


@pytest.mark.parametrize("role", ["support", "sales", "read-only"])
def test_other_roles_change_nothing(
    role: str, browser: Client, owner: Membership, application: Application, team: Team
) -> None:
    owner.role = role
    owner.save()
    addresses = _addresses(application)
    before = rows_of(team)

    assert [browser.get(address).status_code for address in addresses] == [403] * 4
    assert [browser.post(address).status_code for address in addresses] == [403] * 4
    assert rows_of(team) == before


def test_outsiders_find_nothing(
    client: Client, outsider: Membership, application: Application, team: Team
) -> None:
    client.force_login(outsider.user)
    addresses = _addresses(application)
    before = rows_of(team)

    for address in addresses:
        assert client.post(address).status_code == 404
        assert client.post(address.replace("acme", "rival")).status_code == 404
    assert rows_of(team) == before


def test_field_of_another_application_is_unknown(
    browser: Client, application: Application, team: Team
) -> None:
    field = LicenseFieldFactory(application=ApplicationFactory(team=team))

    assert browser.post(f"{PAGE}/fields/{field.pk}/delete").status_code == 404
    assert LicenseField.objects.filter(pk=field.pk).exists()
