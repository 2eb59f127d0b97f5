"""What clients send, and what a registry token grants."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlencode

from django.conf import settings

from bench.harness.client import basic, content_request
from bench.harness.load import Request
from bench.revocation.generator import Wanted
from bench.revocation.history import Kind, Route
from bench.revocation.stack import BLOB_BYTES, repository
from portal.crypto.secrets import Secret

# Kept as docker keeps them, but renewed before they expire: an expired token would be
# refused for that alone.
_KEPT_SECONDS = {Route.EDGE: 240, Route.NGINX: 240, Route.PRIVATE: 45}
_RANGE = {"Range": f"bytes=1000-{BLOB_BYTES // 2}"}


@dataclass(slots=True)
class Tokens:
    """The last token of each license and route that granted a pull."""

    _tokens: dict[tuple[int, Route], tuple[str, float]] = field(default_factory=dict)

    def get(self, license: int, route: Route) -> str:
        return self._tokens.get((license, route), ("", 0.0))[0]

    def keep(self, license: int, route: Route, token: str, at: float) -> None:
        self._tokens[license, route] = (token, at)

    def is_old(self, license: int, route: Route, now: float) -> bool:
        """Return whether it is time to ask for another."""
        token, at = self._tokens.get((license, route), ("", 0.0))
        return not token or now - at > _KEPT_SECONDS[route]


@dataclass(frozen=True, slots=True)
class Requests:
    """Makes requests: where each route begins, where content is, and passwords."""

    hosts: Mapping[Route, str]
    paths: Mapping[Kind, str]
    passwords: Sequence[Secret]
    tokens: Tokens = field(default_factory=Tokens)

    def make(self, wanted: Wanted) -> Request:
        host, name = self.hosts[wanted.route], repository(wanted.route)
        if wanted.kind is Kind.TOKEN:
            login = basic("bench", self.passwords[wanted.license])
            query = {"service": _service(wanted.route), "scope": _scope(name)}
            url = f"http://{host}/v2/token?{urlencode(query)}"
            return Request(url, {"Authorization": login})
        token = self.tokens.get(wanted.license, wanted.route)
        headers = {"Authorization": f"Bearer {token}"}
        headers |= _RANGE if wanted.kind is Kind.RANGE else {}
        return content_request(host, name, self.paths[wanted.kind], headers)


def granted_token(body: bytes) -> str:
    """Return the registry token in an answer if it grants anything, or ""."""
    try:
        token = str(json.loads(body)["token"])
        claims = token.split(".")[1]
        padded = claims + "=" * (-len(claims) % 4)
        return token if json.loads(base64.urlsafe_b64decode(padded))["access"] else ""
    except (ValueError, LookupError, TypeError):
        return ""


def _service(route: Route) -> str:
    if route is Route.PRIVATE:
        return str(settings.BERTH_REGISTRY_SERVICE)
    return str(settings.BERTH_PROXY_SERVICE)


def _scope(name: str) -> str:
    return f"repository:{name}:pull"
