"""Reads the pages of the guide: their fenced blocks, as its README describes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

GUIDE = Path(__file__).resolve().parents[2] / "docs/guide"
_BLOCK = re.compile(r"^( *)```(\S*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SETS = re.compile(r"^([A-Z_]+)=\S.*$", re.MULTILINE)
_USES = re.compile(r"\$\{?([A-Z_]+)")
_ASSIGNS = re.compile(r"^([A-Z_]+)=|^read(?: -\w+)* ([A-Z_]+)", re.MULTILINE)
LANGUAGES = frozenset({"sh", "env", "text", "console", "json", "yaml"})


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language and its text."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    path: Path
    blocks: list[Block]

    @property
    def name(self) -> str:
        return str(self.path.relative_to(GUIDE))

    def of(self, language: str) -> list[str]:
        """Return the texts of all blocks in a language."""
        return [block.text for block in self.blocks if block.language == language]

    @property
    def variables(self) -> set[str]:
        """Return what the page tells its reader to set."""
        return {name for text in self.of("env") for name in _SETS.findall(text)}

    @property
    def unset_variables(self) -> set[str]:
        """Return what the commands use, and neither reader nor page sets."""
        text = "\n".join(self.of("sh"))
        assigned = {name for pair in _ASSIGNS.findall(text) for name in pair}
        return set(_USES.findall(text)) - assigned - self.variables

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each block of commands, with the lines that it is said to print."""
        for index, block in enumerate(self.blocks):
            if block.language == "sh":
                following = self.blocks[index + 1 : index + 2]
                said = [each.text for each in following if each.language == "text"]
                yield block.text, "".join(said).splitlines()


def read_page(path: Path) -> Page:
    found = _BLOCK.findall(path.read_text(encoding="utf-8"))
    return Page(path, [Block(language, dedent(text)) for _, language, text in found])


def pages() -> list[Page]:
    """Return all pages that the portal shows."""
    paths = sorted(GUIDE.rglob("*.md"))
    return [read_page(path) for path in paths if path.name != "README.md"]


def is_printed(line: str, output: str) -> bool:
    """Return whether a line of a ``text`` block is in an output; … is anything."""
    pattern = ".*".join(re.escape(part) for part in line.strip().split("…"))
    return re.search(pattern, output) is not None
