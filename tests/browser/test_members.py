from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.support.browser.axe import accessibility_problems
from tests.support.browser.browsing import Browsing
from tests.support.stacks.portal_stack import Crew, PortalStack

PASSWORD = "nine green kites over Riga"


def invite(page: Page, crew: Crew, address: str, role: str) -> None:
    page.goto(crew.path("members"))
    page.get_by_role("link", name="Invite member").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("E-mail address").fill(address)
    dialog.get_by_role("radio", name=re.compile(role, re.IGNORECASE)).check()
    dialog.get_by_role("button", name="Send invitation").click()
    expect(dialog.get_by_text(f"{address} is invited")).to_be_visible()


def test_somebody_invited_by_mail_joins(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    address = f"new@{crew.slug}.example"
    owner = browsing.visitor(crew.sessions["owner"])
    invite(owner, crew, address, "support")
    assert accessibility_problems(owner) == []
    shown = owner.get_by_role("dialog").locator("code").inner_text()
    link = portal.link_mailed_to(address, "/invitations/")
    # The mailed link also proves the address.
    assert link.startswith(f"{shown}?mailed=")

    invited = browsing.visitor()
    invited.goto(link)
    invited.get_by_label("Your name").fill("New Person")
    invited.get_by_label("Password").fill(PASSWORD)
    invited.get_by_role("button", name="Create account and join").click()

    expect(invited).to_have_url(re.compile(f"/t/{crew.slug}/$"))
    expect(invited.get_by_role("link", name="Audit log")).to_be_visible()
    expect(invited.get_by_role("link", name="Settings")).to_have_count(0)
    owner.goto(crew.path("members"))
    row = owner.get_by_role("row").filter(has_text=address)
    expect(row).to_contain_text("New Person")
    expect(row).to_contain_text("support")

    browsing.expect_status(404)
    stranger = browsing.visitor()
    stranger.goto(link)
    expect(stranger.get_by_role("heading", level=1)).to_have_text(
        "This invitation is no longer valid"
    )


def test_a_member_of_one_team_joins_another_and_switches(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    other = portal.crew()
    address = f"support@{other.slug}.example"
    owner = browsing.visitor(crew.sessions["owner"])
    invite(owner, crew, address, "read-only")

    page = browsing.visitor()
    page.goto(portal.link_mailed_to(address, "/invitations/"))
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("Password").fill(portal.seed("password", email=address))
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name=re.compile("^Join")).click()
    expect(page).to_have_url(re.compile(f"/t/{crew.slug}/$"))

    page.locator("summary", has_text="Team:").click()
    page.get_by_role("link", name=other.slug).click()

    expect(page).to_have_url(re.compile(f"/t/{other.slug}/$"))
    page.goto("/")
    expect(page).to_have_url(re.compile(f"/t/{other.slug}/$"))


def test_an_api_token_is_shown_once(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    page = browsing.visitor(crew.sessions["owner"])
    page.goto(crew.path("api-tokens"))
    page.get_by_role("link", name="Create API token").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("laptop")
    dialog.get_by_role("button", name="Create API token").click()
    assert accessibility_problems(page) == []
    token = page.get_by_text(re.compile("^berth_user_")).inner_text()

    answer = page.request.get(
        "/api/v1/applications", headers={"Authorization": f"Bearer {token}"}
    )
    page.goto(crew.path("api-tokens"))

    assert answer.status == 200
    expect(page.get_by_role("row").filter(has_text="laptop")).to_be_visible()
    assert token not in page.content()
