from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import pytest
import urllib3
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect

from tests.support.browser.axe import problems_in_all_looks, problems_in_turn
from tests.support.browser.browsing import Browsing
from tests.support.browser.chromium import send_form
from tests.support.browser.portal_pages import (
    PAGES,
    PARAMETERS,
    PortalPage,
    Visitor,
    address_of,
)
from tests.support.stacks.portal_stack import Crew, ExampleTeam, PortalStack

# These lead to a provider of single sign-on and back.
NOT_OURS = {"openid_connect_login", "openid_connect_callback"}
OTHER_ROUTES = PARAMETERS.keys() - {shown.route for shown in PAGES} - NOT_OURS


@pytest.fixture(scope="module")
def windows(chromium: Browser, portal: PortalStack) -> Iterator[Browsing]:
    windows = Browsing(chromium, portal.url)
    yield windows
    windows.finish()


@pytest.fixture(scope="module")
def window_of(windows: Browsing, example: ExampleTeam) -> Callable[[Visitor], Page]:
    """Return one window for each visitor: a new one costs more than axe does."""

    @functools.cache
    def window_of(visitor: Visitor) -> Page:
        page = windows.visitor(example.sessions.get(visitor))
        # Sent to the browser once, not with every page.
        page.context.add_init_script(AXE_SCRIPT)
        return page

    return window_of


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
def test_no_page_bars_anybody_or_is_wider_than_a_phone(
    shown: PortalPage,
    example: ExampleTeam,
    windows: Browsing,
    window_of: Callable[[Visitor], Page],
) -> None:
    windows.expect_status(shown.status)
    page = window_of(shown.visitor)
    if shown.visitor is Visitor.NOBODY:
        page.context.clear_cookies()
    address = shown.address(example.ids_for(shown.visitor))

    answer = page.goto(address)

    assert answer is not None
    assert page.url.endswith(address)
    assert answer.status == shown.status
    if shown.sends is not None:
        send_form(page, shown.sends)
    assert problems_in_turn(page, PAGES.index(shown)) == []
    windows.check()


@pytest.mark.parametrize("route", sorted(OTHER_ROUTES))
def test_every_page_is_looked_at(
    route: str, example: ExampleTeam, portal: PortalStack
) -> None:
    """What no other test here opens is no page: a download, a redirect, a POST."""
    is_of_customer = route.startswith("customer:")
    visitor = Visitor.CONTACT if is_of_customer else Visitor.GUARDED
    answer = urllib3.request(
        "GET",
        portal.url + address_of(route, example.ids),
        headers={"Cookie": f"sessionid={example.sessions[visitor]}"},
        redirect=False,
    )

    is_page = answer.headers["Content-Type"].startswith("text/html")
    assert answer.status in {302, 401, 405} or not is_page


def test_an_open_dialog_bars_nobody(browsing: Browsing, crew: Crew) -> None:
    page = browsing.visitor(crew.sessions["owner"])
    page.goto(crew.path("customers"))
    page.get_by_role("link", name="Add customer").click()
    expect(page.get_by_role("dialog").get_by_label("Name")).to_be_focused()
    page.get_by_role("dialog").get_by_role("button", name="Add customer").click()
    expect(page.get_by_role("dialog").get_by_label("Name")).to_have_attribute(
        "aria-invalid", "true"
    )

    assert problems_in_all_looks(page) == []
