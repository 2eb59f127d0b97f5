"""Only hosts of ``ALLOWED_HOSTS`` are served, and only what is a host at all."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

PATHS = (
    "/",
    "/t/a-team/",
    "/t/a-team/licenses",
    "/accounts/login/?next=/t/a-team/",
    "/api/v1/team",
    "/admin/",
)


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host", ["evil.test/x.example.com", "evil.test?x.example.com", "evil.test"]
)
def test_what_is_no_host_passes_no_wildcard(
    settings: Any, path: str, host: str
) -> None:
    settings.ALLOWED_HOSTS = [".example.com"]

    answer = Client(raise_request_exception=False).get(path, headers={"Host": host})

    assert answer.status_code == 400
    assert "evil.test" not in answer.headers.get("Location", "")
    assert b"evil.test" not in answer.content
