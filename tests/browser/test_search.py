"""Find anything, by keyboard alone and without scripts."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.support.browser.axe import problems_in_all_looks
from tests.support.browser.browsing import Browsing
from tests.support.stacks.portal_stack import Crew, PortalStack


def test_a_license_is_found_by_keyboard_alone(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    license = portal.license(crew)
    page = browsing.visitor(crew.sessions["support"])
    page.goto(crew.path("alerts"))
    box = page.get_by_role("searchbox", name="Find anything")

    page.keyboard.press("/")
    expect(box).to_be_focused()
    page.keyboard.type("example co")
    found = page.get_by_role("region", name="Found")
    expect(found.get_by_role("link", name="Example Corp")).to_have_count(2)
    assert problems_in_all_looks(page) == []
    box.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(found.get_by_role("link").nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(found).to_be_hidden()

    page.keyboard.press("Control+k")
    expect(box).to_be_focused()
    page.keyboard.type(license["license_id"])
    expect(found.get_by_role("link")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(f"licenses/{license['id']}$"))


def test_without_scripts_it_is_a_page(browsing: Browsing, crew: Crew) -> None:
    page = browsing.visitor(crew.sessions["support"], scripts=False)
    page.goto(crew.path())

    page.get_by_role("searchbox", name="Find anything").fill("example co")
    page.get_by_role("button", name="Find").click()

    expect(page).to_have_url(re.compile(r"search\?q=example\+co$"))
    page.get_by_role("main").get_by_role("link", name="Example Corp").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Example Corp")
