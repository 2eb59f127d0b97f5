"""The goals and tables of a measurement of pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.harness.report import Goal, Report, table
from bench.harness.rounds import percentile
from bench.pages import lists, searches
from bench.pages.addresses import Address
from bench.pages.paint import Paint
from bench.pages.requests import Answer, Download

PAGE_MS = 100
PAINT_MS = 500
WARM_KB = 60
COLD_KB = 200
# Of pages that are not listed one by one.
SLOWEST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Page:
    """What was measured of one address."""

    address: Address
    answers: Sequence[Answer]

    @property
    def p95(self) -> float:
        return percentile([answer.milliseconds for answer in self.answers], 95)

    @property
    def kilobytes(self) -> float:
        return max(answer.bytes for answer in self.answers) / 1000

    @property
    def row(self) -> tuple[str, ...]:
        return (
            self.address.name,
            f"{median(answer.milliseconds for answer in self.answers):.0f} ms",
            f"{self.p95:.0f} ms",
            f"{self.kilobytes:.0f} KB",
            Goal(self.address.name, self.p95, "under", PAGE_MS).verdict,
        )

    @property
    def figures(self) -> dict[str, Any]:
        return {
            "section": self.address.section,
            "name": self.address.name,
            "query": self.address.path.partition("?")[2],
            "p95_ms": round(self.p95, 1),
            "kilobytes": round(self.kilobytes, 1),
        }


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was measured, and of how large a team."""

    customers: int
    pulls: int
    pages: Sequence[Page]
    downloads: Mapping[str, Download]
    paints: Mapping[str, Paint]

    def report(self) -> Report:
        return Report(
            {
                "Lists": f"{self._about}\n\n{_table(_slowest_of_each(self._lists))}",
                "The search box": _table(self._searches),
                "Other pages": self._others,
                "Downloads": _downloads(self.downloads),
                "First paint": _paints(self.paints),
            },
            list(self._goals()),
            {
                "pages": [page.figures for page in self.pages],
                "downloads": {k: asdict(v) for k, v in self.downloads.items()},
                "first_paint": {k: asdict(v) for k, v in self.paints.items()},
            },
        )

    @property
    def _lists(self) -> list[Page]:
        return [each for each in self.pages if each.address.section == lists.SECTION]

    @property
    def _searches(self) -> list[Page]:
        return [each for each in self.pages if each.address.section == searches.SECTION]

    @property
    def _about(self) -> str:
        calls = len(self.pages[0].answers)
        return (
            f"One team with {self.customers:,} customers, as many licenses, and "
            f"{self.pulls:,} counted pulls. Milliseconds of whole requests, one at a "
            f"time, over loopback to the portal under granian; {calls} for each of "
            f"{len(self._lists)} addresses of lists. Of those that differ in the order "
            "alone, the slowest is shown."
        )

    @property
    def _others(self) -> str:
        listed = {id(page) for page in (*self._lists, *self._searches)}
        others = [page for page in self.pages if id(page) not in listed]
        slowest = sorted(others, key=lambda page: page.p95, reverse=True)
        return (
            f"All {len(others)} other pages and forms, those of customers and accounts "
            f"too. The slowest are:\n\n{_table(slowest[:SLOWEST_SHOWN])}"
        )

    def _goals(self) -> Iterator[Goal]:
        pages, found = self.pages, self._searches
        paints = self.paints.values()
        yield Goal("Slowest page, p95", _worst(pages), "under", PAGE_MS, " ms")
        yield Goal("Slowest search, p95", _worst(found), "under", PAGE_MS, " ms")
        largest = max(page.kilobytes for page in pages)
        yield Goal("Largest page, sent", largest, "at most", WARM_KB, " KB")
        cold = max(paint.cold_bytes for paint in paints) / 1000
        yield Goal("Most loaded for a first page", cold, "at most", COLD_KB, " KB")
        first, again = (
            max(paint.cold_ms for paint in paints),
            max(paint.warm_ms for paint in paints),
        )
        yield Goal("Latest first paint, cold", first, "under", PAINT_MS, " ms")
        yield Goal("Latest first paint, warm", again, "under", PAINT_MS, " ms")


def _worst(pages: Sequence[Page]) -> float:
    return max(page.p95 for page in pages)


def _slowest_of_each(pages: Sequence[Page]) -> list[Page]:
    """Return the slowest of the pages with each name, in their order."""
    slowest: dict[str, Page] = {}
    for page in pages:
        name = page.address.name
        if name not in slowest or slowest[name].p95 < page.p95:
            slowest[name] = page
    return list(slowest.values())


def _table(pages: Sequence[Page]) -> str:
    head = ("Page", "Median", "p95", "Sent", f"Under {PAGE_MS} ms")
    return table(head, (page.row for page in pages))


def _downloads(downloads: Mapping[str, Download]) -> str:
    head = ("CSV", "First byte", "Whole", "Size")
    rows = (
        (
            name,
            f"{each.first_byte * 1000:.0f} ms",
            f"{each.whole:.1f} s",
            f"{each.bytes / 1e6:.1f} MB",
        )
        for name, each in downloads.items()
    )
    return table(head, rows)


def _paints(paints: Mapping[str, Paint]) -> str:
    about = (
        "When headless Chromium first paints something, from the request on: with an "
        "empty cache, and again. The median of five rounds. *Loaded* is what came "
        "over the wire, headers included."
    )
    head = ("Page", "Cold", "Loaded", "Warm", "Loaded")
    rows = (
        (
            title,
            f"{paint.cold_ms:.0f} ms",
            f"{paint.cold_bytes / 1000:.0f} KB",
            f"{paint.warm_ms:.0f} ms",
            f"{paint.warm_bytes / 1000:.0f} KB",
        )
        for title, paint in paints.items()
    )
    return f"{about}\n\n{table(head, rows)}"
