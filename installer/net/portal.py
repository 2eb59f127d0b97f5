"""The license holder's side of Berth's REST API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from installer.errors import InstallerError, Unreachable, UsageError
from installer.license.file import License
from installer.net.client import Answer, NoAnswer, Web
from installer.net.registry import Login, plain_sentence
from oci.reference import MalformedName, parse_registry_host

MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
_IMAGES_AT_ONCE: Final = 1_000


class RefusedByPortal(InstallerError):  # noqa: N818 -- states the fact
    """Berth says no; the message is its own sentence."""


@dataclass(frozen=True, slots=True)
class LicenseFacts:
    """What Berth says of a license at this moment."""

    application: str
    sequence: int
    proxy_host: str
    registry_host: str


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """What Berth makes of an image. ``result`` is a word of its API."""

    image: str
    result: str
    new_image: str
    detail: str


class Portal:
    """Asks one Berth, with one license."""

    def __init__(self, web: Web, url: str, license: License) -> None:
        host = _portal_host(url)
        if not host:
            raise UsageError(
                "What --portal or the license gives is no address of a portal. Give "
                "one like https://portal.example.com.",
                "portal",
            )
        self._web = web
        self._url = url.rstrip("/")
        self.host = host
        self._login = Login(license.license_id, frozenset())

    def license_facts(self) -> LicenseFacts:
        """Return what the license is, and where to pull with it."""
        document = self._json("GET", "/api/v1/license")
        try:
            return LicenseFacts(
                application=str(document["application"]["slug"]),
                sequence=int(document["sequence"]),
                proxy_host=_host(document.get("proxy_host")),
                registry_host=_host(document.get("registry_host")),
            )
        except (
            KeyError,
            TypeError,
            AttributeError,
            ValueError,
            OverflowError,
        ) as error:
            raise self._strange("says nothing of the license") from error

    def license_file(self) -> bytes:
        """Return the license file as it is now."""
        kind, content = self._ask("GET", "/api/v1/license/file")
        if "yaml" not in kind:
            raise self._strange("answers with no license file")
        return content

    def resolve_images(self, images: Iterable[str]) -> list[ResolvedImage]:
        """Return where each image is to be pulled from, in their order."""
        left, found = list(images), []
        while left:
            part, left = left[:_IMAGES_AT_ONCE], left[_IMAGES_AT_ONCE:]
            body = json.dumps({"images": part}).encode()
            document = self._json("POST", "/api/v1/license/resolve-images", body)
            found += self._resolved(document, part)
        return found

    def _resolved(self, document: Any, images: list[str]) -> list[ResolvedImage]:
        try:
            resolved = [
                ResolvedImage(
                    image=str(each["image"]),
                    result=str(each["result"]),
                    new_image=str(each.get("new_image") or ""),
                    detail=str(each.get("detail") or ""),
                )
                for each in document["images"]
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise self._strange("resolves no images") from error
        if [each.image for each in resolved] != images:
            raise self._strange("tells of other images than it was asked for")
        return resolved

    def _json(self, method: str, path: str, body: bytes | None = None) -> Any:
        kind, content = self._ask(method, path, body)
        try:
            if "json" not in kind:
                raise self._strange("answers with no JSON")
            document = json.loads(content)
            # Halves of characters, which JSON can spell, can be written nowhere.
            json.dumps(document, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise self._strange("answers with no JSON") from error
        return document

    def _ask(
        self, method: str, path: str, body: bytes | None = None
    ) -> tuple[str, bytes]:
        headers = {**self._login.header, "Accept": "application/json, application/yaml"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        url = self._url + path
        try:
            with self._web.send(method, url, headers=headers, body=body) as answer:
                if answer.status != 200:
                    raise self._refusal(answer)
                kind = answer.headers.get("Content-Type", "").lower()
                return kind, answer.read(MAX_ANSWER_BYTES)
        except NoAnswer as trouble:
            raise Unreachable(str(trouble), trouble.trouble.value) from trouble

    def _refusal(self, answer: Answer) -> InstallerError:
        problem = _problem(answer)
        detail, code = problem.get("detail"), problem.get("code")
        if isinstance(detail, str) and isinstance(code, str):
            sentence = plain_sentence(detail)
            if answer.status == 429 or answer.status >= 500:
                return Unreachable(sentence, code)
            return RefusedByPortal(sentence, code)
        return self._strange(f"answers {answer.status}, and not as Berth does")

    def _strange(self, what: str) -> InstallerError:
        return Unreachable(
            f"{self.host} {what}. Is it the portal of your vendor, or does something "
            "stand between (a sign-in page, a proxy)?",
            "bad_answer",
        )


def _problem(answer: Answer) -> Mapping[str, object]:
    if "problem+json" not in answer.headers.get("Content-Type", ""):
        return {}
    try:
        document = json.loads(answer.read(MAX_ANSWER_BYTES))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _portal_host(url: str) -> str:
    """Return host and port of a portal's address, empty if it is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    is_web = parts.scheme in {"http", "https"} and "@" not in url
    return parts.netloc if is_web else ""


def _host(value: object) -> str:
    if value in (None, ""):
        return ""
    try:
        return parse_registry_host(str(value))
    except MalformedName as error:
        raise ValueError from error
