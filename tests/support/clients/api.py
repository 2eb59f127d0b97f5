"""Clients that speak to the portal as its users do."""

from __future__ import annotations

import json
from functools import partialmethod
from typing import Any

from django.http import HttpResponseBase
from django.test import Client

from teams.models import Membership, Team
from tests.support.rows.factories import api_token_text

API = "/api/v1"


class JsonClient:
    """Sends JSON to the REST API, and reads what comes back."""

    def __init__(self, authorization: str | None, **environment: Any) -> None:
        self.authorization = authorization
        self._client = Client(**environment)

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
        if self.authorization is not None:
            sent["Authorization"] = self.authorization
        if raw is None:
            raw = b"" if body is None else json.dumps(body).encode()
        return self._client.generic(
            method.upper(),
            f"{API}{path}",
            raw,
            content_type="application/json",
            headers=sent,
        )


class ApiClient(JsonClient):
    """Asks with an API token."""

    def __init__(self, team: Team, text: str | None) -> None:
        super().__init__(None if text is None else f"Bearer {text}")
        self.team = team
        self.text = text

    get = partialmethod(JsonClient.request, "get")
    post = partialmethod(JsonClient.request, "post")
    put = partialmethod(JsonClient.request, "put")
    patch = partialmethod(JsonClient.request, "patch")
    delete = partialmethod(JsonClient.request, "delete")


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
