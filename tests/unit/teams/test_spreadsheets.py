from __future__ import annotations

import pytest

from teams.web.lists.spreadsheets import plain_cell


@pytest.mark.parametrize(
    "text", ["", "a=b", " =1", "'a", "é=1", "2026-03-01T12:00:00Z"]
)
def test_plain_cell_leaves_the_rest_alone(text: str) -> None:
    assert plain_cell(text) == text
