"""A whole Berth of real processes, and Chromium in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser.browsing import Browsing
from tests.support.browser.chromium import ChromiumMissing, start_chromium
from tests.support.stacks.portal_stack import (
    Crew,
    ExampleTeam,
    PortalStack,
    start_portal_stack,
)


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalStack]:
    with start_portal_stack(tmp_path_factory.mktemp("portal")) as stack:
        yield stack


# Of the module and not of the session: while it is there, an event loop runs in this
# thread, which tests of other layers must not find.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    try:
        with start_chromium() as browser:
            yield browser
    except ChromiumMissing as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def browsing(chromium: Browser, portal: PortalStack) -> Iterator[Browsing]:
    """Windows in which nothing may go wrong but what the test expects."""
    windows = Browsing(chromium, portal.url)
    yield windows
    windows.finish()


@pytest.fixture
def crew(portal: PortalStack) -> Crew:
    """A team of this test's own."""
    return portal.crew()


@pytest.fixture(scope="session")
def example(portal: PortalStack) -> ExampleTeam:
    """A team with something of every kind, for looking at only."""
    return portal.example_team()
