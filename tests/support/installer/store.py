"""A registry in memory, whose blobs can be cut short, corrupted and counted."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from deploy.local.images import OCTETS, Descriptor, image_manifest
from oci.media_types import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.support.servers.canned_server import Answer, Request

_DOCKER = "application/vnd.docker"


@dataclass
class Store:
    """Images by repository and tag; ``needs`` is the login, empty for public ones."""

    needs: str = ""
    # A HEAD needs no login.
    open_to_heads: bool = False
    challenge: str = 'Basic realm="r"'
    refusal: str = "unauthorized"
    # The number of GETs that get a 503.
    busy: int = 0
    # Digests of manifests and blobs with wrong content.
    corrupt: set[str] = field(default_factory=set)
    # How often each blob is cut short before it is sent completely.
    breaks: Counter[str] = field(default_factory=Counter)
    # Paths of blobs, below /v2/, that get a 404.
    missing: set[str] = field(default_factory=set)
    ranges: list[str] = field(default_factory=list)
    supports_ranges: bool = True
    _manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    _blobs: dict[str, bytes] = field(default_factory=dict)

    def blob(self, content: bytes) -> dict[str, Any]:
        return self._stored(content).as_json()

    def _stored(self, content: bytes, media_type: str = OCTETS) -> Descriptor:
        descriptor = Descriptor.of(content, media_type)
        self._blobs[descriptor.digest] = content
        return descriptor

    def image(self, repository: str, tag: str, *layers: bytes) -> dict[str, Any]:
        document = image_manifest(
            self._stored(b"{}"), [self._stored(layer) for layer in layers]
        )
        return self.put(repository, tag, OCI_MANIFEST, document)

    def docker_image(self, repository: str, tag: str, layer: bytes) -> dict[str, Any]:
        config = self._stored(b"{}", f"{_DOCKER}.container.image.v1+json")
        layers = [self._stored(layer, f"{_DOCKER}.image.rootfs.diff.tar.gzip")]
        document = image_manifest(config, layers, DOCKER_MANIFEST)
        return self.put(repository, tag, DOCKER_MANIFEST, document)

    def index(
        self,
        repository: str,
        tag: str,
        media_type: str = OCI_INDEX,
        **platforms: dict[str, Any],
    ) -> dict[str, Any]:
        """Store an index; a platform is spelled ``linux_amd64``."""
        entries = []
        for name, descriptor in platforms.items():
            system, _, architecture = name.partition("_")
            platform = {"os": system, "architecture": architecture}
            entries.append({**descriptor, "platform": platform})
        document = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}
        return self.put(repository, tag, media_type, document)

    def put(
        self, repository: str, tag: str, media_type: str, document: object
    ) -> dict[str, Any]:
        content = json.dumps(document).encode()
        descriptor = Descriptor.of(content, media_type)
        for reference in (tag, descriptor.digest):
            self._manifests[repository, reference] = media_type, content
        return descriptor.as_json()

    def respond(self, request: Request) -> Answer:
        login = request.headers.get("Authorization", "")
        if request.path.startswith("/token") and login == self.needs:
            return Answer(200, {}, b'{"token": "granted"}')
        is_open = not self.needs or (self.open_to_heads and request.method == "HEAD")
        if not is_open and login not in {self.needs, "Bearer granted"}:
            errors = [{"code": "DENIED", "message": self.refusal}]
            body = json.dumps({"errors": errors}).encode()
            return Answer(401, {"WWW-Authenticate": self.challenge}, body)
        if self.busy and request.method == "GET":
            self.busy -= 1
            return Answer(503, {"Retry-After": "0"})
        path = request.path.removeprefix("/v2/")
        repository, kind, reference = path.rsplit("/", 2)
        if kind == "manifests":
            return self._manifest(repository, reference)
        digest = "" if path in self.missing else reference
        return self._blob(digest, request.headers.get("Range", ""))

    def _manifest(self, repository: str, reference: str) -> Answer:
        if (repository, reference) not in self._manifests:
            return Answer(404)
        media_type, content = self._manifests[repository, reference]
        digest = Descriptor.of(content, media_type).digest
        headers = {"Content-Type": media_type, "Docker-Content-Digest": digest}
        return Answer(200, headers, content + b" " * (digest in self.corrupt))

    def _blob(self, digest: str, range_: str) -> Answer:
        content = self._blobs.get(digest)
        if content is None:
            return Answer(404)
        size, start, headers = len(content), 0, {}
        if digest in self.corrupt:
            content = bytes(size)
        if range_:
            self.ranges.append(range_)
        if range_ and self.supports_ranges:
            start = int(range_.removeprefix("bytes=").rstrip("-"))
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        end = size
        if self.breaks[digest]:
            self.breaks[digest] -= 1
            headers["Cut"], end = "yes", start + size // 10
        return Answer(206 if start else 200, headers, content[start:end])
