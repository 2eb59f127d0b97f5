"""Customers from CSV: every error, then the effect, then all of it or nothing."""

from __future__ import annotations

import html
import re
import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alerts.models import Alert
from licenses.models import Customer
from licenses.services import change_customer
from licenses.web.imports.customers import CustomerImportForm
from teams.actors import Actor
from teams.models import Membership, Team
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import signed_in, submission
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    CustomerFactory,
    LicenseFactory,
    WebhookFactory,
)

IMPORT = "/t/acme/customers/import"
NONE = "\u2013"
STATEMENTS = 22
SAME_NAME = (
    "Line 4 has the same name and e-mail address. Give each a custom ID, or remove one."
)


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


def checked(browser: Client, text: str, **values: str) -> Any:
    """Return the page that says what a text would do."""
    sent = {"text": text, "existing": "skip", "step": "check"}
    return browser.post(IMPORT, {**submission(), **sent, **values})


def problems_of(response: Any) -> list[tuple[int, str, str]]:
    assert response.status_code == 200
    problems = response.context["plan"].problems
    shown = text_of(response)
    for problem in problems:
        assert f"{problem.line} {problem.column or NONE} {problem.message}" in shown
    assert 'value="confirm"' not in response.content.decode()
    return [(one.line, one.column, one.message) for one in problems]


def confirmation(response: Any) -> dict[str, str]:
    """Return what the form of a page that shows the effect submits."""
    page = response.content.decode()
    assert 'value="confirm"' in page
    fields = dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
    )
    text = re.search(r'<textarea name="text"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert text
    values = {**fields, "text": text[1]}
    # As browsers send line ends.
    sent = {
        name: html.unescape(value).replace("\n", "\r\n")
        for name, value in values.items()
        if name != "csrfmiddlewaretoken"
    }
    return {**sent, "step": "confirm"}


def rows(team: Team) -> set[tuple[str, str, str]]:
    found = Customer.objects.for_team(team.pk)
    return set(found.values_list("name", "email", "custom_id"))


def test_customers_are_added_after_their_effect_was_shown(
    browser: Client, team: Team
) -> None:
    WebhookFactory(team=team, events=["customer.created"])
    text = (
        "name;custom_id;email\n"
        "Ærø A/S;crm-1;it@aero.example\n\n"
        '"Two ""Quotes""; Inc.";;\n'
        "'=Formula;'-3;\n"
    )

    page = checked(browser, text)

    assert "3 customers will be added." in text_of(page)
    assert "it@aero.example · crm-1" in text_of(page)
    assert rows(team) == set()
    assert audited(team) == []
    sent = confirmation(page)
    response = browser.post(IMPORT, sent)
    assert response.status_code == 302
    assert response.headers["Location"] == "/t/acme/customers"
    assert rows(team) == {
        ("Ærø A/S", "it@aero.example", "crm-1"),
        ('Two "Quotes"; Inc.', "", ""),
        ("=Formula", "", "-3"),
    }
    assert sorted(audited(team)) == sorted(
        ("customer:created", name) for name, _, _ in rows(team)
    )
    assert Alert.objects.filter(event="customer.created").count() == 3
    done = text_of(browser.get("/t/acme/customers"))
    assert "3 added, 0 changed, 0 left as they are." in done
    assert browser.post(IMPORT, sent).headers["Location"] == "/t/acme/customers"
    assert Customer.objects.count() == 3


def test_a_file_is_read_like_its_text(browser: Client, team: Team) -> None:
    content = b"\xef\xbb\xbfname,custom_id\r\n" + "Zürich AG,1\r\n".encode()

    page = browser.post(
        IMPORT,
        {
            **submission(),
            "existing": "skip",
            "step": "check",
            "file": SimpleUploadedFile("customers.csv", content),
        },
    )
    wrong = SimpleUploadedFile("wrong.csv", content.replace(b"custom", b"costum"))
    corrected = browser.post(
        IMPORT, {**submission(), "existing": "skip", "step": "check", "file": wrong}
    )
    browser.post(IMPORT, confirmation(page))

    assert rows(team) == {("Zürich AG", "", "1")}
    assert "\nname,costum_id\nZürich AG,1\n</textarea>" in (
        corrected.content.decode().replace("\r\n", "\n")
    )


def test_every_error_is_told_by_line_and_column(browser: Client, team: Team) -> None:
    CustomerFactory(team=team, custom_id="crm-1")
    CustomerFactory.create_batch(2, team=team, name="Twins")
    held = CustomerFactory(team=team)
    text = "\n".join(
        (
            "id,name,email,custom_id",
            ",,a@b,",
            f",{'x' * 255},,\u200bcrm",
            ",Good,,",
            ",Good,,",
            ",First,,crm-9",
            ",Second,,crm-9",
            ",Twins,,",
            f"{held.pk},Held,,crm-1",
            f"{held.pk},Held,,crm-2",
        )
    )
    before = rows(team)

    found = problems_of(checked(browser, text, existing="update"))

    assert found == [
        (2, "name", "This field is required."),
        (2, "email", "Enter a valid email address."),
        (
            3,
            "name",
            "Ensure this value has at most 254 characters (it has 255).",
        ),
        (
            5,
            "",
            SAME_NAME,
        ),
        (7, "", "Line 6 has the same custom ID."),
        (8, "name", "Several customers have this name. Enter a custom ID."),
        (9, "custom_id", "Another customer has this custom ID."),
        (10, "", "Line 9 is about the same customer."),
    ]
    assert problems_of(checked(browser, "name,custom_id\nA,\u200bcrm")) == [
        (2, "custom_id", "Control characters are not allowed.")
    ]
    assert rows(team) == before
    assert audited(team) == []


def test_the_text_comes_back_to_be_corrected(browser: Client, team: Team) -> None:
    page = checked(browser, "name,nmae\nAcme,<b>\n").content.decode()

    assert "This column is unknown. Known are: name, email, custom_id, id" in page
    assert "name,nmae\nAcme,&lt;b&gt;" in page
    good = checked(browser, "name\nAcme")
    edited = browser.post(IMPORT, {**confirmation(good), "step": "edit"})
    assert "name\r\nAcme</textarea>" in edited.content.decode()
    assert rows(team) == set()


def test_a_text_of_1_mb_may_come_back_with_other_line_ends() -> None:
    text = ("x" * 199 + "\n") * 5000

    form = CustomerImportForm(
        {**submission(), "existing": "skip", "text": text.replace("\n", "\r\n")}
    )

    assert len(text) == 1_000_000
    assert form.is_valid()
    assert form.cleaned_data["text"] == text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "Choose a file, or paste its text below."),
        ({"text": " \n"}, "Choose a file, or paste its text below."),
        ({"text": "ä" * 500_001}, "The text is larger than 1 MB. Divide it."),
        (
            {"file": SimpleUploadedFile("a.csv", b"name\n\xff")},
            "The file is not in UTF-8. In Excel, save it as CSV UTF-8.",
        ),
    ],
)
def test_without_a_text_nothing_is_read(
    values: dict[str, Any], message: str, browser: Client
) -> None:
    sent = {**submission(), "existing": "skip", "step": "check", **values}

    page = browser.post(IMPORT, sent)

    assert message in text_of(page)
    assert page.context["plan"] is None


