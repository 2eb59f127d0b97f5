from __future__ import annotations

from typing import Any

import pytest

from portal.doctor.findings import Status
from portal.doctor.servers import host_settings


@pytest.fixture(autouse=True)
def sound(settings: Any) -> None:
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["portal.example.com", "proxy.example.com"]
    settings.BERTH_PORTAL_URL = "https://portal.example.com"
    settings.BERTH_PROXY_HOST = "proxy.example.com"


def test_sound_settings() -> None:
    finding = host_settings()
    assert finding.status is Status.OK
    assert finding.text == "For portal.example.com, proxy.example.com."


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("DEBUG", True, "DEBUG is on"),
        ("ALLOWED_HOSTS", [], "Not set: ALLOWED_HOSTS."),
        ("ALLOWED_HOSTS", ["a.example", "*"], "ALLOWED_HOSTS contains *"),
        ("BERTH_PORTAL_URL", "", "Not set: BERTH_PORTAL_URL."),
        ("BERTH_PROXY_HOST", "", "Not set: BERTH_PROXY_HOST."),
    ],
)
def test_settings_that_are_wrong(
    settings: Any, name: str, value: object, text: str
) -> None:
    setattr(settings, name, value)
    finding = host_settings()
    assert finding.status is Status.FAILED
    assert finding.text.startswith(text)
    assert finding.advice
