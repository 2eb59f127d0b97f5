"""The four things that vendors do most: in few clicks, by keyboard, without scripts."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.browser.axe import problems_in_all_looks
from tests.support.browser.browsing import Browsing
from tests.support.stacks.portal_stack import Crew, ExampleTeam, PortalStack

# Over all pages of a window. What the keyboard clicks has no detail.
_COUNT_CLICKS = """
document.addEventListener("click", (event) => {
  if (!event.isTrusted || event.detail === 0) return;
  const clicks = Number(sessionStorage.getItem("clicks") ?? 0);
  sessionStorage.setItem("clicks", clicks + 1);
}, true);
"""
MOST_TABS = 200


class Mouse:
    """A person with a mouse, who types where the page puts the cursor."""

    scripts = True

    def __init__(self, page: Page, crew: Crew) -> None:
        page.add_init_script(_COUNT_CLICKS)
        self.page = page
        self.crew = crew

    def press(self, control: Locator) -> None:
        control.click()

    def type_into(self, field: Locator, text: str) -> None:
        if not _has_focus(field):
            self.press(field)
        self.page.keyboard.type(text)

    def next_field(self, field: Locator, text: str) -> None:
        self.page.keyboard.press("Tab")
        assert _has_focus(field)
        self.page.keyboard.type(text)

    def search(self, text: str) -> None:
        self.page.keyboard.press("/")
        self.page.keyboard.type(text)

    @property
    def clicks(self) -> int:
        return int(self.page.evaluate("sessionStorage.getItem('clicks') ?? 0"))


class Keyboard(Mouse):
    """A person without a mouse."""

    def press(self, control: Locator) -> None:
        expect(control).to_be_visible()
        for _ in range(MOST_TABS):
            if _has_focus(control):
                break
            self.page.keyboard.press("Tab")
        assert _has_focus(control), "no Tab leads there"
        is_box = control.get_attribute("type") == "checkbox"
        self.page.keyboard.press("Space" if is_box else "Enter")

    def type_into(self, field: Locator, text: str) -> None:
        for _ in range(MOST_TABS):
            if _has_focus(field):
                break
            self.page.keyboard.press("Tab")
        self.page.keyboard.type(text)


class Scriptless(Mouse):
    """A person whose browser runs no scripts; nobody counts their clicks."""

    scripts = False

    def type_into(self, field: Locator, text: str) -> None:
        field.fill(text)

    next_field = type_into

    def search(self, text: str) -> None:
        self.page.get_by_role("searchbox", name="Find anything").fill(text)
        self.page.get_by_role("button", name="Find").click()


Person = type[Mouse]
PEOPLE = pytest.mark.parametrize("kind", [Mouse, Keyboard, Scriptless])


def _has_focus(control: Locator) -> bool:
    return bool(control.evaluate("element => element === document.activeElement"))


@contextmanager
def story(
    browsing: Browsing,
    crew: Crew,
    kind: Person,
    most_clicks: int,
    request: pytest.FixtureRequest,
) -> Iterator[Mouse]:
    """Begin on the dashboard; count what happens until the block ends."""
    page = browsing.visitor(crew.sessions["owner"], scripts=kind.scripts)
    person = kind(page, crew)
    page.goto(crew.path())
    began = time.monotonic()
    yield person
    seconds = time.monotonic() - began
    if not kind.scripts:
        return
    print(f"\n{request.node.name}: {person.clicks} clicks, {seconds:.1f} s")  # noqa: T201 -- the figures
    assert person.clicks <= (most_clicks if kind is Mouse else 0)


@PEOPLE
def test_a_license_is_found_by_part_of_an_address_and_revoked(
    browsing: Browsing,
    portal: PortalStack,
    crew: Crew,
    kind: Person,
    request: pytest.FixtureRequest,
) -> None:
    portal.license(crew)
    address = f"it@{crew.slug}"
    portal.seed("customer_address", team=crew.slug, email=f"{address}.example")
    with story(browsing, crew, kind, 4, request) as person:
        page = person.page
        person.search(address)
        found = page.get_by_role("region" if kind.scripts else "main").get_by_role(
            "link", name=re.compile("^Example Corp: ")
        )
        person.press(found)
        person.press(page.get_by_label("More actions"))
        person.press(page.get_by_role("link", name="Revoke", exact=True))
        form = page.get_by_role("dialog" if kind.scripts else "main")
        person.type_into(form.get_by_label("Reason"), "Unpaid")
        person.press(form.get_by_role("button", name="Revoke"))
        expect(page.get_by_text("The license was revoked by")).to_be_visible()


@PEOPLE
def test_why_a_customer_cannot_pull_an_image(
    browsing: Browsing,
    portal: PortalStack,
    crew: Crew,
    kind: Person,
    request: pytest.FixtureRequest,
) -> None:
    portal.license(crew)
    image = f"docker pull images.example/proxy/{crew.application}/quay.io/a/b:1"
    with story(browsing, crew, kind, 3, request) as person:
        page = person.page
        person.press(page.get_by_role("link", name="Why?", exact=True))
        person.type_into(page.get_by_label("License", exact=True), "Example")
        person.next_field(page.get_by_label("Image"), image.partition("example/")[2])
        person.press(page.get_by_role("button", name="Explain"))
        answer = page.get_by_role("region", name="This pull is refused")
        expect(answer).to_contain_text("Add this external registry")


@PEOPLE
def test_forty_licenses_are_renewed(
    browsing: Browsing,
    portal: PortalStack,
    crew: Crew,
    kind: Person,
    request: pytest.FixtureRequest,
) -> None:
    portal.seed("expiring", team=crew.slug, number=40)
    with story(browsing, crew, kind, 5, request) as person:
        page = person.page
        person.press(page.get_by_role("link", name="Licenses", exact=True))
        person.press(page.get_by_role("checkbox", name="Select all 40 that match"))
        person.press(page.get_by_role("button", name="Renew…"))
        person.press(page.get_by_role("button", name="Renew 40 licenses"))
        expect(page.get_by_text("40 licenses renewed.")).to_be_visible()


@PEOPLE
def test_a_license_is_issued_to_a_new_customer(
    browsing: Browsing, crew: Crew, kind: Person, request: pytest.FixtureRequest
) -> None:
    with story(browsing, crew, kind, 6, request) as person:
        page = person.page
        person.press(page.get_by_role("link", name="Licenses", exact=True))
        person.press(page.get_by_role("link", name="Issue license", exact=True))
        name, address = "Initech", "it@initech.example"
        if kind.scripts:
            person.type_into(page.get_by_role("combobox", name="Customer"), name)
            new = page.get_by_role("option", name=f"New customer “{name}”")
            expect(new).to_be_visible()
            if kind is Keyboard:
                page.keyboard.press("ArrowDown")
                page.keyboard.press("Enter")
            else:
                person.press(new)
        else:
            page.get_by_label("A new customer").check()
            page.get_by_label("Name", exact=True).fill(name)
        person.type_into(page.get_by_label("E-mail address"), address)
        person.press(page.get_by_role("button", name="Issue license"))
        heading = page.get_by_role("heading", level=1)
        expect(heading).to_contain_text("Initech: ")
    page.get_by_role("link", name="Initech", exact=True).click()
    expect(page.get_by_text(address)).to_be_visible()


def test_the_list_of_customers_and_the_sheet_of_filters_bar_nobody(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    portal.license(crew)
    page = browsing.visitor(crew.sessions["owner"])
    page.goto(crew.path("licenses/new"))
    field = page.get_by_role("combobox", name="Customer")
    field.fill("Example")
    options = page.get_by_role("listbox", name="Customers").get_by_role("option")
    expect(options).to_have_count(2)
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    assert problems_in_all_looks(page) == []
    field.press("Escape")
    expect(options.first).to_be_hidden()

    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(crew.path("pulls"))
    page.get_by_text("Filters").click()
    expect(page.get_by_label("Outcome")).to_be_visible()
    assert problems_in_all_looks(page) == []


def test_without_scripts_a_phone_has_the_filters_in_a_sheet(
    browsing: Browsing, crew: Crew
) -> None:
    page = browsing.visitor(crew.sessions["owner"], scripts=False, width=390)
    page.goto(crew.path("pulls"))
    expect(page.get_by_label("Outcome")).to_be_hidden()

    page.get_by_text("Filters").click()
    page.get_by_label("Outcome").select_option("Refused or failed")
    page.get_by_role("button", name="Filter", exact=True).click()

    expect(page).to_have_url(re.compile("outcome=refused"))
    expect(page.get_by_text("Filters (1)")).to_be_visible()
    expect(page.get_by_label("Outcome")).to_be_hidden()


def test_names_are_chosen_in_place_and_without_scripts(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    portal.connect_sample(crew, test_image="my-org/api:v1")
    for scripts in (True, False):
        page = browsing.visitor(crew.sessions["owner"], scripts=scripts)
        page.goto(crew.path(f"applications/{crew.application}"))
        page.get_by_label("Or another image").fill("nowhere.example/a:1")
        page.keyboard.press("Enter")
        expect(page.get_by_text("No registry nowhere.example is")).to_be_visible()
        page.get_by_label("Registry", exact=True).select_option("sample")
        if not scripts:
            page.get_by_role("button", name="Show").click()
        page.get_by_role("button", name="Kubernetes").click()
        pod = page.locator("pre").filter(has_text="imagePullSecrets")
        expect(pod).to_contain_text(f"/proxy/{crew.application}/sample/my-org/api:v1")
        in_place = page.url.endswith(f"applications/{crew.application}")
        assert in_place is scripts


def test_a_day_of_the_chart_is_opened_by_keyboard(
    browsing: Browsing, example: ExampleTeam
) -> None:
    page = browsing.visitor(example.sessions["owner"])
    page.goto(f"/t/{example.ids['team']}/")
    chart = page.get_by_role("group", name="Pulls per day")
    days = chart.get_by_role("link", name=re.compile(r"^\w{3} \d+ \w{3}: \d+ allowed"))

    page.get_by_role("link", name="90 days").focus()
    page.keyboard.press("Tab")
    expect(days.first).to_be_focused()
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(r"pulls\?first_day=(.{10})&last_day=\1$"))
    expect(page.get_by_label("From")).not_to_have_value("")
