"""From an empty installation to an allowed and a refused pull, in the browser."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Locator, Page, expect

from tests.support.browser.axe import accessibility_problems, problems_in_all_looks
from tests.support.browser.browsing import Browsing
from tests.support.browser.chromium import WIDE
from tests.support.clients.pulling import pull
from tests.support.stacks.portal_stack import PortalStack

PASSWORD = "a long way to the sea"
REVOKED_SENTENCE = "This license was revoked on"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_newcomer_lets_a_customer_pull_and_revokes_the_license(
    browsing: Browsing, portal: PortalStack, scripts: bool
) -> None:
    with portal.empty_portal() as url:
        page = browsing.visitor(url=url, scripts=scripts)
        newcomer = Newcomer(page, scripts=scripts)
        newcomer.sets_up()
        newcomer.connects_registry(portal)
        newcomer.creates_application()
        newcomer.issues_license()
        license_id = newcomer.downloads_license_id()
        host = url.removeprefix("http://")
        image = f"{host}/proxy/my-app/sample/my-org/api:v1.0.1"
        assert pull(image, license_id) == ""

        newcomer.revokes_license()
        assert REVOKED_SENTENCE in pull(image, license_id)
        newcomer.looks_up_why()

        newcomer.reinstates_license()
        assert pull(image, license_id) == ""
        newcomer.sees_the_first_pull()


class Newcomer:
    """A new user who has not read the documentation."""

    def __init__(self, page: Page, *, scripts: bool) -> None:
        self.page = page
        self._scripts = scripts

    @property
    def form(self) -> Locator:
        """The open dialog; without scripts, it is a page."""
        return self.page.get_by_role("dialog" if self._scripts else "main")

    def sets_up(self) -> None:
        page = self.page
        page.goto("/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to Berth")
        if self._scripts:
            assert problems_in_all_looks(page) == []
            page.set_viewport_size({"width": WIDE, "height": 900})
        page.get_by_label("Team name").fill("First Software")
        page.get_by_label("Team slug").fill("First Software")
        page.get_by_label("Your e-mail address").fill("me@first.example")
        create = page.get_by_role("button", name="Create team and account")
        password = page.get_by_label("Password")
        password.fill("short")
        create.click()
        expect(password).to_have_accessible_description(re.compile("is too short"))
        password.fill(PASSWORD)
        create.click()
        slug = page.get_by_label("Team slug")
        expect(slug).to_have_accessible_description(re.compile("^Use lower-case"))
        slug.fill("first")
        password.fill(PASSWORD)
        create.click()
        expect(page.get_by_role("heading", name="Get started")).to_be_visible()

    def connects_registry(self, portal: PortalStack) -> None:
        username, password = portal.sample_login
        page, form = self.page, self.form
        page.get_by_role("link", name="Add external registry").click()
        form.get_by_role("link", name="Other registry").click()
        form.get_by_label("Endpoint").fill(portal.settings.sample_host)
        form.get_by_label("Username").fill(username)
        form.get_by_label("Password").fill(f"not {password}")
        form.get_by_label("Slug").fill("sample")
        form.get_by_role("button", name="Test and save").click()

        expect(form.get_by_role("alert")).to_contain_text("Wrong username or password")
        expect(form.get_by_label("Password")).to_have_accessible_description(
            re.compile("Wrong username or password")
        )
        if self._scripts:
            assert accessibility_problems(page) == []
        expect(form.get_by_label("Password")).to_have_value("")
        expect(form.get_by_label("Username")).to_have_value(username)
        form.get_by_label("Password").fill(password)
        form.get_by_role("button", name="Test and save").click()

        expect(page.get_by_role("heading", level=1)).to_contain_text("sample")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Valid")

    def creates_application(self) -> None:
        page, form = self.page, self.form
        page.goto("/")
        page.get_by_role("link", name="Create an application").click()
        form.get_by_label("Name").fill("My App")
        form.get_by_role("button", name=re.compile("application")).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("My App")

    def issues_license(self) -> None:
        page = self.page
        page.goto("/")
        page.get_by_role("link", name="Issue a license").click()
        if self._scripts:
            page.get_by_role("combobox", name="Customer").fill("Example Corp")
            page.get_by_role("option", name="New customer “Example Corp”").click()
        else:
            page.get_by_label("A new customer").check()
            page.get_by_label("Name", exact=True).fill("Example Corp")
        page.get_by_role("button", name="Issue license").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(
            "Example Corp: My App"
        )
        expect(page.get_by_text("Pulls work until")).to_be_visible()
        self._address = page.url

    def downloads_license_id(self) -> str:
        self.page.get_by_label("More actions").click()
        with self.page.expect_download() as download:
            self.page.get_by_role("button", name="Download license file").click()
        self.page.reload()
        assert download.value.suggested_filename == "license-my-app.yaml"
        license_file = yaml.safe_load(Path(download.value.path()).read_text())
        assert license_file["kind"] == "License"
        return str(license_file["spec"]["licenseID"])

    def revokes_license(self) -> None:
        page, form = self.page, self.form
        page.get_by_label("More actions").click()
        page.get_by_role("link", name="Revoke", exact=True).click()
        expect(form).to_contain_text("stop within one second")
        form.get_by_label("Reason").fill("Invoice 17 is unpaid")
        form.get_by_role("button", name="Revoke").click()
        expect(page.get_by_text("All pulls are refused")).to_be_visible()
        # The promise is one second.
        time.sleep(1)

    def looks_up_why(self) -> None:
        page = self.page
        page.get_by_role("link", name="Why?", exact=True).click()
        page.get_by_label("License").fill("example")
        page.get_by_label("Image").fill("sample/my-org/api:v1.0.1")
        page.get_by_role("button", name="Explain").click()
        expect(page.get_by_role("heading", name="This pull is refused")).to_be_visible()
        expect(page.get_by_role("blockquote")).to_contain_text(REVOKED_SENTENCE)
        expect(page.get_by_text("Invoice 17 is unpaid").first).to_be_visible()

    def reinstates_license(self) -> None:
        page, form = self.page, self.form
        page.goto(self._address)
        page.get_by_role("link", name="Reinstate").click()
        form.get_by_role("button", name="Reinstate").click()
        expect(page.get_by_text("Pulls work until")).to_be_visible()
        time.sleep(1)

    def sees_the_first_pull(self) -> None:
        """Wait until the pull is counted, which takes a few seconds."""
        page = self.page
        why = page.get_by_role("link", name=re.compile("^Why.*was refused")).first
        allowed = page.get_by_role("cell", name="Allowed").first
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not (allowed.count() and why.count()):
            page.goto(self._address)
            page.wait_for_timeout(500)
        expect(allowed).to_be_visible()
        why.click()
        expect(page.get_by_text("This pull would be allowed now")).to_be_visible()
        page.goto("/")
        expect(page.get_by_role("heading", name="Pulls per day")).to_be_visible()
        expect(page.get_by_role("heading", name="Get started")).to_have_count(0)
