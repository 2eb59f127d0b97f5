"""Browser windows that record everything that goes wrong on a page."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
)

from tests.support.browser.chromium import WIDE

PATIENCE_MS = 15_000

expect.set_options(timeout=PATIENCE_MS)

# Chromium logs what was blocked, but not by which page's policy.
_LOG_POLICY_REPORTS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`Policy of ${document.location}: ${event.violatedDirective} blocked ` +
    `${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});
"""
_FAILURE = re.compile(
    r"Failed to load resource: (?:.* status of (\d{3})|net::(\w+))|(htmx:\w+)"
)


class Browsing:
    """Browser windows of one test, and what went wrong in them."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self._contexts: list[BrowserContext] = []
        self._expected_statuses: set[str] = set()
        self._problems: list[str] = []

    def visitor(
        self,
        session: str | None = None,
        *,
        url: str | None = None,
        scripts: bool = True,
        width: int = WIDE,
        theme: str = "light",
    ) -> Page:
        """Open a window of somebody new, signed in if there is a ``session``."""
        base = url or self._url
        context = self._browser.new_context(
            base_url=base,
            java_script_enabled=scripts,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if theme == "dark" else "light",
            # Colours on their way from one to another would be measured.
            reduced_motion="reduce",
            accept_downloads=True,
        )
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(_LOG_POLICY_REPORTS)
        context.on("console", self._note_message)
        context.on("weberror", lambda error: self._problems.append(str(error.error)))
        if session:
            context.add_cookies([{"name": "sessionid", "value": session, "url": base}])
        return context.new_page()

    def expect_status(self, *statuses: int) -> None:
        """Accept answers with these statuses until the next check."""
        self._expected_statuses |= {str(status) for status in statuses}

    def expect_no_answer(self) -> None:
        """Accept requests without an answer until the next check."""
        self._expected_statuses |= {"ERR_FAILED", "htmx:afterRequest", "htmx:sendError"}

    def finish(self) -> None:
        """Close all windows, and fail if anything went wrong in one."""
        for context in self._contexts:
            context.close()
        self.check()

    def check(self) -> None:
        """Fail if anything has gone wrong since the last check; windows stay open."""
        problems, self._problems = self._problems, []
        self._expected_statuses.clear()
        assert problems == []

    def _note_message(self, message: ConsoleMessage) -> None:
        failure = _FAILURE.match(message.text)
        if failure and set(failure.groups()) & self._expected_statuses:
            return
        if message.type in {"error", "warning"}:
            location: Any = message.location
            self._problems.append(f"{message.text} ({location.get('url')})")
