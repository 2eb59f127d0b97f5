"""Clients that speak to the portal as its users do."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponseBase
from django.test import Client

from teams.models import Membership, Team
from tests.support.rows.factories import api_token_text

API = "/api/v1"


class ApiClient:
    """Sends JSON to the REST API with an API token, and reads what comes back."""

    def __init__(self, team: Team, text: str | None) -> None:
        self.team = team
        self.text = text
        self._client = Client()

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Any:
        sent = dict(headers or {})
        if self.text is not None:
            sent["Authorization"] = f"Bearer {self.text}"
        if raw is None:
            raw = b"" if body is None else json.dumps(body).encode()
        return self._client.generic(
            method.upper(),
            f"{API}{path}",
            raw,
            content_type="application/json",
            headers=sent,
        )

    def get(self, path: str, **options: Any) -> Any:
        return self.request("get", path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> Any:
        return self.request("post", path, body, **options)

    def put(self, path: str, body: object = None, **options: Any) -> Any:
        return self.request("put", path, body, **options)

    def patch(self, path: str, body: object = None, **options: Any) -> Any:
        return self.request("patch", path, body, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.request("delete", path, **options)


def member_client(membership: Membership, **fields: Any) -> ApiClient:
    """Return a client with a user token of a member."""
    text = api_token_text(
        team=membership.team, kind="user", user=membership.user, **fields
    )
    return ApiClient(membership.team, text)


def code_of(response: HttpResponseBase) -> str:
    """Return the code of a problem, after checking that it is a whole one."""
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()  # type: ignore[attr-defined]  # test client
    assert problem["type"] == "about:blank"
    assert problem["status"] == response.status_code
    assert problem["title"]
    assert problem["detail"]
    code: str = problem["code"]
    return code
