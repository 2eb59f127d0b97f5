"""A small registry client that shows everything it gets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import urllib3

from deploy.local.process import ManagedProcess
from tests.support.clients.pulling import skopeo_copy


@dataclass
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[str, str]:
        """Return code and message of the one OCI error in the body."""
        (error,) = self.json["errors"]
        return error["code"], error["message"]


@dataclass
class EdgeClient:
    """One edge process and how to talk to it."""

    host: str
    process: ManagedProcess
    log: Path
    http: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(retries=False, timeout=30)
    )

    def request(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        response = self.http.request(
            method,
            f"http://{self.host}{path}",
            headers=headers or {},
            body=body,
            redirect=False,
        )
        return Answer(response.status, response.headers, response.data)

    def token_answer(
        self, login: tuple[str, str] | None, *scopes: str, service: str = "berth-proxy"
    ) -> Answer:
        fields = [("service", service), *(("scope", scope) for scope in scopes)]
        path = "/v2/token?" + "&".join(
            f"{k}={v.replace(' ', '%20')}" for k, v in fields
        )
        headers = urllib3.make_headers(basic_auth=":".join(login)) if login else {}
        return self.request("GET", path, headers)

    def token(self, license_id: str, name: str) -> str:
        """Return a registry token to pull a proxied repository."""
        answer = self.token_answer(("license", license_id), f"repository:{name}:pull")
        assert answer.status == 200, answer.body
        return str(answer.json["token"])

    def get(
        self,
        name: str,
        rest: str,
        token: str,
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Ask for ``/v2/<name>/<rest>`` with a registry token."""
        bearer = {"Authorization": f"Bearer {token}"}
        return self.request(method, f"/v2/{name}/{rest}", bearer | (headers or {}))

    def skopeo_copy(
        self, name: str, reference: str, license_id: str, target: Path, *options: str
    ) -> CompletedProcess[str]:
        """Run ``skopeo copy`` of a proxied image into a directory."""
        separator = "@" if ":" in reference else ":"
        login = f"license:{license_id}" if license_id else ""
        image = f"{self.host}/{name}{separator}{reference}"
        return skopeo_copy(image, login, target, *options)
