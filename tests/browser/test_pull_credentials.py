from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.browser.axe import problems_in_all_looks
from tests.support.browser.browsing import Browsing
from tests.support.stacks.portal_stack import Crew, PortalStack

SECRET = re.compile(r"berth_pull_\w{12}_\w{49}")


def secret_in(form: Locator) -> str:
    found = SECRET.search(form.locator("pre").first.inner_text())
    assert found
    return found[0]


def row(page: Page, name: str, state: str) -> Locator:
    rows = page.locator("#pull-credentials").get_by_role("row")
    return rows.filter(has_text=name).filter(has_text=state)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_credential_is_created_rotated_and_revoked(
    browsing: Browsing, portal: PortalStack, crew: Crew, *, scripts: bool
) -> None:
    license = portal.seed("license", team=crew.slug)
    address = crew.path(f"licenses/{license['id']}")
    page = browsing.visitor(crew.sessions["sales"], scripts=scripts)
    form = page.get_by_role("dialog" if scripts else "main")
    page.goto(address)

    page.get_by_role("link", name="Create pull credential").click()
    form.get_by_label("Name").fill("Production cluster")
    networks = form.get_by_label("Networks")
    networks.fill("192.0.2.1/24")
    form.get_by_role("button", name="Create pull credential").click()
    expect(networks).to_have_accessible_description(
        re.compile("Did you mean 192.0.2.0/24?")
    )
    networks.fill("192.0.2.0/24")
    form.get_by_role("button", name="Create pull credential").click()
    expect(form.get_by_role("alert")).to_contain_text("It is shown only once.")
    first = secret_in(form)
    if scripts:
        assert problems_in_all_looks(page) == []
    form.get_by_role("link", name="Done").click()
    expect(row(page, "Production cluster", "active")).to_contain_text("192.0.2.0/24")
    expect(page.get_by_text(first)).to_have_count(0)

    page.get_by_label("Actions for Production cluster").click()
    page.get_by_role("link", name="Rotate Production cluster").click()
    form.get_by_label("in 30 days").check()
    form.get_by_role("button", name="Rotate").click()
    expect(form.get_by_role("alert")).to_contain_text("It is shown only once.")
    assert secret_in(form) != first
    form.get_by_role("link", name="Done").click()
    expect(row(page, "Production cluster", "active")).to_be_visible()
    expect(row(page, "Production cluster", "replaced")).to_contain_text(
        "not used since"
    )

    active = row(page, "Production cluster", "active")
    active.get_by_label("Actions for Production cluster").click()
    active.get_by_role("link", name="Revoke Production cluster").click()
    form.get_by_role("button", name="Revoke").click()
    expect(row(page, "Production cluster", "revoked")).to_have_count(2)
    expect(row(page, "Production cluster", "active")).to_have_count(0)
