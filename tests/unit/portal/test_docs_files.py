"""Files, folders and functions that the documentation names are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
DOCUMENTS = sorted(
    path
    for path in [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")]
    # What a past release had may be gone.
    if path.name != "CHANGELOG.md"
)
TOP_LEVEL = {path.name for path in PROJECT.iterdir() if not path.name.startswith(".")}
# What a command makes, and what a reader is to make.
MADE = re.compile(r"\A(?:var|dist|node_modules)/|[A-Z]{3,}|[*<…]")
NAMED = re.compile(
    r"`([\w./-]+?\.(?:py|html|css|js|conf|toml|md|yaml|in|txt))(?:::(\w+))?`"
)
FOLDER = re.compile(r"`([\w./-]+/)`")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def named_in(document: Path) -> Iterator[tuple[str, str]]:
    """Return the paths of a document, with the function named in one or ""."""
    text = document.read_text(encoding="utf-8")
    for path, function in NAMED.findall(text):
        # A bare file name is one of the folder that its sentence is about.
        if path.partition("/")[0] in TOP_LEVEL and not MADE.search(path):
            yield path, function
    for folder in FOLDER.findall(text):
        if folder.partition("/")[0] in TOP_LEVEL and not MADE.search(folder):
            yield folder, ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_files_and_functions_exist(document: Path) -> None:
    missing = [
        f"{path}::{function}" if function else path
        for path, function in named_in(document)
        if not (PROJECT / path).exists()
        or (function and f"def {function}(" not in (PROJECT / path).read_text())
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text(encoding="utf-8"))
    assert [each for each in links if not (document.parent / each).exists()] == []


def test_the_architecture_names_many_files() -> None:
    named = list(named_in(PROJECT / "docs/architecture.md"))
    assert len(named) > 10


def test_the_threat_models_tests_exist() -> None:
    text = (PROJECT / "THREAT_MODEL.md").read_text(encoding="utf-8")
    row = r"^\| .* \| \[.*\]\((tests/.*\.py)\) \| (.*) \|$"
    rows = re.findall(row, text, re.MULTILINE)
    assert len(rows) > 30
    missing = [
        f"{file}::{name}"
        for file, names in rows
        for name in re.findall(r"`(\w+)`", names)
        if f"def test_{name}(" not in (PROJECT / file).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_every_threat_names_its_test_or_says_why_not() -> None:
    text = (PROJECT / "THREAT_MODEL.md").read_text(encoding="utf-8")
    table = text.partition("## STRIDE")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| [A-Z].*\|$", table, re.MULTILINE)[1:]
    assert len(rows) > 50
    # test_named_files_and_functions_exist looks for what they name.
    named = re.compile(r"`tests/[\w/]+\.py::test_\w+`|not (?:tested|defended): \w")
    assert [row for row in rows if not named.search(row.split(" | ")[-1])] == []
