"""Goals, tables and reports in Markdown and JSON, and their places in docs/."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from bench.harness.errors import BenchError

_RELATIONS = {"at least": operator.ge, "at most": operator.le, "under": operator.lt}
_DIGITS = {" times": 2, " ms": 1}


@dataclass(frozen=True, slots=True)
class Goal:
    """A measured value and its bound; ``relation`` is at least, at most or under."""

    name: str
    measured: float
    relation: str
    bound: float | Fraction
    unit: str = ""

    @property
    def met(self) -> bool:
        return bool(_RELATIONS[self.relation](self.measured, self.bound))

    @property
    def verdict(self) -> str:
        return "met" if self.met else "**missed**"

    @property
    def row(self) -> tuple[str, ...]:
        exact = isinstance(self.bound, Fraction)
        bound = str(self.bound) if exact else f"{self.bound:g}"
        # Two digits cannot tell 1/6 from a little more.
        digits = 3 if exact else _DIGITS.get(self.unit, 0)
        return (
            self.name,
            f"{self.relation} {bound}{self.unit}",
            f"{self.measured:.{digits}f}{self.unit}",
            self.verdict,
        )

    @property
    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "measured": self.measured,
            "relation": self.relation,
            "bound": float(self.bound),
            "unit": self.unit.strip(),
            "met": self.met,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The goals of a measurement, and its other results by heading.

    ``figures`` are the same results for machines.
    """

    sections: Mapping[str, str]
    goals: Sequence[Goal] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)

    def render(self, name: str, machine: Mapping[str, str]) -> str:
        """Return the report in Markdown, with the machine it was measured on."""
        head = ("Goal", "Bound", "Measured", "")
        goals = [table(head, (goal.row for goal in self.goals))] if self.goals else []
        facts = {f"Machine of the {name}": table(("", ""), machine.items())}
        sections = {**self.sections, **facts}
        return "\n\n".join(
            [*goals, *(f"### {title}\n\n{body}" for title, body in sections.items())]
        )

    def as_json(self, machine: Mapping[str, str]) -> dict[str, Any]:
        """Return goals, figures and machine."""
        return {
            "goals": [goal.as_json for goal in self.goals],
            "figures": self.figures,
            "machine": machine,
        }


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


def write_json(file: Path, name: str, report: Mapping[str, Any]) -> None:
    """Replace a report in a file that holds each by its name."""
    reports = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    text = json.dumps({**reports, name: report}, indent=1, sort_keys=True)
    file.write_text(f"{text}\n", encoding="utf-8")
