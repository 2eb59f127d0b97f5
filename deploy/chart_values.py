"""Write docs/operations/chart-values.md from the comments in the chart's values.yaml.

python -m deploy.chart_values
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parent.parent
CHART = PROJECT / "deploy" / "chart"
TABLE = PROJECT / "docs" / "operations" / "chart-values.md"
HEAD = """\
# Which values does the chart have?

`python -m deploy.chart_values` makes this page from the comments in
[values.yaml](../../deploy/chart/values.yaml).
[kubernetes.md](kubernetes.md) says how to install the chart, and
[configuration.md](configuration.md) what the settings mean that `env` passes on.

| Value | Default | Meaning |
|---|---|---|
"""
_LINE = re.compile(r"^(?P<indent> *)(?P<name>[A-Za-z0-9]+):(?P<rest>.*)$")


class Undocumented(Exception):  # noqa: N818 -- states the fact
    """A value has no comment before it."""


@dataclass(frozen=True)
class Value:
    """A value of the chart, by its path such as ``edge.cache.size``."""

    path: str
    default: str
    meaning: str


def documented_values(text: str) -> list[Value]:
    """Read values with the comments before them.

    A value with a comment is documented as a whole, with all that is in it.

    Raises:
        Undocumented: a value has no comment, and nor has anything in it.
    """
    return list(_values(text.splitlines(), yaml.safe_load(text)))


def _values(lines: list[str], defaults: object) -> Iterator[Value]:
    path: list[str] = []
    comment: list[str] = []
    inside: str | None = None  # of a value that is documented as a whole
    for line in lines:
        if line.strip().startswith("#"):
            comment.append(line.strip(" #"))
            continue
        match = _LINE.match(line)
        if match is None:
            comment = []
            continue
        path = [*path[: len(match["indent"]) // 2], match["name"]]
        dotted = ".".join(path)
        if inside and dotted.startswith(f"{inside}."):
            continue
        default = _at(defaults, path)
        if comment:
            inside = dotted
            yield Value(dotted, _short(default), " ".join(comment))
        elif not isinstance(default, dict) or not default:
            raise Undocumented(f"{dotted} has no comment.")
        comment = []


def _at(defaults: object, path: list[str]) -> object:
    for name in path:
        if not isinstance(defaults, dict):
            raise TypeError(f"{'.'.join(path)} is not where its indentation says.")
        defaults = defaults[name]
    return defaults


def _short(default: object) -> str:
    """Return a default in one line, as YAML."""
    if default in ("", [], {}):
        return "none"
    flow = yaml.safe_dump(default, default_flow_style=True, width=10**6)
    return f"`{flow.removesuffix(chr(10)).removesuffix('...').strip()}`"


def table(values: list[Value]) -> str:
    """Return the page."""
    rows = (f"| `{item.path}` | {item.default} | {item.meaning} |\n" for item in values)
    return HEAD + "".join(rows)


def current_table() -> str:
    """Return the page as the chart is now."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    return table(documented_values(text))


if __name__ == "__main__":
    TABLE.write_text(current_table(), encoding="utf-8")
    print(f"Wrote {TABLE.relative_to(PROJECT)}")
