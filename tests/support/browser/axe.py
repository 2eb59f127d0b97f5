"""Accessibility problems that axe finds on a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from tests.support.browser.chromium import MIDDLE, NARROW, WIDE

Theme = Literal["light", "dark"]
# A theme changes colours and nothing else, and axe takes its time.
COLOUR_RULES = ("color-contrast", "link-in-text-block")


def accessibility_problems(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """Return every violation on the page as it is shown now, of all rules or some."""
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(AXE_SCRIPT)
    # Style sheets are only preloaded for rules that are off, and for media.
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if rules:
        options["runOnly"] = list(rules)
    violations: list[dict[str, Any]] = page.evaluate(
        "async (options) => (await axe.run(document, options)).violations", options
    )
    return [
        f"{violation['id']}: {violation['help']}: {node['target']} "
        f"{node['html'][:200]} {node['failureSummary']}"
        for violation in violations
        for node in violation["nodes"]
    ]


def problems_in_all_looks(page: Page) -> list[str]:
    """Look at an open page light and dark, on a screen and on a phone.

    It is left as wide and as light as pages are opened.
    """
    problems = []
    for width in (WIDE, NARROW):
        problems += _problems_in(page, width, "light")
        problems += _problems_in(page, width, "dark", COLOUR_RULES)
    _reset(page)
    return problems


def problems_in_turn(page: Page, number: int) -> list[str]:
    """Look at both widths and in both themes, but only in two of the four looks.

    Which two depends on whether ``number`` is even. So what many pages share, such as
    the navigation, is seen in all four. The first is the page as wide as it was opened,
    and it is left in the other width: a new layout takes a while. On its way
    it is as wide as a tablet, where it must fit as well.
    """
    themes: tuple[Theme, Theme] = ("dark", "light") if number % 2 else ("light", "dark")
    looks = list(zip((WIDE, NARROW), themes, strict=True))
    if page.viewport_size is not None and page.viewport_size["width"] == NARROW:
        looks.reverse()
    (first, first_theme), (second, second_theme) = looks
    problems = _problems_in(page, first, first_theme)
    page.set_viewport_size({"width": MIDDLE, "height": 900})
    problems += [f"{MIDDLE}: sticks out: {element}" for element in sticking_out(page)]
    return problems + _problems_in(page, second, second_theme)


def _problems_in(
    page: Page, width: int, theme: Theme, rules: Sequence[str] = ()
) -> list[str]:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=theme)
    found = accessibility_problems(page, rules)
    found += [f"sticks out: {element}" for element in sticking_out(page)]
    return [f"{theme} {width}: {problem}" for problem in found]


def _reset(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": WIDE, "height": 900})


def sticking_out(page: Page) -> list[str]:
    """Return what makes the page wider than the window, normally nothing.

    A table that only fits if it is scrolled sideways counts, too.
    """
    elements: list[str] = page.evaluate(
        """() => {
          const root = document.documentElement;
          const isTooWide = (box) => box.scrollWidth > box.clientWidth + 1;
          const lists = document.querySelectorAll(".table-responsive:has(.berth-rows)");
          const wide = [...lists].filter(isTooWide);
          if (isTooWide(root)) {
            wide.push(...[...document.querySelectorAll("body *")].filter((element) =>
              element.getBoundingClientRect().right > root.clientWidth + 0.5));
          }
          return wide.map((element) => element.outerHTML.slice(0, 120));
        }"""
    )
    return elements
