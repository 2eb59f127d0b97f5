"""Customers come in by a file, and everything goes out as one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.support.browser.browsing import Browsing
from tests.support.browser.chromium import NARROW, WIDE
from tests.support.stacks.portal_stack import Crew


def choose_and_check(page: Page, text: str) -> None:
    file = FilePayload(
        name="customers.csv", mimeType="text/csv", buffer=text.encode("utf-8-sig")
    )
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Check the file").click()


@pytest.mark.parametrize(
    ("scripts", "width"), [(True, WIDE), (False, NARROW)], ids=["scripts", "none"]
)
def test_a_file_is_corrected_then_imported(
    scripts: bool, width: int, browsing: Browsing, crew: Crew
) -> None:
    page = browsing.visitor(crew.sessions["sales"], scripts=scripts, width=width)
    names = [f"Imported {scripts} {number}" for number in range(3)]
    lines = "\n".join(f"{name};{name[9:]}" for name in names)
    page.goto(crew.path("customers"))
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="Import customers").click()

    choose_and_check(page, f"name;costum_id\n{lines}")
    expect(page.get_by_role("alert")).to_contain_text("1 problem. Nothing was imported")
    expect(page.get_by_role("cell", name="costum_id")).to_be_visible()
    expect(page.get_by_label("Or its text")).to_have_value(f"name;costum_id\n{lines}")

    page.get_by_label("Or its text").fill(f"name;custom_id\n{lines}")
    page.get_by_role("button", name="Check the file").click()
    expect(page.get_by_text("3 customers will be added.")).to_be_visible()
    page.get_by_role("button", name="Change the text").click()
    expect(page.get_by_label("Or its text")).to_have_value(f"name;custom_id\n{lines}")
    choose_and_check(page, f"name;custom_id\n{lines}")
    page.get_by_role("button", name="Import", exact=True).click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Customers")
    expect(page.get_by_text("3 added, 0 changed, 0 left as they are.")).to_be_visible()
    for name in names:
        expect(page.get_by_role("link", name=name)).to_be_visible()


def test_a_team_is_exported(browsing: Browsing, crew: Crew, tmp_path: Path) -> None:
    page = browsing.visitor(crew.sessions["owner"])
    page.goto(crew.path("settings"))
    page.get_by_role("link", name="Export").click()

    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()

    file = tmp_path / "export.jsonl"
    download.value.save_as(file)
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert download.value.suggested_filename.startswith(crew.slug)
    assert lines[-1] == {"type": "end", "lines": len(lines) - 1}
    assert {"team", "member", "audit_event"} <= {line["type"] for line in lines}
