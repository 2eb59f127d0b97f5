"""The proxy's disk cache as the edge fills it, filled by a test."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from deploy.local import images

# By which nginx knows the media type of a manifest.
ENDINGS = {
    images.INDEX: "oci-index",
    images.MANIFEST: "oci-manifest",
    "application/vnd.docker.distribution.manifest.list.v2+json": "docker-list",
    "application/vnd.docker.distribution.manifest.v2+json": "docker-manifest",
}


def put_blob(cache: Path, place: str, content: bytes) -> str:
    """Keep a blob for one right to pull; return its digest."""
    digest = _digest(content)
    _put(cache / "objects" / place / "blobs" / digest, content)
    return digest


def put_manifest(cache: Path, place: str, content: bytes, media_type: str) -> str:
    """Keep a manifest for one right to pull; return its digest."""
    digest = _digest(content)
    name = f"{digest}.{ENDINGS[media_type]}"
    _put(cache / "objects" / place / "manifests" / name, content)
    return digest


def blob_file(cache: Path, place: str, digest: str) -> Path:
    return cache / "objects" / place / "blobs" / digest


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(0o444)
    os.utime(path, (1, 1))
