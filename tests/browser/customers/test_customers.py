from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.support.browser.browsing import Browsing
from tests.support.browser.chromium import NARROW, WIDE
from tests.support.stacks.portal_stack import Crew, PortalStack


def test_a_dialog_is_worked_by_keyboard_alone(browsing: Browsing, crew: Crew) -> None:
    page = browsing.visitor(crew.sessions["owner"])
    page.goto(crew.path("customers"))
    opener = page.get_by_role("link", name="Add customer")

    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()

    page.keyboard.press("Enter")
    expect(dialog.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Typed Ltd")
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.type("T-1")
    for _ in range(2):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Typed Ltd")
    expect(page.get_by_text("T-1")).to_be_visible()


def test_the_first_row_is_a_few_tabs_away(browsing: Browsing, crew: Crew) -> None:
    page = browsing.visitor(crew.sessions["owner"])
    page.goto(crew.path("customers"))
    page.get_by_role("link", name="Add customer").first.click()
    page.get_by_role("dialog").get_by_label("Name").fill("Reachable Ltd")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Reachable Ltd")
    page.goto(crew.path("customers"))

    for _ in range(2):
        page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the list")).to_be_focused()
    page.keyboard.press("Enter")
    row = page.get_by_role("link", name="Reachable Ltd")
    # Past the boxes that select, and the two heads that sort.
    for _ in range(6):
        page.keyboard.press("Tab")
        if row.evaluate("(link) => link === document.activeElement"):
            break

    expect(row).to_be_focused()


def test_tab_stays_within_a_dialog(browsing: Browsing, crew: Crew) -> None:
    page = browsing.visitor(crew.sessions["owner"])
    page.goto(crew.path("customers"))
    page.get_by_role("link", name="Add customer").click()
    expect(page.get_by_role("dialog").get_by_label("Name")).to_be_focused()

    for _ in range(12):
        page.keyboard.press("Tab")
        is_outside = page.evaluate(
            "document.activeElement !== document.body && "
            "!document.activeElement.closest('dialog')"
        )
        assert not is_outside


def test_a_bad_value_is_told_beside_its_field(browsing: Browsing, crew: Crew) -> None:
    page = browsing.visitor(crew.sessions["owner"])
    page.goto(crew.path("customers"))
    page.get_by_role("link", name="Add customer").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Example")
    dialog.get_by_label("E-mail address").fill("nobody")
    dialog.get_by_role("button", name="Add customer").click()

    field = dialog.get_by_label("E-mail address")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_accessible_description(
        re.compile("Enter a valid email address")
    )
    expect(dialog.get_by_label("Name")).to_have_value("Example")


def test_two_clicks_add_one_customer(browsing: Browsing, crew: Crew) -> None:
    page = browsing.visitor(crew.sessions["owner"])
    page.goto(crew.path("customers"))
    page.get_by_role("link", name="Add customer").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Impatient Ltd")
    dialog.get_by_role("button", name="Add customer").dblclick()

    expect(page.get_by_role("heading", level=1)).to_have_text("Impatient Ltd")
    page.goto(crew.path("customers"))
    expect(page.get_by_role("link", name="Impatient Ltd")).to_have_count(1)


def test_a_form_sent_again_from_the_history_adds_nothing(
    browsing: Browsing, crew: Crew
) -> None:
    page = browsing.visitor(crew.sessions["owner"], scripts=False)
    page.goto(crew.path("customers/new"))
    form = page.content()
    page.get_by_label("Name").fill("Twice Ltd")
    page.get_by_role("button", name="Add customer").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Twice Ltd")
    address = page.url

    page.goto(crew.path("customers/new"))
    submission = re.search(r'name="submission" value="([^"]+)"', form)
    assert submission is not None
    token = page.locator("input[name=csrfmiddlewaretoken]").first.input_value()
    answer = page.request.post(
        page.url,
        form={
            "csrfmiddlewaretoken": token,
            "submission": submission[1],
            "name": "Twice Ltd",
            "email": "",
            "custom_id": "",
        },
    )

    assert answer.url == address
    page.goto(crew.path("customers"))
    expect(page.get_by_role("link", name="Twice Ltd")).to_have_count(1)


def test_what_somebody_else_changed_meanwhile_is_told(
    browsing: Browsing, crew: Crew
) -> None:
    mine = browsing.visitor(crew.sessions["owner"])
    theirs = browsing.visitor(crew.sessions["support"])
    for page in (mine, theirs):
        page.goto(crew.path(f"customers/{crew.customer_id}"))
        page.get_by_label("More actions").click()
        page.get_by_role("link", name="Edit").click()
    theirs.get_by_role("dialog").get_by_label("Custom ID").fill("their-id")
    theirs.get_by_role("button", name="Save").click()
    expect(theirs.get_by_text("their-id")).to_be_visible()

    dialog = mine.get_by_role("dialog")
    dialog.get_by_label("Name").fill("My name")
    dialog.get_by_role("button", name="Save").click()

    expect(dialog.get_by_role("alert")).to_contain_text(
        "Somebody else has changed this"
    )
    expect(dialog.get_by_label("Name")).to_have_value("My name")
    expect(dialog.get_by_text("Now: their-id")).to_be_visible()
    dialog.get_by_label("Custom ID").fill("their-id")
    dialog.get_by_role("button", name="Save").click()
    expect(mine.get_by_role("heading", level=1)).to_have_text("My name")
    expect(mine.get_by_text("their-id")).to_be_visible()


def test_search_narrows_the_list_while_one_types(
    browsing: Browsing, crew: Crew
) -> None:
    page = browsing.visitor(crew.sessions["owner"])
    page.goto(crew.path("customers"))
    expect(page.get_by_role("link", name="Example Corp")).to_be_visible()

    page.get_by_label("Search").press_sequentially("nobody")

    expect(page.get_by_text("No matching customers")).to_be_visible()
    expect(page).to_have_url(re.compile("search=nobody"))
    expect(page.get_by_label("Search")).to_be_focused()
    page.reload()
    expect(page.get_by_text("No matching customers")).to_be_visible()


def test_the_phone_menu_opens_and_leads_on(browsing: Browsing, crew: Crew) -> None:
    page = browsing.visitor(crew.sessions["owner"], width=390)
    page.goto(crew.path("customers"))
    menu = page.get_by_role("button", name="Navigation")
    expect(menu).to_have_attribute("aria-expanded", "false")

    menu.click()
    expect(menu).to_have_attribute("aria-expanded", "true")
    page.get_by_role("link", name="Settings").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_forty_licenses_are_renewed_in_three_clicks(
    browsing: Browsing, portal: PortalStack, crew: Crew, *, scripts: bool
) -> None:
    portal.seed("expiring", team=crew.slug, number=40)
    page = browsing.visitor(crew.sessions["sales"], scripts=scripts)
    page.goto(crew.path("licenses?state=expiring"))
    expect(page.get_by_role("button", name="Renew…")).to_be_hidden()

    page.get_by_label("Select all 40 that match").check()
    page.get_by_role("button", name="Renew…").click()
    page.get_by_role("button", name="Renew 40 licenses").click()

    expect(page.get_by_role("status").first).to_contain_text("40 licenses renewed.")
    page.goto(crew.path("licenses?state=expiring"))
    expect(page.get_by_text("No matching licenses")).to_be_visible()


def test_the_effect_follows_what_is_entered(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    portal.seed("expiring", team=crew.slug, number=3)
    page = browsing.visitor(crew.sessions["owner"])
    page.goto(crew.path("licenses"))

    page.get_by_label("Select all on this page").check()
    page.get_by_role("button", name="Renew…").click()
    page.get_by_label("At a date").check()
    page.get_by_label("Date and time").fill("2051-12-31T18:00")
    page.get_by_label("Date and time").blur()
    expect(page.get_by_text("31 Dec 2051")).to_have_count(3)
    page.get_by_role("button", name="Renew 3 licenses").click()

    expect(page.get_by_role("status").first).to_contain_text("3 licenses renewed.")


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_row_leads_to_its_license_wherever_it_is_clicked(
    width: int, browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    license = portal.seed("license", team=crew.slug)
    page = browsing.visitor(crew.sessions["owner"], scripts=False, width=width)
    page.goto(crew.path("licenses"))
    row = page.locator("tbody").get_by_role("row")

    row.get_by_role("checkbox").check()
    expect(page.get_by_role("button", name="Revoke…")).to_be_visible()
    # The link lies above the text: forced, the mouse presses there all the same.
    row.get_by_text("active").click(force=True)

    expect(page).to_have_url(re.compile(license["id"]))
