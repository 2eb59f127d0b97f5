"""A dialog that is refused with 429 keeps what was entered and says why."""

from __future__ import annotations

import uuid

from playwright.sync_api import Page, expect

from tests.support.browser.browsing import Browsing
from tests.support.minutes import within_a_minute
from tests.support.stacks.portal_stack import Crew

CHECKS_PER_MINUTE = 30


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
