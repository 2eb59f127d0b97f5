"""CSV as people upload it: read into lines, with what is wrong by line and column."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from django.core.files.uploadedfile import UploadedFile

from teams.web.lists.spreadsheets import entered_cell

# Less than Django takes as the fields of a form.
MAX_BYTES = 1_000_000
MAX_LINES = 5_000
SEPARATORS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a line; without a column, with the line as a whole."""

    line: int
    column: str
    message: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line below the head: its number, and its cells by column."""

    number: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        """Return a cell, "" if the file has none of this column."""
        return self.cells.get(column, "")


class Unreadable(Exception):  # noqa: N818 -- states the fact
    """A text is not CSV with columns that are known."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(problems)
        self.problems = problems


def text_of_file(file: UploadedFile[bytes]) -> str:
    """Return an uploaded file's text.

    Raises:
        Unreadable: it is not UTF-8, or too large.
    """
    if (file.size or 0) > MAX_BYTES:
        raise Unreadable(Problem(1, "", "The file is larger than 1 MB. Divide it."))
    try:
        text: str = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = "The file is not in UTF-8. In Excel, save it as CSV UTF-8."
        raise Unreadable(Problem(1, "", message)) from error
    return text


def read_csv(text: str, known: Collection[str], prefix: str = "") -> list[Line]:
    """Read CSV with a head, separated by commas, semicolons or tabs.

    Columns are ``known``, or begin with ``prefix``. Empty lines are left out.

    Raises:
        Unreadable: it is not such a CSV, or has more than 5,000 lines.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\x00" in text:
        raise Unreadable(Problem(1, "", "The file is no text: it has NUL characters."))
    records = list(_records(text))
    if not records:
        message = "There is nothing in it. Begin with a line that names the columns."
        raise Unreadable(Problem(1, "", message))
    (number, head), *rest = records
    columns = [_column(cell.strip(), known) for cell in head]
    problems = list(_problems_of_head(number, columns, known, prefix))
    for number, cells in rest:
        if any(cell.strip() for cell in cells[len(columns) :]):
            message = f"There are {len(cells)} cells, but {len(columns)} columns."
            problems.append(Problem(number, "", message))
    if not rest:
        problems.append(Problem(number + 1, "", "There are no lines below the head."))
    if len(rest) > MAX_LINES:
        message = f"There are more than {MAX_LINES:,} lines. Divide the file."
        problems.append(Problem(rest[MAX_LINES][0], "", message))
    if problems:
        raise Unreadable(*problems)
    return [
        Line(number, dict(zip(columns, map(entered_cell, cells), strict=False)))
        for number, cells in rest
    ]


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that are not empty, with the number that each begins on."""
    head = text.lstrip("\n").partition("\n")[0]
    separator = max(SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    begin = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as error:
        message = (
            "A quote in this line is not closed, or has text beside it; or a cell is "
            "larger than 128 KB."
        )
        raise Unreadable(Problem(begin, "", message)) from error


def _column(name: str, known: Collection[str]) -> str:
    return name.lower() if name.lower() in known else name


def _problems_of_head(
    number: int, columns: Sequence[str], known: Collection[str], prefix: str
) -> Iterator[Problem]:
    names = ", ".join([*known, *([f"{prefix}NAME"] if prefix else [])])
    for place, column in enumerate(columns):
        if not column:
            yield Problem(number, "", f"Column {place + 1} has no name.")
        elif column in columns[:place]:
            yield Problem(number, column, "There are two columns of this name.")
        elif column not in known and not (prefix and column.startswith(prefix)):
            message = f"This column is unknown. Known are: {names}."
            yield Problem(number, column, message)
