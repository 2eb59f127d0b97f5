"""What names, and lines that people send to others, may contain."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from teams.models import validate_printable


@pytest.mark.parametrize(
    "text",
    [
        "a\x00b",
        "a\tb",
        "a\x7fb",
        "a\x85b",  # begins a line
        "a\u2028b",
        "a\u2029b",
        "invoice\u202efdp.exe",  # shows "invoiceexe.pdf"
        "\u2066a\u2069",
        "clus\u200bter",  # seen as another credential's name
        "\ufeffcluster",
        "clus\u2060ter",
    ],
)
def test_what_hides_or_reverses_text_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        validate_printable(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Müller & Söhne <b>",
        "a\u00a0b",
        "نمی\u200cشود",  # Persian, with a non-joiner
        "👩\u200d💻",
        "שלום\u200f!",
        "株式会社",
    ],
)
def test_what_people_write_is_accepted(text: str) -> None:
    validate_printable(text)
