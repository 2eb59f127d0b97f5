from __future__ import annotations

import logging

import pytest

from portal.logs.formats import TextFormatter

SECRET = "aB3-_" * 8 + "xyz"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"Not Found: /invitations/{SECRET}", "Not Found: /invitations/[redacted]"),
        (f"Not Found: /c/links/{SECRET}", "Not Found: /c/links/[redacted]"),
        (
            f"Not Found: /c/unsubscribe/{'0a' * 16}-license_issued.{SECRET}",
            "Not Found: /c/unsubscribe/[redacted]",
        ),
        (
            f"GET /accounts/login/?next=%2Finvitations%2F{SECRET} 200",
            "GET /accounts/login/?next=%2Finvitations%2F[redacted] 200",
        ),
        (
            f"GET /accounts/login/?next=/invitations/{SECRET}&x=1 200",
            "GET /accounts/login/?next=/invitations/[redacted]&x=1 200",
        ),
        (
            f"Not Found: /accounts/password/reset/key/{'0a' * 16}-d1x2-{'f' * 32}/",
            "Not Found: /accounts/password/reset/key/[redacted]/",
        ),
        (
            "GET /?next=%2faccounts%2fpassword%2freset%2fkey%2f0a-d1x2-ff%2f HTTP/1.1",
            "GET /?next=%2faccounts%2fpassword%2freset%2fkey%2f[redacted]%2f HTTP/1.1",
        ),
        (
            '"POST /accounts/confirm-email/MQ:1vAbCd:x-Y_z0/ HTTP/1.1" 302',
            '"POST /accounts/confirm-email/[redacted]/ HTTP/1.1" 302',
        ),
        (
            "GET /?next=%2Faccounts%2Fconfirm-email%2FMQ%3A1vAbCd%3Ax-Y_z0%2F HTTP/1.1",
            "GET /?next=%2Faccounts%2Fconfirm-email%2F[redacted]%2F HTTP/1.1",
        ),
        (
            '"GET /accounts/confirm-email/ HTTP/1.1" 200',
            '"GET /accounts/confirm-email/ HTTP/1.1" 200',
        ),
        (
            "GET /accounts/password/reset/key/done/ 200",
            "GET /accounts/password/reset/key/done/ 200",
        ),
        (
            "Conflict: /t/acme/invitations/6f1f3f3e-9b0c-4f3c-8f9e-0d2f3c1b2a4d/renew",
            "Conflict: /t/acme/invitations/6f1f3f3e-9b0c-4f3c-8f9e-0d2f3c1b2a4d/renew",
        ),
    ],
)
def test_secrets_of_links_are_blotted_out(text: str, kept: str) -> None:
    record = logging.LogRecord("django", logging.WARNING, "", 0, text, None, None)

    assert TextFormatter().format(record).endswith(f"WARNING django {kept}")
