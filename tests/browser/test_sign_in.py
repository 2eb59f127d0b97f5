from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.support.browser.axe import problems_in_all_looks
from tests.support.browser.browsing import Browsing
from tests.support.pages.reading import totp_code
from tests.support.stacks.portal_stack import Crew, PortalStack


def sign_in(page: Page, address: str, password: str) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def open_guarded(page: Page, path: str, password: str) -> None:
    """Open a page that changes how one signs in: it wants the password once more."""
    page.goto(path)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Continue").click()


def sign_out(page: Page) -> None:
    page.goto("/accounts/2fa/")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_signing_in_leads_to_where_one_was_going(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    address = f"owner@{crew.slug}.example"
    password = portal.seed("password", email=address)
    page = browsing.visitor(scripts=False)
    page.goto(crew.path("customers?search=nobody"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")

    page.get_by_label("E-mail address").fill(address)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()

    expect(page).to_have_url(re.compile("customers.search=nobody$"))
    expect(page.get_by_text("No matching customers")).to_be_visible()


def test_a_session_that_ended_behind_a_page_leads_to_signing_in(
    browsing: Browsing, crew: Crew
) -> None:
    page = browsing.visitor(crew.sessions["owner"])
    page.goto(crew.path("customers"))
    page.context.clear_cookies(name="sessionid")

    page.get_by_role("link", name="Add customer").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_a_forgotten_password_is_replaced_by_mail(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    address = f"owner@{crew.slug}.example"
    portal.seed("password", email=address)
    page = browsing.visitor()
    page.goto("/accounts/login/")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("E-mail address").fill(address)
    page.get_by_role("main").get_by_role("button").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("mail"))

    page.goto(portal.link_mailed_to(address, "/password/reset/key/"))
    for field in page.locator("input[type=password]").all():
        field.fill("another long way to the sea")
    page.get_by_role("main").get_by_role("button").first.click()
    expect(page.locator("input[type=password]")).to_have_count(0)
    sign_in(page, address, "another long way to the sea")

    expect(page).to_have_url(re.compile(f"/t/{crew.slug}/$"))


def test_an_authenticator_app_guards_the_account(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    address = f"owner@{crew.slug}.example"
    password = portal.seed("password", email=address)
    page = browsing.visitor()
    sign_in(page, address, password)
    expect(page).to_have_url(re.compile(f"/t/{crew.slug}/$"))
    open_guarded(page, "/accounts/2fa/totp/activate/", password)
    secret = page.locator(".berth-copyable code").inner_text()
    page.get_by_label(re.compile("code", re.IGNORECASE)).fill("000000")
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_text("This code is wrong")).to_be_visible()
    secret = page.locator(".berth-copyable code").inner_text()
    page.get_by_label(re.compile("code", re.IGNORECASE)).fill(totp_code(secret))
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    recovery_code = page.locator(".berth-copyable code").inner_text().split()[0]
    sign_out(page)

    sign_in(page, address, password)
    expect(page.get_by_role("heading", level=1)).to_have_text("One more step")
    assert problems_in_all_looks(page) == []
    page.goto(crew.path("customers"))
    expect(page.get_by_role("heading", level=1)).to_have_text("One more step")
    page.get_by_label(re.compile("code", re.IGNORECASE)).fill(recovery_code)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile(f"/t/{crew.slug}/"))


def test_a_passkey_signs_in(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    address = f"owner@{crew.slug}.example"
    page = browsing.visitor()
    plug_in_authenticator(page)
    password = portal.seed("password", email=address)
    sign_in(page, address, password)
    expect(page).to_have_url(re.compile(f"/t/{crew.slug}/$"))
    open_guarded(page, "/accounts/2fa/webauthn/add/", password)
    page.get_by_label("Name").fill("My laptop")
    page.get_by_label("Use it as a passkey, without a password").check()
    page.get_by_role("button", name="Add key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery codes")
    sign_out(page)

    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page).to_have_url(re.compile(f"/t/{crew.slug}/$"))


def plug_in_authenticator(page: Page) -> None:
    """Give the browser a platform authenticator whose owner always says yes."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


def test_a_team_that_requires_a_second_factor_waits_for_it(
    browsing: Browsing, crew: Crew
) -> None:
    owner = browsing.visitor(crew.sessions["owner"])
    viewer = browsing.visitor(crew.sessions["read-only"])
    viewer.goto(crew.path("customers"))
    expect(viewer.get_by_role("heading", level=1)).to_have_text("Customers")

    owner.goto(crew.path("settings"))
    owner.get_by_label("Require a second factor for all members").check()
    owner.get_by_role("button", name="Save").click()

    viewer.goto(crew.path("customers"))
    expect(viewer.get_by_text("requires a second factor")).to_be_visible()
    viewer.get_by_role("link", name="Set up a second factor").click()
    expect(viewer).to_have_url(re.compile("/accounts/"))
