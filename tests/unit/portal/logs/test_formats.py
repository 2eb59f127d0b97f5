from __future__ import annotations

import json
import logging
import re

import pytest
from django.core.exceptions import ImproperlyConfigured

from portal.env import one_of
from portal.logs.formats import JsonFormatter, TextFormatter
from portal.logs.request_id import begin_request, current_request_id, end_request

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


def failure(message: str, error: str) -> logging.LogRecord:
    """Return the record of an exception."""
    with pytest.raises(ValueError, match=re.escape(error)) as caught:
        raise ValueError(error)
    cause = (caught.type, caught.value, caught.tb)
    return logging.LogRecord("edge", logging.ERROR, "", 0, message, None, cause)


def test_json_is_one_line_with_its_traceback_and_request() -> None:
    token = begin_request("abc-123")
    line = JsonFormatter().format(failure("It failed: é\nhere", "with\ntwo lines"))
    end_request(token)

    assert "\n" not in line
    fields = json.loads(line)
    assert fields["message"] == "It failed: é\nhere"
    assert fields["exception"].endswith("ValueError: with\ntwo lines")
    assert (fields["level"], fields["logger"]) == ("ERROR", "edge")
    assert fields["request_id"] == "abc-123"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields["time"])


def test_json_has_no_secret_in_message_or_traceback_and_no_id_without_request() -> None:
    record = failure(f"/c/links/{SECRET}", f"/invitations/{SECRET}")

    line = JsonFormatter().format(record)

    assert SECRET not in line
    assert "/c/links/[redacted]" in line
    assert "/invitations/[redacted]" in line
    assert "request_id" not in json.loads(line)


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\nb", 'a"b', "é"])
def test_an_id_of_another_form_is_replaced(given: str) -> None:
    token = begin_request(given)
    try:
        assert re.fullmatch("[0-9a-f]{32}", current_request_id())
    finally:
        end_request(token)
    assert current_request_id() == ""


def test_a_word_that_is_no_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_LOG_FORMAT", "xml")

    with pytest.raises(ImproperlyConfigured, match="must be text or json, not 'xml'"):
        one_of("BERTH_LOG_FORMAT", "text", "json")
