from __future__ import annotations

import logging

import pytest

from portal.http.logs import RedactingFormatter

SECRET = "aB3-_" * 8 + "xyz"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"Not Found: /invitations/{SECRET}", "Not Found: /invitations/[redacted]"),
        (
            "Conflict: /t/acme/invitations/6f1f3f3e-9b0c-4f3c-8f9e-0d2f3c1b2a4d/renew",
            "Conflict: /t/acme/invitations/6f1f3f3e-9b0c-4f3c-8f9e-0d2f3c1b2a4d/renew",
        ),
    ],
)
def test_links_of_invitations_are_blotted_out(text: str, kept: str) -> None:
    record = logging.LogRecord("django", logging.WARNING, "", 0, text, None, None)

    assert RedactingFormatter().format(record) == kept
