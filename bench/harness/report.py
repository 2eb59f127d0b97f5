"""Goals, tables and reports in Markdown, and their place in docs/performance.md."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.harness.errors import BenchError

_RELATIONS = {"at least": operator.ge, "at most": operator.le, "under": operator.lt}
_DIGITS = {" times": 2, " ms": 1}


@dataclass(frozen=True, slots=True)
class Goal:
    """A measured value and its bound; ``relation`` is at least, at most or under."""

    name: str
    measured: float
    relation: str
    bound: float
    unit: str = ""

    @property
    def verdict(self) -> str:
        met = _RELATIONS[self.relation](self.measured, self.bound)
        return "met" if met else "**missed**"

    @property
    def row(self) -> tuple[str, ...]:
        return (
            self.name,
            f"{self.relation} {self.bound:g}{self.unit}",
            f"{self.measured:.{_DIGITS.get(self.unit, 0)}f}{self.unit}",
            self.verdict,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """The goals of a measurement, and its other results by heading."""

    sections: Mapping[str, str]
    goals: Sequence[Goal] = ()

    def render(self, name: str, machine: Mapping[str, str]) -> str:
        """Return the report in Markdown, with the machine it was measured on."""
        head = ("Goal", "Bound", "Measured", "")
        goals = [table(head, (goal.row for goal in self.goals))] if self.goals else []
        facts = {f"Machine of the {name}": table(("", ""), machine.items())}
        sections = {**self.sections, **facts}
        return "\n\n".join(
            [*goals, *(f"### {title}\n\n{body}" for title, body in sections.items())]
        )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def write_report(page: Path, name: str, report: str) -> None:
    """Replace the text between a report's two markers in a page.

    Raises:
        BenchError: the page does not have both markers, in order.
    """
    first, last = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, begin, rest = page.read_text(encoding="utf-8").partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise BenchError(f"{page} lacks {first} followed by {last}.")
    page.write_text(f"{before}{first}\n\n{report}\n\n{last}{after}", encoding="utf-8")