def test_customers_that_exist_are_left_or_changed(
    browser: Client, team: Team, other_team: Team
) -> None:
    by_id = CustomerFactory(team=team, name="By ID", custom_id="1")
    by_custom_id = CustomerFactory(
        team=team, name="Two", email="a@b.example", custom_id="2"
    )
    by_name = CustomerFactory(team=team, name="Named", email="n@b.example")
    license = LicenseFactory(team=team, customer=by_id)
    CustomerFactory(team=other_team, name="Theirs", custom_id="3")
    text = (
        f"id,name,email,custom_id\n{by_id.pk},Renamed,,1b\n"
        f",Two,new@b.example,2\n,Named,n@b.example,\n,New,,3\n{uuid.uuid4()},Other,,\n"
    )
    before = rows(team)

    left = checked(browser, text)
    changed = checked(browser, text, existing="update")

    assert "2 customers will be added. 3 exist already" in text_of(left)
    assert "2 customers will be added. 2 will be changed. 1 exists" in text_of(changed)
    shown = text_of(changed)
    assert "Name: By ID → Renamed · Custom ID: 1 → 1b" in shown
    assert "E-mail address: a@b.example → new@b.example" in shown
    assert rows(team) == before
    browser.post(IMPORT, confirmation(changed))
    assert rows(team) == {
        ("Renamed", "", "1b"),
        ("Two", "new@b.example", "2"),
        ("Named", "n@b.example", ""),
        ("New", "", "3"),
        ("Other", "", ""),
    }
    tags = [tag for tag, _ in audited(team)]
    assert sorted(tags) == ["customer:changed"] * 2 + ["customer:created"] * 2
    license.refresh_from_db()
    assert license.sequence == 2
    assert audited(other_team) == []
    for row in (by_id, by_custom_id):
        seen = row.updated_at
        row.refresh_from_db()
        assert row.updated_at > seen
    seen = by_name.updated_at
    by_name.refresh_from_db()
    assert by_name.updated_at == seen


