"""The part of Berth's REST API that a license opens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from installer.errors import InstallerError, Unreachable, UsageError
from installer.net.client import HttpClient, Response
from installer.net.failures import MALFORMED, RequestError
from installer.net.registry import TOO_MANY_REQUESTS, Login, plain_sentence
from oci.reference import MalformedName, parse_registry_host, parse_repository

_MAX_BODY_BYTES: Final = 8 * 1024 * 1024
_IMAGES_PER_REQUEST: Final = 1_000
_PATTERN: Final = re.compile(r"[a-z0-9._/*?-]{1,255}")


class RefusedByPortal(InstallerError):  # noqa: N818 -- states the fact
    """The portal refuses the request; the message is its own sentence."""


@dataclass(frozen=True, slots=True)
class LicenseFacts:
    """The portal's current view of a license."""

    application: str
    sequence: int
    proxy_host: str
    registry_host: str


@dataclass(frozen=True, slots=True)
class PullCredential:
    """The pull credential that was presented; ``can_rotate`` if the vendor lets it."""

    name: str
    created_at: datetime
    expires_at: datetime | None
    can_rotate: bool


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """The portal's decision about an image. ``result`` is a word of its API."""

    image: str
    result: str
    new_image: str
    detail: str


@dataclass(frozen=True, slots=True)
class RenamedRegistry:
    """A registry that the license pulls through the proxy, and its name there."""

    host: str
    upstream: str
    repositories: tuple[str, ...]


