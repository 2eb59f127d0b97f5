"""The configuration of the private registry, which is CNCF Distribution.

One file is good for version 2.8, as Debian has it, and for version 3: each passes over
what only the other knows. Format: Distribution's "Configuring a registry".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ENDPOINT_NAME = "berth"
# Every blob has this media type in an event. Berth's list is made of manifests.
BLOB_MEDIA_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class FilesystemStorage:
    """Images lie below a directory of the registry's host."""

    directory: Path


@dataclass(frozen=True, slots=True)
class S3Storage:
    """Images lie in a bucket.

    Its access keys are never in the file. They come from the registry's environment,
    or from the role of the machine that it runs on.
    """

    bucket: str
    region: str
    # Of a storage that is not Amazon's; addressed as ENDPOINT/BUCKET.
    endpoint: str = ""
    directory: str = ""
    encrypt: bool = False
    kms_key_id: str = ""


@dataclass(frozen=True, slots=True)
class TokenAuth:
    """What Distribution needs to know of its token server."""

    realm: str
    service: str
    issuer: str
    root_bundle: Path


@dataclass(frozen=True, slots=True)
class Notifications:
    """Where the registry tells what was pushed, pulled and deleted."""

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
    """Return all of Distribution's configuration. It holds secrets.

    Without ``token`` the registry is open to whoever reaches it, which only samples on
    one machine may be.
    """
    config: dict[str, Any] = {
        "version": 0.1,
        # At level info, both versions log the notifications' header when they start,
        # and with it the secret. The reverse proxy keeps the access log.
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
        # A pre-signed address of the bucket would go on after a revocation, and past
        # the reverse proxy that asks for one.
        "redirect": {"disable": True},
        # No "cache": one in memory tells of blobs that garbage collection has removed,
        # or another instance, so that the next push leaves them out. The one in Redis
        # gives deleted blobs back, too (CVE-2026-35172).
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
        # Version 2.8 does so by itself where there is an endpoint, version 3 does not.
        parameters |= {"regionendpoint": storage.endpoint, "forcepathstyle": True}
    if storage.directory:
        parameters["rootdirectory"] = storage.directory
    if storage.kms_key_id:
        parameters["keyid"] = storage.kms_key_id
    return parameters


def _http(addr: str, secret: str) -> dict[str, Any]:
    return {
        "addr": addr,
        # It signs the state of uploads: the same for all instances of one registry.
        "secret": secret,
        # Addresses of uploads then need no forwarding headers to be right, and none
        # can lead a client elsewhere or to plain HTTP.
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
        # Version 3 alone reads it; its default takes every algorithm it knows.
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
                # After three failures it waits, then goes on with the same event: the
                # queue is in the registry's memory, in order, and without an end.
                "threshold": 3,
                "backoff": "10s",
                "ignore": {"mediatypes": [BLOB_MEDIA_TYPE], "actions": ["mount"]},
            }
        ],
    }
