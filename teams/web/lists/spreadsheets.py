"""CSV that spreadsheets open without running anything in it."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable

# Spreadsheets read these as the start of a formula, and look-alikes, such as full-width
# ones, too. NFKC turns look-alikes into these, some of them into U+2212, a minus sign.
FORMULA_STARTS = ("=", "+", "-", "\u2212", "@", "\t", "\r", "\n")


def csv_text(rows: Iterable[Iterable[str]]) -> str:
    """Return rows as lines of CSV, with cells that are no formulas."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([plain_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def plain_cell(text: str) -> str:
    """Return the text so that no spreadsheet runs it as a formula.

    Different texts stay different, so that :func:`entered_cell` can undo it.
    """
    start = unicodedata.normalize("NFKC", text.lstrip("'")[:1])
    return f"'{text}" if start.startswith(FORMULA_STARTS) else text


def entered_cell(cell: str) -> str:
    """Return what a cell was before :func:`plain_cell`."""
    return cell[1:] if cell.startswith("'") and plain_cell(cell[1:]) == cell else cell
