"""Licenses from CSV: every error, then the effect, then all of them or none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alerts.models import Alert
from licenses.models import Application, Customer, License, LicenseField, Notice
from licenses.selectors import licenses_with_id, password_values
from licenses.services import archive_customer, delete_application
from portal.crypto.secrets import Secret
from teams.actors import Actor
from teams.models import Membership, Team
from teams.permissions import Role
from tests.integration.licenses.imports.test_customer_import import (
    confirmation,
    problems_of,
)
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in, submission
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApplicationFactory,
    ChannelFactory,
    CustomerFactory,
    LicenseFactory,
    LicenseFieldFactory,
    MembershipFactory,
    WebhookFactory,
)

IMPORT = "/t/acme/licenses/import"
STATEMENTS = 20
Type = LicenseField.Type


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


@pytest.fixture
def application(team: Team) -> Application:
    application = ApplicationFactory(team=team, name="My App", slug="my-app")
    ChannelFactory(application=application, name="Beta", slug="beta")
    return application


def checked(browser: Client, text: str, **values: str) -> Any:
    """Return the page that says what a text would do."""
    sent = {"text": text, "step": "check"}
    return browser.post(IMPORT, {**submission(), **sent, **values})


def imported(browser: Client, text: str, **values: str) -> None:
    response = browser.post(IMPORT, confirmation(checked(browser, text, **values)))
    assert response.headers["Location"] == "/t/acme/licenses"


def test_licenses_are_issued_after_their_effect_was_shown(
    browser: Client, team: Team, application: Application
) -> None:
    Team.objects.filter(pk=team.pk).update(time_zone="Europe/Berlin")
    WebhookFactory(team=team, events=["license.issued"])
    fields = {"seats": Type.INTEGER, "sso": Type.BOOLEAN, "key": Type.PASSWORD}
    for name, type in fields.items():
        LicenseFieldFactory(application=application, name=name, type=type)
    CustomerFactory(team=team, name="One", custom_id="crm-1")
    CustomerFactory(team=team, name="Two", email="it@two.example")
    CustomerFactory(team=team, name="Three")
    text = (
        "customer,email,custom_id,application,channel,type,expires,"
        "field:seats,field:sso,field:key\n"
        "ignored,,crm-1,my-app,beta,Paid,2031-07-01,5,yes,hunter2\n"
        ",IT@two.example,,My App,Stable,trial,2031-07-01T10:00:00Z,,no,\n"
        "Three,,,my-app,,community,,,,\n"
        "Three,,,my-app,,dev,2031-07-01 18:30,,,\n"
    )

    page = checked(browser, text)

    shown = text_of(page)
    assert "4 licenses will be issued." in shown
    assert "One: My App new Beta · Paid · Expires 1 Jul 2031, 23:59 CEST" in shown
    # In the text that is sent back, and nowhere else.
    assert page.content.decode().count("hunter2") == 1
    assert License.objects.count() == 0
    assert audited(team) == []
    sent = confirmation(page)
    response = browser.post(IMPORT, sent)
    assert response.headers["Location"] == "/t/acme/licenses"
    rows = {
        (row.customer.name, row.type): (row.channel.slug, row.expires_at)
        for row in License.objects.select_related("customer", "channel")
    }
    assert rows == {
        ("One", "paid"): ("beta", datetime(2031, 7, 1, 21, 59, 59, tzinfo=UTC)),
        ("Two", "trial"): ("stable", datetime(2031, 7, 1, 10, tzinfo=UTC)),
        ("Three", "community"): ("stable", None),
        ("Three", "dev"): ("stable", datetime(2031, 7, 1, 16, 30, tzinfo=UTC)),
    }
    paid, trial = (License.objects.get(type=type) for type in ("paid", "trial"))
    assert paid.field_values == {"seats": 5, "sso": True}
    assert password_values(paid) == {"key": "hunter2"}
    assert trial.field_values == {"sso": False}
    [found] = licenses_with_id(team.pk, Secret(paid.license_id.reveal()))
    assert found == paid
    assert [tag for tag, _ in audited(team)] == ["license:issued"] * 4
    assert Alert.objects.filter(event="license.issued").count() == 4
    # Customers are told by who imports, not by the import.
    assert Notice.objects.count() == 0
    assert "Licenses issued: 4. No mail was sent" in text_of(
        browser.get("/t/acme/licenses")
    )
    assert browser.post(IMPORT, sent).headers["Location"] == "/t/acme/licenses"
    assert License.objects.count() == 4


def test_no_secret_is_shown_or_in_an_address(
    browser: Client, team: Team, application: Application
) -> None:
    LicenseFieldFactory(application=application, name="key", type=Type.PASSWORD)
    CustomerFactory(team=team, name="One")
    text = "customer,application,type,field:key\nOne,my-app,paid,hunter2\n"

    response = browser.post(IMPORT, confirmation(checked(browser, text)))
    page = browser.get(response.headers["Location"]).content.decode()

    license = License.objects.get()
    assert license.license_id.reveal() not in page
    assert "hunter2" not in page + response.headers["Location"]
    wrong = checked(browser, text.replace("One", "Nobody"))
    messages = [one.message for one in wrong.context["plan"].problems]
    assert messages == ["No customer has this name."]


def test_every_error_is_told_by_line_and_column(
    browser: Client, team: Team, application: Application, actor: Actor
) -> None:
    LicenseFieldFactory(
        application=application, name="seats", type=Type.INTEGER, required=True
    )
    LicenseFieldFactory(
        application=application, name="tier", type=Type.ENUM, options=["gold"]
    )
    LicenseFieldFactory(application=application, name="sso", type=Type.BOOLEAN)
    ApplicationFactory.create_batch(2, team=team, name="Twin")
    other = ApplicationFactory(team=team, slug="other", name="Other")
    LicenseFieldFactory(application=other, name="only_there", type=Type.STRING)
    gone = ApplicationFactory(team=team, slug="gone")
    LicenseFactory(
        team=team, application=gone, archived_at="2026-01-01T00:00Z", revoked=True
    )
    delete_application(actor=actor, application=gone)
    good = CustomerFactory(team=team, name="Good", email="same@x.example")
    CustomerFactory(team=team, name="Other", email="same@x.example")
    archived = CustomerFactory(team=team, name="Archived")
    archive_customer(actor=actor, customer=archived)
    LicenseFactory(team=team, customer=good)
    before = (License.objects.count(), Customer.objects.count(), audited(team))
    head = (
        "customer,email,custom_id,application,channel,type,expires,"
        "field:seats,field:tier,field:sso,field:only_there\n"
    )
    rows = (
        ",,,my-app,,paid,,1,,,",
        "Nobody,,,my-app,,paid,,1,,,",
        ",same@x.example,,my-app,,paid,,1,,,",
        "Good,,crm-9,my-app,,paid,,1,,,",
        "Archived,,,my-app,,paid,,1,,,",
        "Good,,,,,paid,,1,,,",
        "Good,,,nope,,paid,,1,,,",
        "Good,,,gone,,paid,,1,,,",
        "Good,,,Twin,,paid,,1,,,",
        "Good,,,my-app,gamma,gold,,1,,,",
        "Good,,,my-app,,,yesterday,1,,,",
        "Good,,,my-app,,paid,2020-01-01,1,,,",
        "Good,,,my-app,,paid,9999-12-31T23:59:59-23:00,1,,,",
        "Good,,,my-app,,community,2031-01-01,1,,,",
        "Good,,,my-app,,paid,,,silver,maybe,",
        "Good,,,my-app,,paid,,five,,,x",
        "Good,same@x.example,,my-app,,paid,,1,gold,no,",
    )

    found = problems_of(checked(browser, head + "\n".join(rows)))

    no_app = "Your team has no application with this slug or name."
    assert found == [
        (2, "customer", "Enter a customer: custom ID, e-mail or name."),
        (3, "customer", "No customer has this name."),
        (4, "email", "Several customers have this e-mail address."),
        (5, "custom_id", "No customer has this custom ID."),
        (6, "customer", "Restore the customer first."),
        (7, "application", "Enter an application."),
        (8, "application", no_app),
        (9, "application", no_app),
        (10, "application", "Several applications have this name. Enter the slug."),
        (11, "channel", "my-app has no such channel."),
        (11, "type", "Enter one of paid, trial, dev, community."),
        (12, "type", "Enter one of paid, trial, dev, community."),
        (12, "expires", "Enter a date and time, such as 2031-12-31 18:00."),
        (13, "expires", "Choose a time in the future."),
        (14, "expires", "Enter a date before the year 9999."),
        (
            15,
            "expires",
            "A community license does not expire. Choose Never, or another type.",
        ),
        (16, "field:sso", "Enter yes or no."),
        (16, "field:seats", "Enter a value for Seats."),
        (
            16,
            "field:tier",
            "Select a valid choice. silver is not one of the available choices.",
        ),
        (17, "field:only_there", "my-app has no such license field."),
        (17, "field:seats", "Enter a whole number."),
    ]
    assert before == (License.objects.count(), Customer.objects.count(), audited(team))


def test_customers_are_added_only_if_asked(
    browser: Client, team: Team, application: Application
) -> None:
    text = (
        "customer,email,custom_id,application,type\n"
        "New,it@new.example,crm-1,my-app,paid\n"
        "New,it@new.example,crm-1,my-app,trial\n"
        "Other,,,my-app,paid\n"
    )
    wrong = "customer,email,custom_id,application,type\n,a@b,,my-app,paid\n"

    refused = problems_of(checked(browser, text))
    unnamed = problems_of(checked(browser, wrong, adds_customers="on"))
    page = checked(browser, text, adds_customers="on")

    assert [(line, column) for line, column, _ in refused] == [
        (2, "custom_id"),
        (3, "custom_id"),
        (4, "customer"),
    ]
    assert unnamed == [(2, "customer", "This field is required.")]
    assert "A new customer · Stable · Paid · Never expires" in text_of(page)
    assert Customer.objects.count() == 0
    browser.post(IMPORT, confirmation(page))
    assert set(Customer.objects.values_list("name", "email", "custom_id")) == {
        ("New", "it@new.example", "crm-1"),
        ("Other", "", ""),
    }
    assert License.objects.filter(customer__name="New").count() == 2
    tags = sorted(tag for tag, _ in audited(team))
    assert tags == ["customer:created"] * 2 + ["license:issued"] * 3


def test_an_empty_cell_is_the_default(
    browser: Client, team: Team, application: Application
) -> None:
    defaults = {
        "seats": (Type.INTEGER, 5),
        "sso": (Type.BOOLEAN, True),
        "plan": (Type.STRING, "gold"),
    }
    for name, (type, default) in defaults.items():
        LicenseFieldFactory(
            application=application, name=name, type=type, default=default
        )
    CustomerFactory(team=team, name="One")
    text = (
        "customer,application,type,field:sso,field:plan\n"
        "One,my-app,paid,,\nOne,my-app,trial,no,silver\n"
    )

    imported(browser, text)

    assert License.objects.get(type="paid").field_values == {}
    assert License.objects.get(type="trial").field_values == {
        "sso": False,
        "plan": "silver",
    }


def test_the_downloaded_list_issues_nothing_again_here_but_all_of_it_elsewhere(
    browser: Client, team: Team, application: Application, outsider: Membership
) -> None:
    customer = CustomerFactory(team=team, name="=One", custom_id="crm-1")
    LicenseFactory(
        team=team,
        customer=customer,
        application=application,
        expires_at=datetime(2031, 7, 1, 10, 11, 12, tzinfo=UTC),
    )
    LicenseFactory(team=team, customer=customer, application=application, type="dev")
    exported = b"".join(browser.get("/t/acme/licenses.csv")).decode()
    ApplicationFactory(team=outsider.team, name="My App", slug="their-app")

    own = checked(browser, exported)
    theirs, address = signed_in(outsider), IMPORT.replace("acme", "rival")
    sent = {"text": exported, "step": "check", "adds_customers": "on"}
    page = theirs.post(address, {**submission(), **sent})
    theirs.post(address, confirmation(page))

    assert "There is nothing to import. 2 exist already" in text_of(own)
    issued = License.objects.for_team(outsider.team_id)
    assert set(
        issued.values_list(
            "customer__name", "customer__custom_id", "type", "expires_at"
        )
    ) == {
        ("=One", "crm-1", "paid", datetime(2031, 7, 1, 10, 11, 12, tzinfo=UTC)),
        ("=One", "crm-1", "dev", None),
    }
    assert License.objects.for_team(team.pk).count() == 2


def test_what_changed_meanwhile_is_shown_again(
    browser: Client, team: Team, application: Application, actor: Actor
) -> None:
    customer = CustomerFactory(team=team, name="One")
    CustomerFactory(team=team, name="Two")
    text = "customer,application,type\nTwo,my-app,paid\nOne,my-app,paid\n"
    sent = confirmation(checked(browser, text))
    archive_customer(actor=actor, customer=customer)

    page = browser.post(IMPORT, sent)

    assert "Something changed since you looked, and nothing was imported." in text_of(
        page
    )
    assert problems_of(page) == [(3, "customer", "Restore the customer first.")]
    assert License.objects.count() == 0


def test_roles_import_what_they_may(
    team: Team, application: Application, support: Membership
) -> None:
    sales = MembershipFactory(team=team, role=Role.SALES.value)
    CustomerFactory(team=team, name="One")
    text = "customer,application,type\nOne,my-app,paid\n"

    refused = signed_in(support).post(IMPORT, {"text": text, "step": "check"})
    imported(signed_in(sales), text)

    assert refused.status_code == 403
    assert License.objects.count() == 1
    assert "Import licenses" not in text_of(signed_in(support).get("/t/acme/licenses"))


def test_the_empty_file_has_the_columns_and_fields(
    browser: Client, application: Application
) -> None:
    for name in ("seats", "plan"):
        LicenseFieldFactory(application=application, name=name)
    LicenseFieldFactory(
        application=ApplicationFactory(team=application.team), name="seats"
    )

    response = browser.get(f"{IMPORT}.csv")

    assert response.content.decode() == (
        "customer,email,custom_id,application,channel,type,expires,"
        "field:plan,field:seats\r\n"
    )


@pytest.mark.parametrize("number", [1, 30])
def test_more_lines_take_no_more_statements(
    number: int, browser: Client, team: Team, application: Application
) -> None:
    LicenseFieldFactory(application=application, name="seats", type=Type.INTEGER)
    for n in range(number):
        CustomerFactory(team=team, custom_id=f"crm-{n}")
    lines = [f"crm-{n},my-app,paid,{n}" for n in range(number)]
    text = "custom_id,application,type,field:seats\n" + "\n".join(lines)
    sent = confirmation(checked(browser, text))

    with CaptureQueriesContext(connection) as statements:
        browser.post(IMPORT, sent)

    assert License.objects.count() == number
    assert len(statements) == STATEMENTS
