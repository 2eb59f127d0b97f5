"""Debian's Chromium, driven by Playwright."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium-headless-shell")
ARGUMENTS = [
    # Containers have little shared memory, and root has no sandbox.
    *("--disable-dev-shm-usage", "--no-sandbox"),
    # Two cores have better uses than a process for graphics without a screen, and
    # optimizing scripts that run for half a second.
    *("--in-process-gpu", "--disable-gpu", "--js-flags=--no-opt"),
]
WIDE = 1440
MIDDLE = 768
NARROW = 390


class ChromiumMissing(Exception):  # noqa: N818 - exceptions state the fact
    """Chromium is not installed."""


@contextmanager
def start_chromium() -> Iterator[Browser]:
    """Start Chromium.

    Raises:
        ChromiumMissing: it is not installed.
    """
    if not CHROMIUM.exists():
        raise ChromiumMissing(
            f"{CHROMIUM} is missing. `make test-packages` installs Debian's package "
            "chromium-headless-shell."
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=ARGUMENTS,
        )
        try:
            yield browser
        finally:
            browser.close()


def send_form(page: Page, values: Mapping[str, str]) -> None:
    """Fill the form in the middle of a page, and send it as without scripts."""
    form = page.get_by_role("main").locator("form:has(button.btn-primary)")
    for name, value in values.items():
        form.locator(f"[name={name}]").fill(value)
    with page.expect_navigation():
        form.evaluate("(form) => HTMLFormElement.prototype.submit.call(form)")
