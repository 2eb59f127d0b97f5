"""A registry client that gets a token for each request as the registry asks for one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urljoin

import urllib3

from oci.challenge import Challenge, parse_challenges
from tests.support.clients.edge import Answer

Body = bytes | Sequence[bytes]
MAX_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Target:
    """A registry, and the login that is entitled to all of one namespace.

    Without a login the registry is open to everybody. A login of two empty strings asks
    for a token without one.
    """

    url: str
    namespace: str
    login: tuple[str, str] | None = None


class RegistryClient:
    """Sends requests to a target and shows everything it answers."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.challenges = 0
        self._http = urllib3.PoolManager(retries=False, timeout=30)

    def close(self) -> None:
        self._http.clear()

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Answer:
        """Send a request; where it is challenged, send it again with a token.

        ``path`` is below the target's host, or a whole address that the target gave.
        A body of several parts goes out as a stream of unknown length.
        """
        url = urljoin(self.target.url, path)
        answer = self._ask(method, url, headers or {}, body)
        if answer.status != 401 or self.target.login is None:
            return answer
        bearer = {"Authorization": f"Bearer {self._token(answer)}"}
        return self._ask(method, url, {**(headers or {}), **bearer}, body)

    def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: Body | None
    ) -> Answer:
        response = self._http.request(
            method,
            url,
            headers=headers,
            body=body if body is None or isinstance(body, bytes) else iter(body),
            redirect=False,
            preload_content=False,
            enforce_content_length=False,
        )
        answer = Answer(response.status, response.headers, response.read(MAX_BYTES))
        response.release_conn()
        _require_whole(method, answer)
        return answer

    def _token(self, answer: Answer) -> str:
        given = self._ask_realm(answer)
        assert given.status == 200, given.body
        return str(given.json["token"])

    def _ask_realm(self, answer: Answer) -> Answer:
        """Ask the realm for just what the challenge names (auth/token.md)."""
        self.challenges += 1
        challenge = _bearer(answer)
        fields = [("service", challenge.parameters["service"])]
        scopes = challenge.parameters.get("scope", "").split()
        fields += [("scope", scope) for scope in scopes]
        login = self.target.login or ("", "")
        return self._ask(
            "GET",
            f"{challenge.parameters['realm']}?{urlencode(fields)}",
            urllib3.make_headers(basic_auth=":".join(login)) if any(login) else {},
            None,
        )

    def repository(self, image: str = "image") -> Repository:
        return Repository(self, f"{self.target.namespace}/{image}")

    def content(self, label: str) -> bytes:
        """Return bytes that no other namespace has."""
        return f"{self.target.namespace}: {label}".encode()


class Repository:
    """One repository of a target."""

    def __init__(self, client: RegistryClient, name: str) -> None:
        self.client = client
        self.name = name

    def send(
        self,
        method: str,
        rest: str,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Answer:
        """Send a request for ``/v2/<name>/<rest>``."""
        return self.client.send(method, f"/v2/{self.name}/{rest}", headers, body)

    def get_manifest(self, reference: str, accept: str, method: str = "GET") -> Answer:
        headers = {"Accept": accept} if accept else {}
        return self.send(method, f"manifests/{reference}", headers)

    def put_manifest(self, reference: str, body: bytes, media_type: str) -> Answer:
        headers = {"Content-Type": media_type}
        return self.send("PUT", f"manifests/{reference}", headers, body)

    def start_upload(self) -> str:
        """Open an upload and return where it goes on."""
        return location(self.send("POST", "blobs/uploads/"), 202)

    def patch(self, upload: str, data: Body, content_range: str = "") -> Answer:
        headers = {"Content-Type": "application/octet-stream"}
        if content_range:
            headers["Content-Range"] = content_range
        return self.client.send("PATCH", upload, headers, data)

    def finish_upload(self, upload: str, digest: str, data: bytes = b"") -> Answer:
        separator = "&" if "?" in upload else "?"
        url = f"{upload}{separator}{urlencode({'digest': digest})}"
        headers = {"Content-Type": "application/octet-stream"}
        return self.client.send("PUT", url, headers, data)

    def push_blob(self, data: bytes) -> str:
        """Push a blob and return its digest."""
        digest = sha256(data)
        finished = self.finish_upload(self.start_upload(), digest, data)
        assert finished.status == 201, finished.body
        return digest

    def mount(self, **query: str) -> Answer:
        return self.send("POST", f"blobs/uploads/?{urlencode(query)}")


def location(answer: Answer, status: int) -> str:
    """Return where an answer of this status leads to."""
    assert answer.status == status, (answer.status, answer.body)
    return answer.headers["Location"]


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _require_whole(method: str, answer: Answer) -> None:
    # With 416, Distribution 2.8 announces the whole blob and sends a sentence.
    announced = int(answer.headers.get("Content-Length", len(answer.body)))
    if method != "HEAD" and answer.status not in {304, 416}:
        assert len(answer.body) == announced


def _bearer(answer: Answer) -> Challenge:
    lines = answer.headers.getlist("WWW-Authenticate")
    (found,) = [each for each in parse_challenges(lines) if each.scheme == "bearer"]
    return found