def test_columns_that_are_missing_change_nothing(browser: Client, team: Team) -> None:
    CustomerFactory(team=team, name="Acme", email="it@acme.example", custom_id="1")
    CustomerFactory(team=team, name="Named", email="it@named.example")

    page = checked(browser, "name,custom_id\nAcme Inc,1\nNamed,", existing="update")
    browser.post(IMPORT, confirmation(page))

    assert rows(team) == {
        ("Acme Inc", "it@acme.example", "1"),
        ("Named", "it@named.example", ""),
    }


def test_the_downloaded_list_comes_back_whole(
    browser: Client, team: Team, other_team: Team, outsider: Membership
) -> None:
    names = ["=1+1", "'=2", "Plain", 'Quote "x", y', "-5"]
    for name in names:
        CustomerFactory(team=team, name=name, custom_id=f"@{name}")
    exported = b"".join(browser.get("/t/acme/customers.csv")).decode()

    own = checked(browser, exported, existing="update")
    theirs = signed_in(outsider)
    address = IMPORT.replace("acme", "rival")
    sent = {"text": exported, "existing": "skip", "step": "check"}
    page = theirs.post(address, {**submission(), **sent})
    theirs.post(address, confirmation(page))

    assert "There is nothing to import. 5 exist already" in text_of(own)
    assert {name for name, _, _ in rows(other_team)} == set(names)
    assert rows(other_team) == rows(team)


def test_what_changed_meanwhile_is_shown_again(
    browser: Client, team: Team, actor: Actor
) -> None:
    customer = CustomerFactory(team=team, name="Acme", custom_id="1")
    sent = confirmation(
        checked(browser, "name,custom_id\nNew,2\nAcme Inc,1", existing="update")
    )
    change_customer(actor=actor, customer=customer, changes={"name": "Acme GmbH"})

    page = browser.post(IMPORT, sent)

    assert "Something changed since you looked, and nothing was imported." in text_of(
        page
    )
    assert "Name: Acme GmbH → Acme Inc" in text_of(page)
    assert rows(team) == {("Acme GmbH", "", "1")}
    browser.post(IMPORT, confirmation(page))
    assert rows(team) == {("Acme Inc", "", "1"), ("New", "", "2")}


def test_another_text_than_was_shown_is_shown_first(
    browser: Client, team: Team
) -> None:
    sent = confirmation(checked(browser, "name\nShown"))

    for text in ("name\nOther", "name\nShown\nOther", "nmae\nShown"):
        page = browser.post(IMPORT, {**sent, "text": text})
        assert page.status_code == 200
    assert rows(team) == set()


def test_who_may_not_manage_customers_imports_none(
    viewer: Membership, team: Team, browser: Client
) -> None:
    sent = confirmation(checked(browser, "name\nAcme"))
    other = signed_in(viewer)

    assert other.get(IMPORT).status_code == 403
    assert other.post(IMPORT, sent).status_code == 403
    assert "Import" not in text_of(other.get("/t/acme/customers"))
    assert "Import customers" in text_of(browser.get("/t/acme/customers"))
    assert rows(team) == set()


def test_the_empty_file_has_the_columns(browser: Client) -> None:
    response = browser.get(f"{IMPORT}.csv")

    assert response.content == b"name,email,custom_id\r\n"
    assert 'filename="customers-template.csv"' in response["Content-Disposition"]
    assert IMPORT + ".csv" in browser.get(IMPORT).content.decode()


@pytest.mark.parametrize("number", [1, 30])
def test_more_lines_take_no_more_statements(
    number: int, browser: Client, team: Team
) -> None:
    existing = CustomerFactory.create_batch(number, team=team)
    lines = [f"{row.pk},Changed {n}" for n, row in enumerate(existing)]
    lines += [f",New {n}" for n in range(number)]
    page = checked(browser, "id,name\n" + "\n".join(lines), existing="update")
    sent = confirmation(page)

    with CaptureQueriesContext(connection) as statements:
        browser.post(IMPORT, sent)

    assert Customer.objects.count() == 2 * number
    assert not Customer.objects.filter(name__startswith="Customer").exists()
    assert len(statements) == STATEMENTS
