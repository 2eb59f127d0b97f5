"""Small, valid OCI images, pushed over HTTP without a container engine.

Formats: OCI image spec 1.1. Uploads: OCI distribution spec 1.1, "Pushing".
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode, urljoin

import urllib3

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
OCTETS = "application/octet-stream"
BLOCK_BYTES = 1024 * 1024

BasicAuth = tuple[str, str]


class PushFailed(Exception):  # noqa: N818 - exceptions state the fact
    """The registry answered an upload with an unexpected status."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A pushed blob or manifest, as manifests and indexes refer to it."""

    media_type: str
    digest: str
    size: int
    platform: str | None = None

    @classmethod
    def of(cls, data: bytes, media_type: str, platform: str | None = None) -> Self:
        return cls(media_type, _sha256(data), len(data), platform)

    def as_json(self) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size,
        }
        if self.platform is not None:
            fields["platform"] = _platform_fields(self.platform)
        return fields


def image_manifest(
    config: Descriptor, layers: Sequence[Descriptor], media_type: str = MANIFEST
) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": config.as_json(),
        "layers": [layer.as_json() for layer in layers],
    }


def image_index(
    images: Sequence[Descriptor], media_type: str = INDEX
) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": media_type,
        "manifests": [image.as_json() for image in images],
    }


