"""A customer makes, checks, rotates and revokes a pull credential."""

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
    return page.get_by_role("row").filter(has_text=name).filter(has_text=state)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_an_administrator_helps_themselves(
    browsing: Browsing, portal: PortalStack, crew: Crew, scripts: bool
) -> None:
    portal.connect_sample(crew)
    portal.license(crew)
    contact = portal.seed("contact", team=crew.slug, role="administrator")
    page = browsing.visitor(contact["session"], scripts=scripts)
    form = page.get_by_role("dialog" if scripts else "main")
    page.goto(contact["home"])

    page.get_by_role("link", name="Credentials").click()
    page.get_by_role("link", name="Make a pull credential").click()
    form.get_by_label("Name").fill("Production cluster")
    form.get_by_role("button", name="Make pull credential").click()
    expect(form.get_by_role("alert")).to_contain_text("It is shown only once.")
    first = secret_in(form)
    expect(form.get_by_text("docker login")).to_be_visible()
    assert not scripts or problems_in_all_looks(page) == []
    form.get_by_role("link", name="Done").click()
    expect(row(page, "Production cluster", "works")).to_contain_text("everywhere")
    expect(page.get_by_text(first)).to_have_count(0)

    page.get_by_role("link", name="Rotate Production cluster").click()
    other_time = form.get_by_label("The other time")
    expect(other_time).to_be_hidden()
    form.get_by_label("at another time within 90 days").check()
    expect(other_time).to_be_visible()
    form.get_by_label("in 7 days").check()
    form.get_by_role("button", name="Make new secret").click()
    expect(form.get_by_role("alert")).to_contain_text("It is shown only once.")
    assert secret_in(form) != first
    form.get_by_role("link", name="Done").click()
    expect(row(page, "Production cluster", "replaced")).to_contain_text(
        "not used since"
    )

    page.get_by_role("link", name="Check", exact=True).click()
    chosen = page.get_by_role("option").filter(has_text="replaced")
    page.get_by_label("License or credential").select_option(
        chosen.get_attribute("value")
    )
    page.get_by_label("Image").fill("gcr.io/example/api:v1")
    page.get_by_role("button", name="Check").click()
    answer = page.get_by_role("region", name="This pull is refused")
    expect(answer).to_contain_text("What to do:")
    expect(page).to_have_url(re.compile("image=gcr.io"))
    assert not scripts or problems_in_all_looks(page) == []

    page.get_by_role("link", name="Credentials", exact=True).click()
    page.get_by_role("link", name="Revoke Production cluster", exact=True).click()
    form.get_by_role("button", name="Revoke").click()
    expect(row(page, "Production cluster", "revoked")).to_have_count(2)
