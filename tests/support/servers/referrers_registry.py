"""A registry with the referrers API, which Debian's does not have.

It answers as distribution-spec 1.1, "Listing Referrers", says: an index of manifests
with that subject, one to a page, filtered by ``artifactType``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from deploy.local.images import EMPTY, INDEX, MANIFEST, Descriptor
from tests.support.servers.canned_server import Answer, Request, http_server

UNKNOWN = {
    "manifests": "MANIFEST_UNKNOWN",
    "blobs": "BLOB_UNKNOWN",
    "tags": "NAME_UNKNOWN",
    "referrers": "NAME_UNKNOWN",
}
CONFIG = b"{}"


@dataclass
class ReferrersRegistry:
    """One repository in memory; every other one is unknown."""

    repository: str
    endpoint: str
    asked: list[str] = field(default_factory=list)
    _manifests: dict[str, bytes] = field(default_factory=dict)
    _tags: dict[str, str] = field(default_factory=dict)

    def push(
        self, artifact_type: str, *, tag: str = "", subject: Descriptor | None = None
    ) -> Descriptor:
        config = Descriptor.of(CONFIG, EMPTY).as_json()
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact_type,
            "config": config,
            "layers": [config],
        }
        if subject is not None:
            manifest["subject"] = subject.as_json()
        body = json.dumps(manifest).encode()
        pushed = Descriptor.of(body, MANIFEST)
        self._manifests[pushed.digest] = body
        if tag:
            self._tags[tag] = pushed.digest
        return pushed

    def answer(self, request: Request) -> Answer:
        self.asked.append(f"{request.method} {request.path}")
        if request.path == "/v2/":
            return Answer(200)
        path = request.address.path.removeprefix("/v2/")
        repository, kind, reference = path.rsplit("/", 2)
        if repository != self.repository:
            return _error(404, "NAME_UNKNOWN")
        if kind == "referrers":
            return self._referrers(reference, request)
        return self._content(kind, reference)

    def _content(self, kind: str, reference: str) -> Answer:
        digest = self._tags.get(reference, reference)
        config = Descriptor.of(CONFIG, EMPTY)
        if kind == "blobs" and digest == config.digest:
            return _content(CONFIG, "application/octet-stream")
        if kind == "manifests" and digest in self._manifests:
            return _content(self._manifests[digest], MANIFEST)
        return _error(404, UNKNOWN[kind])

    def _referrers(self, subject: str, request: Request) -> Answer:
        wanted = request.query.get("artifactType", [""])[0]
        after = request.query.get("last", [""])[0]
        rows = [
            row
            for row in sorted(self._rows(subject), key=lambda row: str(row["digest"]))
            if wanted in {"", row["artifactType"]} and row["digest"] > after
        ]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": rows[:1]}
        headers = {"Content-Type": INDEX}
        if wanted:
            headers["OCI-Filters-Applied"] = "artifactType"
        if len(rows) > 1:
            query = f"artifactType={wanted}&last={rows[0]['digest']}"
            headers["Link"] = f'<{request.address.path}?{query}>; rel="next"'
        return Answer(200, headers, json.dumps(index).encode())

    def _rows(self, subject: str) -> Iterator[dict[str, Any]]:
        for body in self._manifests.values():
            manifest = json.loads(body)
            if manifest.get("subject", {}).get("digest") == subject:
                yield Descriptor.of(body, MANIFEST).as_json() | {
                    "artifactType": manifest["artifactType"]
                }


@contextmanager
def referrers_registry(port: int, repository: str) -> Iterator[ReferrersRegistry]:
    """Run it on a port of 127.0.0.1."""
    registry = ReferrersRegistry(repository, f"127.0.0.1:{port}")
    with http_server(registry.answer, port=port):
        yield registry


def _content(body: bytes, media_type: str) -> Answer:
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    headers = {"Content-Type": media_type, "Docker-Content-Digest": digest}
    return Answer(200, headers, body)


def _error(status: int, code: str) -> Answer:
    body = {"errors": [{"code": code, "message": "not here"}]}
    headers = {"Content-Type": "application/json"}
    return Answer(status, headers, json.dumps(body).encode())
