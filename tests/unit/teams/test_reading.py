"""CSV as people upload it."""

from __future__ import annotations

import random

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from teams.web.lists.reading import Problem, Unreadable, read_csv, text_of_file
from teams.web.lists.spreadsheets import csv_text, entered_cell, plain_cell

KNOWN = ("name", "email")


def problems_of(text: str, prefix: str = "") -> list[tuple[int, str, str]]:
    with pytest.raises(Unreadable) as refusal:
        read_csv(text, KNOWN, prefix)
    return [(one.line, one.column, one.message) for one in refusal.value.problems]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n"])
def test_lines_are_read_with_their_numbers(
    separator: str, end: str, start: str
) -> None:
    rows = [
        ["Email", " name "],
        ["a@b.example", f'"A{separator} Inc. ""x"""'],
        ["", ""],
        ["", '"two', 'lines"'],
        ["c@d.example"],
    ]
    text = start + end.join(separator.join(row) for row in rows[:3])
    text += f'{end}{separator}"two{end}lines"{end}c@d.example{end}'
    first = start.count("\n") + 2

    lines = read_csv(text, KNOWN)

    assert [(line.number, line["name"], line["email"]) for line in lines] == [
        (first, f'A{separator} Inc. "x"', "a@b.example"),
        (first + 2, "two\nlines", ""),
        (first + 4, "", "c@d.example"),
    ]


def test_what_cannot_be_read_is_said_by_line() -> None:
    nothing = "There is nothing in it. Begin with a line that names the columns."
    assert problems_of("") == [(1, "", nothing)]
    assert problems_of("\n , \n") == [(1, "", nothing)]
    assert problems_of("name\n\n") == [(2, "", "There are no lines below the head.")]
    assert problems_of("name,nmae,,name\na") == [
        (1, "nmae", "This column is unknown. Known are: name, email."),
        (1, "", "Column 3 has no name."),
        (1, "name", "There are two columns of this name."),
    ]
    assert problems_of("x:a,name,z\n1", prefix="x:") == [
        (1, "z", "This column is unknown. Known are: name, email, x:NAME.")
    ]
    assert problems_of("name\na\nb,c\n\nd,e,f") == [
        (3, "", "There are 2 cells, but 1 columns."),
        (5, "", "There are 3 cells, but 1 columns."),
    ]
    for broken in ('name\na\n"b', 'name\na\n"b"c\n', "name\na\n" + "x" * 131_073):
        [(line, _, message)] = problems_of(broken)
        assert line == 3
        assert message.startswith("A quote in this line is not closed")
    assert problems_of("name\nx\x00") == [
        (1, "", "The file is no text: it has NUL characters.")
    ]


def test_5000_lines_are_read_and_no_more() -> None:
    assert len(read_csv("name\n" + "a\n" * 5000, KNOWN)) == 5000
    assert problems_of("name\n" + "a\n" * 5001) == [
        (5002, "", "There are more than 5,000 lines. Divide the file.")
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name\nZürich".encode("latin-1"), "The file is not in UTF-8. In Excel, save"),
        ("name\nZürich".encode("utf-16"), "The file is not in UTF-8. In Excel, save"),
        (b"x" * 1_000_001, "The file is larger than 1 MB. Divide it."),
    ],
)
def test_a_file_is_utf_8_of_at_most_1_mb(content: bytes, message: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        text_of_file(SimpleUploadedFile("customers.csv", content))

    assert refusal.value.problems[0].message.startswith(message)
    assert text_of_file(SimpleUploadedFile("a.csv", b"x" * 1_000_000)) == (
        "x" * 1_000_000
    )


def test_a_cell_is_read_as_it_was_written() -> None:
    chance = random.Random(7)  # noqa: S311 -- test data
    alphabet = "=+-@'a\t \uff1d\u2212,;\""
    lengths = [chance.randint(0, 5) for _ in range(500)]
    texts = ["".join(chance.choices(alphabet, k=length)) for length in lengths]
    for text in ["=1+1", "'=1", "''=1", "'a", "-5", "'", *texts]:
        assert entered_cell(plain_cell(text)) == text
        assert not plain_cell(text).startswith(("=", "+", "-", "@", "\t"))
    assert entered_cell("O'Brien") == "O'Brien"
    assert entered_cell("'tis") == "'tis"
    [line] = read_csv(csv_text([["name", "email"], ['=a,"b"', "-1"]]), KNOWN)
    assert line.cells == {"name": '=a,"b"', "email": "-1"}


def test_a_problem_names_its_place() -> None:
    error = Unreadable(Problem(3, "name", "Enter a name."))

    assert error.problems == (Problem(3, "name", "Enter a name."),)