class Portal:
    """Asks one portal, with one license ID or pull credential."""

    def __init__(self, client: HttpClient, url: str, license_id: str) -> None:
        host = _portal_host(url)
        if not host:
            raise UsageError(
                "The portal address from --portal or the license is invalid. Use one "
                "like https://portal.example.com.",
                "portal",
            )
        self._client = client
        self._url = url.rstrip("/")
        self.host = host
        self._login = Login(license_id, frozenset())

    def presenting(self, secret: str) -> Portal:
        """Return the same portal, asked with another secret."""
        return Portal(self._client, self._url, secret)

    def license_facts(self) -> LicenseFacts:
        """Return the license's application, and the hosts to pull from."""
        document = self._json("GET", "/api/v1/license")
        try:
            return LicenseFacts(
                application=str(document["application"]["slug"]),
                sequence=int(document["sequence"]),
                proxy_host=_host(document.get("proxy_host")),
                registry_host=_host(document.get("registry_host")),
            )
        except MALFORMED as error:
            raise self._unexpected("returned no details of the license") from error

    def pull_credential(self) -> PullCredential | None:
        """Return the pull credential that is presented, None for a license ID."""
        held = self._json("GET", "/api/v1/license").get("pull_credential")
        if held is None:
            return None
        try:
            expires_at = held["expires_at"]
            return PullCredential(
                name=str(held["name"]),
                created_at=_instant(held["created_at"]),
                expires_at=_instant(expires_at) if expires_at else None,
                can_rotate=held["can_rotate"] is True,
            )
        except MALFORMED as error:
            raise self._unexpected("returned no details of the license") from error

    def rotate_pull_credential(self, key: str) -> str:
        """Replace the pull credential that is presented; return the new one."""
        path = "/api/v1/license/pull-credential/rotate"
        document = self._json("POST", path, b"{}", {"Idempotency-Key": key})
        return str(document.get("credential"))

    def registries(self) -> list[RenamedRegistry]:
        """Return the registries that the license pulls through the proxy."""
        document = self._json("GET", "/api/v1/license/registries")
        try:
            return [_renamed_registry(item) for item in document["registries"]]
        except MALFORMED as error:
            raise self._unexpected("returned no list of registries") from error

    def license_file(self) -> bytes:
        """Return the current license file."""
        media_type, content = self._ask("GET", "/api/v1/license/file")
        if not media_type.startswith("text/plain"):
            raise self._unexpected("returned no license file")
        return content

    def resolve_images(self, images: Iterable[str]) -> list[ResolvedImage]:
        """Return where to pull each image from, in the same order."""
        left, resolved = list(images), []
        while left:
            part, left = left[:_IMAGES_PER_REQUEST], left[_IMAGES_PER_REQUEST:]
            body = json.dumps({"images": part}).encode()
            document = self._json("POST", "/api/v1/license/resolve-images", body)
            resolved += self._resolved(document, part)
        return resolved

    def _resolved(self, document: Any, images: list[str]) -> list[ResolvedImage]:
        try:
            resolved = [
                ResolvedImage(
                    image=str(item["image"]),
                    result=str(item["result"]),
                    new_image=str(item.get("new_image") or ""),
                    detail=str(item.get("detail") or ""),
                )
                for item in document["images"]
            ]
        except MALFORMED as error:
            raise self._unexpected("did not resolve the images") from error
        if [item.image for item in resolved] != images:
            raise self._unexpected("resolved other images than requested")
        return resolved

    def _json(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        media_type, content = self._ask(method, path, body, headers)
        try:
            if "json" not in media_type:
                raise self._unexpected("returned no JSON")
            document = json.loads(content)
            # JSON can spell lone surrogates, which cannot be written anywhere.
            json.dumps(document, ensure_ascii=False).encode()
        except MALFORMED as error:
            raise self._unexpected("returned no JSON") from error
        return document

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        more: Mapping[str, str] | None = None,
    ) -> tuple[str, bytes]:
        headers = {
            **self._login.header,
            "Accept": "application/json, text/plain",
            **(more or {}),
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = self._url + path
        try:
            with self._client.send(method, url, headers=headers, body=body) as response:
                if response.status not in {200, 201}:
                    raise self._refusal(response)
                media_type = response.headers.get("Content-Type", "").lower()
                return media_type, response.read(_MAX_BODY_BYTES)
        except RequestError as error:
            raise Unreachable(str(error), error.failure.value) from error

    def _refusal(self, response: Response) -> InstallerError:
        problem = _problem(response)
        detail, code = problem.get("detail"), problem.get("code")
        if isinstance(detail, str) and isinstance(code, str):
            sentence = plain_sentence(detail)
            if response.status == TOO_MANY_REQUESTS or response.status >= 500:
                return Unreachable(sentence, code)
            return RefusedByPortal(sentence, code)
        return self._unexpected(f"returned {response.status}, but not as Berth does")

    def _unexpected(self, what: str) -> InstallerError:
        return Unreachable(
            f"{self.host} {what}. Check that this is your vendor's portal, and that no "
            "proxy or sign-in page intercepts the request.",
            "bad_answer",
        )


def _problem(response: Response) -> Mapping[str, object]:
    if "problem+json" not in response.headers.get("Content-Type", ""):
        return {}
    try:
        document = json.loads(response.read(_MAX_BODY_BYTES))
    except MALFORMED:
        return {}
    return document if isinstance(document, dict) else {}


def _portal_host(url: str) -> str:
    """Return the host and port of a portal's URL, empty if that is invalid."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    is_web = parts.scheme in {"http", "https"} and "@" not in url
    return parts.netloc if is_web else ""


def _instant(value: object) -> datetime:
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError("an instant without a zone")
    return at


def _renamed_registry(item: Any) -> RenamedRegistry:
    patterns = tuple(str(pattern) for pattern in item["repositories"])
    if not all(map(_PATTERN.fullmatch, patterns)):
        raise ValueError("not a pattern of repositories")
    host = parse_registry_host(str(item["host"]))
    upstream = parse_repository(str(item["upstream"]))
    return RenamedRegistry(host, upstream, patterns)


def _host(value: object) -> str:
    if value in (None, ""):
        return ""
    try:
        return parse_registry_host(str(value))
    except MalformedName as error:
        raise ValueError from error
