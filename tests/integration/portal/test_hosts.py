"""Only hosts of ``ALLOWED_HOSTS`` are served, and probes under any host."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

POD = {"Host": "10.244.1.17:8002"}
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


@pytest.fixture
def production(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["portal.example.com"]
    settings.SECURE_SSL_REDIRECT = True
    settings.BERTH_METRICS_TOKEN = "metrics-token"


@pytest.mark.usefixtures("db", "production")
def test_probes_answer_by_address_and_without_tls() -> None:
    client = Client(headers=POD)
    assert client.get("/livez").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["checks"] == {"database": True, "schema": True, "redis": True}
    token = {"Authorization": "Bearer metrics-token"}
    assert client.get("/metrics", headers=token).status_code == 200
    assert client.get("/metrics").status_code == 401
    assert client.post("/readyz").status_code == 405


@pytest.mark.usefixtures("db", "production")
@pytest.mark.parametrize("path", ["/readyz/", "/livez/x", "/", "/api/v1/team"])
def test_nothing_else_does(path: str) -> None:
    assert Client(headers=POD).get(path).status_code in {301, 400}
