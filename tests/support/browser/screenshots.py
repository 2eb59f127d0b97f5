"""``make screenshots``: every page in three widths, light and dark, as PNG files."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import django
from playwright.sync_api import Page

from deploy.local.demo_settings import PROJECT, DemoSettings
from deploy.local.private_files import private_directory
from deploy.local.process import LocalStackError, free_port
from deploy.local.stack import (
    build_installer,
    prepare,
    start_berth,
    start_registries,
    start_servers,
)
from tests.support.browser.axe import Theme
from tests.support.browser.browsing import Browsing
from tests.support.browser.chromium import (
    MIDDLE,
    NARROW,
    WIDE,
    ChromiumMissing,
    send_form,
    start_chromium,
)

if TYPE_CHECKING:
    from tests.support.browser.portal_pages import PortalPage

OUTPUT = PROJECT / "var" / "screenshots"
WIDTHS = (WIDE, MIDDLE, NARROW)
THEMES: tuple[Theme, ...] = ("light", "dark")
# What the pages say to type; nothing is reached there.
SHOWN_HOSTS = {
    "BERTH_PROXY_HOST": "images.kestrel.example",
    "BERTH_REGISTRY_HOST": "registry.kestrel.example",
}


@dataclass(frozen=True, slots=True)
class _Shot:
    page: PortalPage
    address: str
    session: str | None


def main(words: list[str]) -> int:
    """Take pictures of all pages, or of those whose names hold one of the words."""
    try:
        take_screenshots(OUTPUT, words)
    except (LocalStackError, ChromiumMissing) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def take_screenshots(output: Path, words: list[str]) -> None:
    """Start Berth, fill it, and write ``output``/PAGE-WIDTH-THEME.png.

    Raises:
        LocalStackError: something did not start, or a page is broken.
        ChromiumMissing: Chromium is not installed.
    """
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="berth-screenshots-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        settings = DemoSettings(
            private_directory(directory / "berth"),
            *(free_port(), free_port(), free_port()),
        )
        environment = start_servers(settings, stack, durable=False).environment
        environment |= SHOWN_HOSTS
        wheel = build_installer(directory / "installer", settings.logs / "build.log")
        environment["BERTH_INSTALLER_WHEEL"] = str(wheel)
        prepare(settings, environment)
        start_registries(settings, stack)
        start_berth(settings, environment, stack)
        os.environ.update(environment)
        django.setup()
        url = f"http://127.0.0.1:{settings.portal_port}"
        # Before there is anybody in the database.
        for find_shots in (_first_shot, _shots):
            shots = [shot for shot in find_shots() if _is_wanted(shot, words)]
            with start_chromium() as browser:
                _take(Browsing(browser, url), shots, output)
    print(f"{len(list(output.iterdir()))} pictures are in {output}.")


def _is_wanted(shot: _Shot, words: list[str]) -> bool:
    return not words or any(word in shot.page.name for word in words)


def _first_shot() -> Iterator[_Shot]:
    from tests.support.browser.portal_pages import SET_UP

    yield _Shot(SET_UP, SET_UP.address({}), None)


def _shots() -> Iterator[_Shot]:
    # They are of Django, which only now has its settings.
    from tests.support.browser.portal_pages import PAGES
    from tests.support.example.data import fill_example_team

    example = fill_example_team("kestrel")
    for page in PAGES:
        address = page.address(example.ids_for(page.visitor))
        yield _Shot(page, address, example.sessions.get(page.visitor))


def _take(windows: Browsing, shots: list[_Shot], output: Path) -> None:
    for shot in shots:
        page = windows.visitor(shot.session)
        _open(page, shot)
        for width, theme in itertools.product(WIDTHS, THEMES):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=theme)
            path = output / f"{shot.page.name}-{width}-{theme}.png"
            page.screenshot(path=path, full_page=True)
        page.context.close()


def _open(page: Page, shot: _Shot) -> None:
    answer = page.goto(shot.address)
    if answer is None or not page.url.endswith(shot.address):
        raise LocalStackError(f"{shot.page.name} led to {page.url}.")
    if answer.status >= 500:
        raise LocalStackError(f"{page.url} answered with status {answer.status}.")
    if shot.page.sends is not None:
        send_form(page, shot.page.sends)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
