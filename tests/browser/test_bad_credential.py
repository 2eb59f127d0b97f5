"""A password changes at the registry: the vendor is alerted, and fixes it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import bcrypt
import psycopg
from playwright.sync_api import Page, expect

from tests.support.browser.axe import accessibility_problems
from tests.support.browser.browsing import Browsing
from tests.support.servers.receiver import Receiver
from tests.support.stacks.portal_stack import Crew, PortalStack

NEW_PASSWORD = "changed-upstream-51c7"
# Makes the next check due, so that the test does not wait for intervals.
MAKE_CHECK_DUE = (
    "UPDATE registries_externalregistry SET next_check_at = now()"
    " WHERE id = %s AND next_check_at > now() AND claimed_until IS NULL"
)


def test_the_vendor_is_alerted_of_a_changed_password_and_fixes_it(
    browsing: Browsing, portal: PortalStack, crew: Crew
) -> None:
    registry = portal.connect_sample(crew)
    portal.seed("webhook", team=crew.slug, url=portal.receiver.url)
    page = browsing.visitor(crew.sessions["owner"])
    shows(portal, registry, page, crew.path("images"), "Valid")

    with other_password(portal):
        shows(portal, registry, page, crew.path("images"), "Rejected")
        assert accessibility_problems(page) == []
        page.goto(crew.path())
        attention = page.get_by_role("region", name="Needs attention")
        expect(attention.get_by_role("listitem").last).to_contain_text("Rejected")

        attention.get_by_role("link", name="sample", exact=True).click()
        cell = page.get_by_role("cell", name="refused this username and password")
        expect(cell.first).to_be_visible()
        page.get_by_role("link", name="Replace credential").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Password").fill(NEW_PASSWORD)
        dialog.get_by_role("button", name="Test and save").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Valid")
        page.goto(crew.path())
        expect(page.get_by_text("Rejected")).to_have_count(0)

        expected = ["registry.rejected", "registry.recovered"]
        wait_until(lambda: events(portal.receiver, crew) == expected)
        address = f"owner@{crew.slug}.example"
        subjects = [
            "A registry rejects its credential: sample",
            "A registry works again: sample",
        ]
        wait_until(lambda: portal.subjects_mailed_to(address) == subjects)
        for _ in range(3):
            make_check_due(portal, registry)
            time.sleep(1)
        assert events(portal.receiver, crew) == expected
        assert portal.subjects_mailed_to(address) == subjects


def shows(
    portal: PortalStack, registry: str, page: Page, path: str, health: str
) -> None:
    """Reload a page until it shows the registry's health."""

    def is_shown() -> bool:
        make_check_due(portal, registry)
        page.goto(path)
        row = page.get_by_role("row").filter(has_text="sample")
        return row.get_by_text(health, exact=True).count() == 1

    wait_until(is_shown)


def make_check_due(portal: PortalStack, registry: str) -> None:
    with psycopg.connect(portal.servers.database_url, autocommit=True) as connection:
        connection.execute(MAKE_CHECK_DUE, [registry])


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.3)


def events(receiver: Receiver, crew: Crew) -> list[str]:
    """Return the events that a team's webhook got, in order."""
    bodies = [json.loads(delivery.body) for delivery in receiver.received]
    ours = [body for body in bodies if body["data"]["team"] == crew.slug]
    return [body["type"] for body in ours]


@contextmanager
def other_password(portal: PortalStack) -> Iterator[None]:
    """Change the sample registry's password for a while; it rereads its file."""
    path = portal.settings.directory / "sample-registry" / "htpasswd"
    before = path.read_text()
    user, _ = portal.sample_login
    hashed = bcrypt.hashpw(NEW_PASSWORD.encode(), bcrypt.gensalt(rounds=4)).decode()
    try:
        path.write_text(f"{user}:{hashed}\n")
        _touch(path)
        yield
    finally:
        path.write_text(before)
        _touch(path)


def _touch(path: os.PathLike[str]) -> None:
    # The registry rereads the file only if its time is later by a whole second.
    later = time.time() + 2
    os.utime(path, (later, later))
