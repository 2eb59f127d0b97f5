"""What waits says so and is asked for once; what is refused keeps what was entered."""

from __future__ import annotations

import uuid
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.support.browser.browsing import Browsing
from tests.support.browser.portal_pages import PortalPage, Visitor
from tests.support.minutes import within_a_minute
from tests.support.stacks.portal_stack import Crew, ExampleTeam

CHECKS_PER_MINUTE = 30
ANSWERED = "<!DOCTYPE html><html lang=en><title>Answered</title><h1>Answered</h1>"
# The page, the button, and what a screen reader is told.
WAITS = (
    (PortalPage("alerts-webhook-detail"), "Send test", "Sending the test…"),
    (PortalPage("registries-detail"), "Check now", "Checking the registry…"),
    (PortalPage("why"), "Explain", "Asking the registry…"),
    (PortalPage("manifest"), "Preview", "Reading the manifest…"),
    (PortalPage("customers-send"), "Send", "Sending the e-mails…"),
    (PortalPage("customer:check", Visitor.CONTACT), "Check", "Asking the registry…"),
)
# While a navigation is held up, the page cannot be queried, so it reports on its own.
TELL = """
const tell = (...words) => console.debug(words.join(" "));
window.addEventListener("submit", () => tell("submits"), true);
document.addEventListener("animationstart", (event) => {
  tell("shows", event.animationName);
});
new MutationObserver((changes) => changes.forEach(({ target, attributeName }) => {
  if (attributeName) tell("turns", target.textContent, target.ariaBusy);
  else if (target.role === "status") tell("says", target.textContent);
})).observe(document, {
  subtree: true, childList: true, attributeFilter: ["aria-busy"],
});
"""
BAR = "shows berth-fill"


def hold(page: Page, method: str) -> list[Route]:
    """Let requests with this method wait; return them as they come."""
    held: list[Route] = []

    def handle(route: Route, request: Request) -> None:
        if request.method == method:
            held.append(route)
        else:
            route.continue_()

    page.route("**/*", handle)
    return held


def telling(browsing: Browsing, session: str) -> Page:
    """Open a window whose pages tell what they show while they wait."""
    page = browsing.visitor(session)
    page.add_init_script(TELL)
    return page


def told(page: Page, words: str) -> AbstractContextManager[object]:
    """Wait until the page tells this."""
    return page.expect_console_message(lambda message: message.text == words)


@pytest.mark.parametrize(("shown", "name", "words"), WAITS, ids=lambda x: str(x)[:12])
def test_a_button_waits_and_is_pressed_once(
    shown: PortalPage, name: str, words: str, browsing: Browsing, example: ExampleTeam
) -> None:
    page = telling(browsing, example.sessions[shown.visitor])
    page.goto(shown.address(example.ids_for(shown.visitor)))
    held = hold(page, "POST")
    button = page.get_by_role("main").get_by_role("button", name=name, exact=True)

    with told(page, f"turns {name} true"), told(page, f"says {words}"), told(page, BAR):
        button.click(no_wait_after=True)
    with told(page, "submits"):
        page.keyboard.press("Enter")

    assert len(held) == 1
    held[0].fulfill(body=ANSWERED, content_type="text/html")
    expect(page.get_by_role("heading", name="Answered")).to_be_visible()


def test_a_dialog_waits_and_keeps_what_was_entered(
    browsing: Browsing, crew: Crew
) -> None:
    browsing.expect_no_answer()
    page = browsing.visitor(crew.sessions["owner"])
    page.goto(crew.path("images"))
    page.get_by_role("link", name="Add external registry").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("link", name="Other registry").click()
    expect(dialog.get_by_label("Endpoint")).to_have_value("")
    dialog.get_by_label("Endpoint").fill("127.0.0.1:1")
    dialog.get_by_label("Username").fill("robot")
    dialog.get_by_label("Password").fill("secret")
    held = hold(page, "POST")
    button = dialog.get_by_role("button", name="Test and save")

    button.click()
    expect(button).to_have_attribute("aria-busy", "true")
    expect(dialog.get_by_role("status")).to_have_text("Testing with the registry…")
    dialog.get_by_label("Username").press("Enter")

    assert len(held) == 1
    held[0].abort()
    expect(dialog.get_by_role("alert")).to_contain_text("No answer.")
    expect(button).not_to_have_attribute("aria-busy", "true")
    expect(dialog.get_by_role("status")).to_be_empty()
    expect(dialog.get_by_label("Username")).to_have_value("robot")
    # It can be sent again.
    button.click()
    expect(button).to_have_attribute("aria-busy", "true")
    assert len(held) == 2
    held[1].abort()


def test_a_page_that_takes_long_shows_a_bar(browsing: Browsing, crew: Crew) -> None:
    page = telling(browsing, crew.sessions["owner"])
    page.goto(crew.path("customers"))
    held = hold(page, "GET")

    with told(page, BAR), told(page, "says Working…"):
        page.get_by_role("link", name="Licenses").click(no_wait_after=True)

    assert len(held) == 1
    held[0].fulfill(body=ANSWERED, content_type="text/html")
    expect(page.get_by_role("heading", name="Answered")).to_be_visible()


def test_an_answer_ends_the_wait(browsing: Browsing, crew: Crew) -> None:
    page = telling(browsing, crew.sessions["owner"])
    page.goto(crew.path("customers"))
    held = hold(page, "GET")

    with told(page, BAR):
        page.get_by_role("link", name="Add customer").first.click()
    held[0].continue_()

    expect(page.get_by_role("dialog").get_by_label("Name")).to_be_focused()
    page.wait_for_function(
        "() => getComputedStyle(document.body, '::before').content === 'none'"
    )


def test_a_dialog_shows_that_there_were_too_many_tries(
    browsing: Browsing, crew: Crew
) -> None:
    browsing.expect_status(429)
    page = browsing.visitor(crew.sessions["owner"])
    page.goto(crew.path("images"))
    page.get_by_role("link", name="Add external registry").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("link", name="Other registry").click()
    expect(dialog.get_by_label("Endpoint")).to_have_value("")
    dialog.get_by_label("Slug").fill("sample")
    dialog.get_by_label("Endpoint").fill("127.0.0.1:1")
    dialog.get_by_label("Username").fill("robot")

    def too_many() -> None:
        use_up_tries(page, crew)
        dialog.get_by_label("Password").fill("secret")
        dialog.get_by_role("button", name="Test and save").click()
        expect(dialog.get_by_text("Wait a minute, then retry.")).to_be_visible()

    within_a_minute(too_many)

    expect(dialog.get_by_label("Slug")).to_have_value("sample")
    expect(dialog.get_by_label("Endpoint")).to_have_value("127.0.0.1:1")


def use_up_tries(page: Page, crew: Crew) -> None:
    address = crew.path("registries/add?provider=other")
    token = page.locator("input[name=csrfmiddlewaretoken]").first.input_value()
    values: dict[str, str | float | bool] = {
        "csrfmiddlewaretoken": token,
        "slug": "another",
        "endpoint": "127.0.0.1:1",
        "username": "robot",
        "secret": "secret",
        "shared_with": "all",
        "repository_patterns": "*",
    }
    for _ in range(CHECKS_PER_MINUTE):
        form = values | {"submission": str(uuid.uuid4())}
        answer = page.request.post(address, form=form)
        assert "Nothing was saved." in answer.text() or answer.status == 429
