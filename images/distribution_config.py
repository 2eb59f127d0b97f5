"""The configuration of the private registry, which is CNCF Distribution.

One file works for version 2.8, which Debian ships, and for version 3: each ignores what
only the other knows. Format: Distribution's "Configuring a registry".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ENDPOINT_NAME = "berth"
# The media type of every blob in events. Berth lists manifests only.
BLOB_MEDIA_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class FilesystemStorage:
    """Images are stored in a directory on the registry's host."""

    directory: Path


@dataclass(frozen=True, slots=True)
class S3Storage:
    """Images are stored in a bucket.

    The file never contains access keys. They come from the registry's environment, or
    from the role of its machine.
    """

    bucket: str
    region: str
    # For storage other than Amazon's; addressed as ENDPOINT/BUCKET.
    endpoint: str = ""
    directory: str = ""
    encrypt: bool = False
    kms_key_id: str = ""


@dataclass(frozen=True, slots=True)
class TokenAuth:
    """What Distribution needs to know about its token server."""

    realm: str
    service: str
    issuer: str
    root_bundle: Path


@dataclass(frozen=True, slots=True)
class Notifications:
    """Where the registry sends notifications of pushes, pulls and deletions."""

    url: str
    token: str = field(repr=False)


def distribution_config(
    *,
    addr: str,
    http_secret: str,
    storage: FilesystemStorage | S3Storage,
    token: TokenAuth | None,
    notifications: Notifications | None,
    read_only: bool = False,
) -> dict[str, Any]:
    """Return Distribution's whole configuration. It contains secrets.

    Without ``token`` the registry is open to everyone who can reach it: use that only
    for samples on one machine.
    """
    config: dict[str, Any] = {
        "version": 0.1,
        # At level info, both versions log the header of notifications at start,
        # including the secret. The reverse proxy keeps the access log.
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": _storage(storage, read_only=read_only),
        "http": _http(addr, http_secret),
        "health": {
            "storagedriver": {"enabled": True, "interval": "10s", "threshold": 3}
        },
    }
    if token is not None:
        config["auth"] = {"token": _token(token)}
    if notifications is not None:
        config["notifications"] = _notifications(notifications)
    return config


def _storage(
    storage: FilesystemStorage | S3Storage, *, read_only: bool
) -> dict[str, Any]:
    driver = (
        {"filesystem": {"rootdirectory": str(storage.directory)}}
        if isinstance(storage, FilesystemStorage)
        else {"s3": _s3(storage)}
    )
    return {
        **driver,
        "delete": {"enabled": True},
        # A pre-signed URL of the bucket would work after a revocation, and bypass the
        # reverse proxy that checks for one.
        "redirect": {"disable": True},
        # No "cache": one in memory still lists blobs that garbage collection or another
        # instance has removed, so that the next push skips them. The one in Redis also
        # returns deleted blobs (CVE-2026-35172).
        "maintenance": {
            "uploadpurging": {
                "enabled": True,
                "age": "168h",
                "interval": "24h",
                "dryrun": False,
            },
            "readonly": {"enabled": read_only},
        },
    }


def _s3(storage: S3Storage) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "bucket": storage.bucket,
        "region": storage.region,
        "secure": not storage.endpoint.startswith("http://"),
        "encrypt": storage.encrypt,
    }
    if storage.endpoint:
        # Version 2.8 does this automatically for an endpoint, version 3 does not.
        parameters |= {"regionendpoint": storage.endpoint, "forcepathstyle": True}
    if storage.directory:
        parameters["rootdirectory"] = storage.directory
    if storage.kms_key_id:
        parameters["keyid"] = storage.kms_key_id
    return parameters


def _http(addr: str, secret: str) -> dict[str, Any]:
    return {
        "addr": addr,
        # Signs the state of uploads: the same for all instances of one registry.
        "secret": secret,
        # Then the URLs of uploads do not depend on forwarding headers, and cannot send
        # a client to another host or to plain HTTP.
        "relativeurls": True,
        "draintimeout": "60s",
        "headers": {"X-Content-Type-Options": ["nosniff"]},
    }


def _token(token: TokenAuth) -> dict[str, Any]:
    return {
        "realm": token.realm,
        "service": token.service,
        "issuer": token.issuer,
        "rootcertbundle": str(token.root_bundle.absolute()),
        # Only version 3 reads it; its default accepts every algorithm it knows.
        "signingalgorithms": ["ES256"],
    }


def _notifications(notifications: Notifications) -> dict[str, Any]:
    return {
        "endpoints": [
            {
                "name": ENDPOINT_NAME,
                "url": notifications.url,
                "headers": {"Authorization": [f"Bearer {notifications.token}"]},
                "timeout": "5s",
                # After three failures it waits, then retries the same event: the queue
                # is in the registry's memory, ordered and unbounded.
                "threshold": 3,
                "backoff": "10s",
                "ignore": {"mediatypes": [BLOB_MEDIA_TYPE], "actions": ["mount"]},
            }
        ],
    }