def tar_layer(files: Mapping[str, bytes]) -> bytes:
    """Return an uncompressed tar of ``files``; the same files give the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            entry.mode = 0o755
            archive.addfile(entry, io.BytesIO(files[name]))
    return buffer.getvalue()


def push_image(
    registry_url: str,
    repository: str,
    tag: str | None,
    *,
    auth: BasicAuth | None = None,
    layers: Sequence[bytes],
    platform: str = "linux/amd64",
    command: Sequence[str] = (),
) -> Descriptor:
    """Push an image of uncompressed tar ``layers``; without a tag, by digest only."""
    with _Repository(registry_url, repository, auth) as target:
        layer_blobs = [
            target.push_blob(gzip.compress(layer, mtime=0), LAYER) for layer in layers
        ]
        config = _image_config(layers, platform, command)
        config_blob = target.push_blob(_json(config), CONFIG)
        manifest = image_manifest(config_blob, layer_blobs)
        return target.push_manifest(_json(manifest), MANIFEST, tag, platform)


def push_index(
    registry_url: str,
    repository: str,
    tag: str,
    *,
    auth: BasicAuth | None = None,
    images: Sequence[Descriptor],
) -> Descriptor:
    """Push a multi-platform index of ``images`` already in the repository."""
    with _Repository(registry_url, repository, auth) as target:
        return target.push_manifest(_json(image_index(images)), INDEX, tag)


def push_artifact(
    registry_url: str,
    repository: str,
    tag: str | None,
    *,
    auth: BasicAuth | None = None,
    artifact_type: str,
    blobs: Sequence[Descriptor],
    subject: Descriptor | None = None,
) -> Descriptor:
    """Push an OCI 1.1 artifact of ``blobs`` already in the repository."""
    with _Repository(registry_url, repository, auth) as target:
        config = target.push_blob(b"{}", EMPTY)
        manifest = image_manifest(config, list(blobs) or [config])
        manifest["artifactType"] = artifact_type
        if subject is not None:
            manifest["subject"] = subject.as_json()
        return target.push_manifest(_json(manifest), MANIFEST, tag)


def push_blob(
    registry_url: str,
    repository: str,
    data: bytes,
    *,
    auth: BasicAuth | None = None,
    media_type: str = OCTETS,
) -> Descriptor:
    with _Repository(registry_url, repository, auth) as target:
        return target.push_blob(data, media_type)


def push_blob_stream(
    registry_url: str,
    repository: str,
    size: int,
    *,
    auth: BasicAuth | None = None,
    media_type: str = OCTETS,
) -> Descriptor:
    """Push the bytes of ``pattern_blocks(size)``, holding one block at a time."""
    with _Repository(registry_url, repository, auth) as target:
        return target.push_pattern(size, media_type)


def manifest_exists(
    registry_url: str, repository: str, reference: str, *, auth: BasicAuth | None = None
) -> bool:
    with _Repository(registry_url, repository, auth) as target:
        return target.has_manifest(reference)


def pattern_blocks(size: int) -> Iterator[bytes]:
    """Yield the same ``size`` bytes on every call, each block unlike the others."""
    filler = hashlib.shake_128(b"berth").digest(BLOCK_BYTES)
    for start in range(0, size, BLOCK_BYTES):
        block = start.to_bytes(8, "big") + filler[8:]
        yield block[: size - start]


class _Repository:
    """A repository of a registry, and the connection to it."""

    def __init__(
        self, registry_url: str, repository: str, auth: BasicAuth | None
    ) -> None:
        self._base = f"{registry_url.rstrip('/')}/v2/{repository}/"
        self._headers = (
            urllib3.make_headers(basic_auth=":".join(auth)) if auth is not None else {}
        )
        self._pool = urllib3.PoolManager(retries=False, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.clear()

    def has_manifest(self, reference: str) -> bool:
        url = urljoin(self._base, f"manifests/{reference}")
        accept = {"Accept": f"{INDEX}, {MANIFEST}"}
        response = self._send("HEAD", url, expect=(200, 404), headers=accept)
        return response.status == 200

    def push_blob(self, data: bytes, media_type: str) -> Descriptor:
        blob = Descriptor.of(data, media_type)
        url = urljoin(self._base, f"blobs/{blob.digest}")
        if self._send("HEAD", url, expect=(200, 404)).status == 404:
            self._finish_upload(self._start_upload(), blob.digest, data)
        return blob

    def push_pattern(self, size: int, media_type: str) -> Descriptor:
        hasher = hashlib.sha256()

        def hashed() -> Iterator[bytes]:
            for block in pattern_blocks(size):
                hasher.update(block)
                yield block

        # The digest is known only after the last byte, so PUT follows PATCH.
        patched = self._send(
            "PATCH",
            self._start_upload(),
            expect=(202,),
            headers={"Content-Type": OCTETS},
            body=hashed(),
        )
        digest = f"sha256:{hasher.hexdigest()}"
        self._finish_upload(self._location(patched), digest, b"")
        return Descriptor(media_type, digest, size)

    def push_manifest(
        self, data: bytes, media_type: str, tag: str | None, platform: str | None = None
    ) -> Descriptor:
        manifest = Descriptor.of(data, media_type, platform)
        self._send(
            "PUT",
            urljoin(self._base, f"manifests/{tag or manifest.digest}"),
            expect=(201,),
            headers={"Content-Type": media_type},
            body=data,
        )
        return manifest

    def _start_upload(self) -> str:
        url = urljoin(self._base, "blobs/uploads/")
        return self._location(self._send("POST", url, expect=(202,)))

    def _finish_upload(self, location: str, digest: str, data: bytes) -> None:
        separator = "&" if "?" in location else "?"
        self._send(
            "PUT",
            f"{location}{separator}{urlencode({'digest': digest})}",
            expect=(201,),
            headers={"Content-Type": OCTETS},
            body=data,
        )

    def _location(self, response: urllib3.BaseHTTPResponse) -> str:
        return urljoin(self._base, response.headers["Location"])

    def _send(
        self,
        method: str,
        url: str,
        *,
        expect: tuple[int, ...],
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterator[bytes] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        response = self._pool.request(
            method, url, headers={**self._headers, **(headers or {})}, body=body
        )
        if response.status not in expect:
            answer = response.data[:300].decode(errors="replace")
            raise PushFailed(f"{method} {url}: {response.status} {answer}")
        return response


def _image_config(
    layers: Sequence[bytes], platform: str, command: Sequence[str] = ()
) -> dict[str, Any]:
    return {
        **_platform_fields(platform),
        "created": "1970-01-01T00:00:00Z",
        "config": {"Cmd": list(command)} if command else {},
        "rootfs": {"type": "layers", "diff_ids": [_sha256(layer) for layer in layers]},
        "history": [
            {"created": "1970-01-01T00:00:00Z", "created_by": "berth"} for _ in layers
        ],
    }


def _platform_fields(platform: str) -> dict[str, str]:
    return dict(
        zip(("os", "architecture", "variant"), platform.split("/"), strict=False)
    )


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
