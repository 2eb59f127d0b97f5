"""From *Send to customer* to the customer's own pages."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser.browsing import Browsing
from tests.support.browser.chromium import NARROW
from tests.support.stacks.portal_stack import Crew, PortalStack

LINK = r"http://\S+/c/links/\S+"
CODE = r"\b[A-Z]{4}-[A-Z]{4}\b"


def send(page: Page, crew: Crew, address: str) -> None:
    page.goto(crew.path(f"customers/{crew.customer_id}"))
    page.get_by_role("link", name="Send to customer").click()
    page.get_by_label("New people").fill(f"Anna Admin <{address}>")
    page.get_by_label("A line from you").fill("Welcome aboard.")
    page.get_by_role("button", name="Preview").click()
    preview = page.get_by_role("region", name="Preview")
    expect(preview).to_contain_text("Welcome aboard.")
    expect(preview).to_contain_text("/c/links/…")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_license_is_sent_and_its_contact_chooses_their_mails(
    browsing: Browsing, portal: PortalStack, crew: Crew, scripts: bool
) -> None:
    license_id = portal.license(crew)["id"]
    address = f"anna@{crew.slug}-customer.example"
    owner = browsing.visitor(crew.sessions["owner"], scripts=scripts)
    owner.goto(crew.path(f"licenses/{license_id}"))
    owner.get_by_role("link", name="Send to customer").click()
    owner.get_by_label("New people").fill(address)
    owner.get_by_role("button", name="Preview").click()
    preview = owner.get_by_role("region", name="Preview")
    expect(preview).to_contain_text(", Stable")
    owner.get_by_role("button", name="Send", exact=True).click()

    anna = browsing.visitor(scripts=scripts, width=NARROW)
    anna.goto(portal.wait_for_mail(address, LINK))
    anna.get_by_role("button", name=f"Continue as {address}").click()
    expect(anna).to_have_url(re.compile(f"/c/[0-9a-f-]{{36}}/#license-{license_id}$"))
    anna.get_by_role("contentinfo").get_by_role("link", name="Your e-mails").click()
    changed = anna.get_by_label("A license was changed")
    expect(changed).to_be_checked()
    changed.uncheck()
    anna.get_by_role("button", name="Save").click()
    expect(anna.get_by_text("Your choice of e-mails is saved.")).to_be_visible()
    expect(changed).not_to_be_checked()
    expect(anna.get_by_label("A license was issued")).to_be_checked()


def test_a_used_link_leads_to_a_code(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    address = f"anna@{crew.slug}-customer.example"
    owner = browsing.visitor(crew.sessions["owner"])
    send(owner, crew, address)
    owner.get_by_role("button", name="Send", exact=True).click()
    link = portal.wait_for_mail(address, LINK)
    first = browsing.visitor()
    first.goto(link)
    first.get_by_role("button", name="Continue as").click()
    expect(first.get_by_role("link", name="People")).to_be_visible()

    browsing.expect_status(404)
    later = browsing.visitor()
    later.goto(link)
    expect(later.get_by_role("heading", level=1)).to_have_text(
        "This link is no longer valid"
    )
    later.get_by_label("E-mail address").fill(address)
    later.get_by_role("button", name="Send code").click()
    later.get_by_label("Code").fill(portal.wait_for_mail(address, CODE))
    later.get_by_role("button", name="Sign in").click()

    expect(later).to_have_url(re.compile(r"/c/[0-9a-f-]{36}/$"))
    later.get_by_role("link", name="People").click()
    expect(later.get_by_text("you", exact=True)).to_be_visible()


def test_a_member_views_it_as_the_customer_does(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    portal.license(crew)
    viewer = browsing.visitor(crew.sessions["read-only"])
    viewer.goto(crew.path(f"customers/{crew.customer_id}"))

    viewer.get_by_role("link", name="View as customer").click()
    expect(viewer.get_by_role("note")).to_contain_text("Nothing can be changed here.")
    viewer.get_by_role("link", name="People").click()
    expect(viewer.get_by_role("heading", level=1)).to_have_text("People")
    expect(viewer.get_by_role("link", name="Invite a person")).to_have_count(0)
    viewer.get_by_role("link", name="Back to the portal").click()

    expect(viewer).to_have_url(re.compile(f"customers/{crew.customer_id}$"))
