"""When Chromium first paints something of a page, and what it loads for that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, BrowserContext

from bench.harness.errors import BenchError
from bench.harness.rounds import medians
from bench.pages.values import Values
from tests.support.browser.chromium import WIDE, ChromiumMissing, start_chromium

ROUNDS = 5
# By their titles.
ROUTES = {
    "Dashboard": "dashboard",
    "Customers": "customers",
    "A customer": "customers-detail",
    "Licenses": "licenses",
    "A license": "licenses-detail",
    "Pulls": "pulls",
    "Images": "images",
    "Applications": "applications",
    "Alerts": "alerts",
    "Audit log": "audit",
}
_FIRST_PAINT = """() => new Promise((resolve) => {
  const answer = () => {
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    if (!paint || document.readyState !== "complete") return setTimeout(answer, 5);
    const loaded = ["navigation", "resource"].flatMap(
      (type) => performance.getEntriesByType(type)
    );
    resolve([paint.startTime, loaded.reduce((sum, one) => sum + one.transferSize, 0)]);
  };
  answer();
})"""


@dataclass(frozen=True, slots=True)
class Paint:
    """Milliseconds from the request until the first paint, and the bytes received.

    First without anything in the browser's cache, then again.
    """

    cold_ms: float
    cold_bytes: float
    warm_ms: float
    warm_bytes: float


def first_paints(url: str, values: Values) -> Mapping[str, Paint]:
    """Measure the main pages by title: the medians of some rounds.

    Raises:
        BenchError: Chromium is not installed.
    """
    session = values.example.sessions["owner"]
    try:
        with start_chromium() as browser:
            return {
                title: medians(list(_rounds(browser, url, session, values.path(route))))
                for title, route in ROUTES.items()
            }
    except ChromiumMissing as error:
        raise BenchError(str(error)) from error


def _rounds(browser: Browser, url: str, session: str, path: str) -> Iterator[Paint]:
    for _ in range(ROUNDS):
        with _signed_in(browser, url, session) as context:
            yield Paint(*_open(context, path), *_open(context, path))


@contextmanager
def _signed_in(browser: Browser, url: str, session: str) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=url, viewport={"width": WIDE, "height": 900})
    context.add_cookies([{"name": "sessionid", "value": session, "url": url}])
    try:
        yield context
    finally:
        context.close()


def _open(context: BrowserContext, path: str) -> tuple[float, float]:
    page = context.new_page()
    page.goto(path)
    milliseconds, size = page.evaluate(_FIRST_PAINT)
    page.close()
    return milliseconds, size
