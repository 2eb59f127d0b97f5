"""A registry in memory, whose blobs can be cut short, spoiled and counted."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from oci.media_types import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.support.installer.servers import Request
from tests.support.servers.canned_server import Answer


@dataclass
class Store:
    """Images by repository and tag; ``needs`` is the login, empty for everybody."""

    needs: str = ""
    # Whoever only looks needs no login.
    open_to_heads: bool = False
    challenge: str = 'Basic realm="r"'
    refusal: str = "unauthorized"
    # How many GETs it has no time for.
    busy: int = 0
    spoiled: set[str] = field(default_factory=set)
    # How often a blob breaks off in its middle before it comes whole.
    breaks: Counter[str] = field(default_factory=Counter)
    # Paths of blobs, below /v2/, that are answered with 404.
    lost: set[str] = field(default_factory=set)
    ranges: list[str] = field(default_factory=list)
    knows_ranges: bool = True
    _manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    _blobs: dict[str, bytes] = field(default_factory=dict)

    def blob(
        self, content: bytes, kind: str = "application/octet-stream"
    ) -> dict[str, Any]:
        digest = _digest(content)
        self._blobs[digest] = content
        return {
            "mediaType": kind,
            "digest": digest,
            "size": len(content),
        }

    def image(self, repository: str, tag: str, *layers: bytes) -> dict[str, Any]:
        document = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.blob(b"{}"),
            "layers": [self.blob(each) for each in layers],
        }
        return self.put(repository, tag, OCI_MANIFEST, document)

    def docker_image(self, repository: str, tag: str, layer: bytes) -> dict[str, Any]:
        kind = "application/vnd.docker"
        document = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": self.blob(b"{}", f"{kind}.container.image.v1+json"),
            "layers": [self.blob(layer, f"{kind}.image.rootfs.diff.tar.gzip")],
        }
        return self.put(repository, tag, DOCKER_MANIFEST, document)

    def index(
        self,
        repository: str,
        tag: str,
        kind: str = OCI_INDEX,
        **platforms: dict[str, Any],
    ) -> dict[str, Any]:
        """Store an index; a platform is spelled ``linux_amd64``."""
        listed = [
            {
                **found,
                "platform": dict(
                    zip(("os", "architecture"), name.split("_"), strict=True)
                ),
            }
            for name, found in platforms.items()
        ]
        document = {"schemaVersion": 2, "mediaType": kind, "manifests": listed}
        return self.put(repository, tag, kind, document)

    def put(
        self, repository: str, tag: str, kind: str, document: object
    ) -> dict[str, Any]:
        content = json.dumps(document).encode()
        digest = _digest(content)
        self._manifests[repository, tag] = kind, content
        self._manifests[repository, digest] = kind, content
        return {"mediaType": kind, "digest": digest, "size": len(content)}

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
        repository, _, reference = path.rpartition("/")
        if repository.endswith("/manifests"):
            found = self._manifests.get(
                (repository.removesuffix("/manifests"), reference)
            )
            if found is None:
                return Answer(404)
            kind, content = found
            digest = _digest(content)
            headers = {"Content-Type": kind, "Docker-Content-Digest": digest}
            spoiled = b" " if digest in self.spoiled else b""
            return Answer(200, headers, content + spoiled)
        wanted = "" if path in self.lost else reference
        return self._answer_blob(wanted, request.headers.get("Range", ""))

    def _answer_blob(self, digest: str, range_: str) -> Answer:
        content = self._blobs.get(digest)
        if content is None:
            return Answer(404)
        if digest in self.spoiled:
            content = bytes(len(content))
        start = 0
        if range_:
            self.ranges.append(range_)
            start = (
                int(range_.removeprefix("bytes=").rstrip("-"))
                if self.knows_ranges
                else 0
            )
        whole = len(content)
        headers = (
            {"Content-Range": f"bytes {start}-{whole - 1}/{whole}"} if start else {}
        )
        status = 206 if start else 200
        if self.breaks[digest]:
            self.breaks[digest] -= 1
            # The length that is promised is the server's, so fewer bytes break it off.
            return Answer(
                status, {**headers, "Cut": "yes"}, content[start : start + whole // 10]
            )
        return Answer(status, headers, content[start:])


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
