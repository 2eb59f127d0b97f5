"""Berth's own client of the private registry, to read its contents and delete them.

The operator configures its address, like the database's, so it does not pass the
address guard, which is for addresses that vendors choose. Follows no redirect.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import aiohttp
from django.conf import settings

from images.manifest import Manifest, parse_manifest, parse_platform
from oci.digest import MalformedDigest, parse_digest
from oci.media_types import DEFAULT_MANIFEST_ACCEPT, OCI_INDEX, OCI_MANIFEST
from oci.scope import Scope
from portal.errors import UpstreamProblem
from portal.outbound import outbound_session
from registries.tokens.registry_token import TokenIssuer
from registries.tokens.signing_keys import SigningKey

# The actor in the registry's notifications of these requests.
SUBJECT = "berth"
TOKEN_SECONDS = 60
# A registry with its images in a bucket is slow to list them.
READ_SECONDS = 60
CONNECT_SECONDS = 5
PAGE = 500
# distribution-spec, "Pushing Manifests": registries should take manifests of 4 MB.
MAX_BODY = 4 * 2**20
MAX_LIST = 32 * 2**20
# Indexes may name indexes, any number of times; no more manifests are read.
MAX_MANIFESTS = 500
UNREACHABLE = "registry_unreachable"
_NEXT = re.compile(r'<(/v2/[^<>\s]*)>;\s*rel="?next"?')


class PrivateRegistryProblem(UpstreamProblem):
    """The private registry is unreachable, or gave an unexpected answer."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything a manifest needs: itself, its configuration, layers and children."""

    media_type: str
    platforms: tuple[str, ...]
    children: tuple[str, ...]
    # Sizes in bytes by digest.
    blobs: dict[str, int]

    @property
    def size(self) -> int:
        return sum(self.blobs.values())


def is_configured() -> bool:
    """Return whether a private registry is configured."""
    return bool(settings.BERTH_REGISTRY_URL and settings.BERTH_TOKEN_SIGNING_KEY)


@asynccontextmanager
async def registry_client() -> AsyncIterator[RegistryClient]:
    """Open a client, for one event loop.

    Raises:
        PrivateRegistryProblem: no private registry is configured, or it timed out
            inside the context.
    """
    if not is_configured():
        raise PrivateRegistryProblem(
            "no_private_registry",
            "No private registry is configured on this installation. The operator must "
            "set BERTH_REGISTRY_URL.",
        )
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS
    )
    try:
        async with outbound_session(timeout, guarded=False) as session:
            yield RegistryClient(session, settings.BERTH_REGISTRY_URL.rstrip("/"))
    except TimeoutError as error:  # raised inside the context
        raise _unreachable() from error


class RegistryClient:
    """Sends requests to the private registry, each with a token for it alone."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def repositories(self) -> AsyncIterator[str]:
        """Yield the names of all repositories, including empty ones."""
        scope = Scope("registry", "catalog", ("*",))
        async for page in self._pages(f"/v2/_catalog?n={PAGE}", scope, 200):
            for name in page.get("repositories") or []:
                yield str(name)

    async def is_empty(self) -> bool:
        """Return whether the registry has no repository, not even an empty one."""
        async for _ in self.repositories():
            return False
        return True

    async def tags(self, repository: str) -> list[str]:
        """Return a repository's tags; none if it does not exist."""
        tags: list[str] = []
        path = f"/v2/{repository}/tags/list"
        async for page in self._pages(path, _pull(repository), 200, 404):
            tags += [str(tag) for tag in page.get("tags") or []]
        return tags

    async def digest_of(self, repository: str, reference: str) -> str | None:
        """Return the digest of a tag or digest; None if it does not exist."""
        manifest = await self.look(repository, reference)
        return manifest[0] if manifest else None

    async def look(self, repository: str, reference: str) -> tuple[str, str] | None:
        """Return digest and media type of a manifest; None if it does not exist."""
        path = f"/v2/{repository}/manifests/{reference}"
        async with self._ask("HEAD", path, _pull(repository)) as answer:
            _expect(answer, 200, 404)
            if answer.status == 404:
                return None
            try:
                named = answer.headers.get("Docker-Content-Digest", "")
                return parse_digest(named), answer.content_type
            except MalformedDigest as error:
                raise _unexpected(answer) from error

    async def contents(self, repository: str, digest: str) -> Contents | None:
        """Return everything a manifest needs; None if it does not exist.

        Skips some manifests of an index that names more than MAX_MANIFESTS.
        """
        read = await self._manifest(repository, digest)
        if read is None:
            return None
        manifest, size = read
        platforms = set(manifest.platforms)
        if manifest.config:
            platforms |= {await self._platform(repository, manifest.config)} - {""}
        blobs = {digest: size} | manifest.blobs
        async for child, below, child_size in self._below(repository, manifest):
            blobs |= {child: child_size} | below.blobs
        children = tuple(dict.fromkeys(manifest.children))
        return Contents(manifest.media_type, tuple(sorted(platforms)), children, blobs)

    async def needed_by(self, repository: str, digest: str) -> set[str]:
        """Return the manifests below an index; none for any other digest."""
        read = await self._manifest(repository, digest)
        if read is None:
            return set()
        index, _ = read
        needed = set(index.children)
        async for _, below, _ in self._below(repository, index):
            needed |= set(below.children)
        return needed

    async def _below(
        self, repository: str, index: Manifest
    ) -> AsyncIterator[tuple[str, Manifest, int]]:
        """Yield each manifest below an index once, with its digest and size."""
        waiting = list(dict.fromkeys(index.children))
        seen = set(waiting)
        number = 0
        while waiting and number < MAX_MANIFESTS:
            digest = waiting.pop()
            number += 1
            read = await self._manifest(repository, digest)
            if read is None:
                continue
            manifest, size = read
            yield digest, manifest, size
            fresh = [child for child in manifest.children if child not in seen]
            waiting += dict.fromkeys(fresh)
            seen |= set(fresh)

    async def delete_manifest(self, repository: str, digest: str) -> None:
        """Delete a manifest with all its tags, if it exists."""
        path = f"/v2/{repository}/manifests/{digest}"
        scope = Scope("repository", repository, ("delete",))
        async with self._ask("DELETE", path, scope) as answer:
            _expect(answer, 202, 404)

    async def delete_tag(self, repository: str, tag: str) -> bool:
        """Delete a tag, but not its image; False if this registry cannot."""
        path = f"/v2/{repository}/manifests/{tag}"
        scope = Scope("repository", repository, ("delete",))
        async with self._ask("DELETE", path, scope) as answer:
            _expect(answer, 202, 404, 400, 405)
            return answer.status in {202, 404}

    async def move_to_nothing(self, repository: str, tag: str) -> str:
        """Make a tag name an empty index; return its digest."""
        annotations = {"deleted": f"{tag} {datetime.now(UTC).isoformat()}"}
        index = {
            "schemaVersion": 2,
            "mediaType": OCI_INDEX,
            "manifests": [],
            "annotations": annotations,
        }
        path = f"/v2/{repository}/manifests/{tag}"
        scope = Scope("repository", repository, ("pull", "push"))
        async with self._ask(
            "PUT", path, scope, json.dumps(index).encode(), {"Content-Type": OCI_INDEX}
        ) as answer:
            _expect(answer, 201)
            return parse_digest(answer.headers["Docker-Content-Digest"])

    async def _manifest(
        self, repository: str, digest: str
    ) -> tuple[Manifest, int] | None:
        path = f"/v2/{repository}/manifests/{digest}"
        async with self._ask("GET", path, _pull(repository)) as answer:
            _expect(answer, 200, 404)
            if answer.status == 404:
                return None
            body = await _read(answer, MAX_BODY)
            return parse_manifest(answer.content_type or OCI_MANIFEST, body), len(body)

    async def _platform(self, repository: str, digest: str) -> str:
        path = f"/v2/{repository}/blobs/{digest}"
        async with self._ask("GET", path, _pull(repository)) as answer:
            if answer.status != 200:
                return ""
            return parse_platform(await _read(answer, MAX_BODY))

    async def _pages(
        self, path: str, scope: Scope, *statuses: int
    ) -> AsyncIterator[dict[str, Any]]:
        following: str | None = path
        while following:
            async with self._ask("GET", following, scope) as answer:
                _expect(answer, *statuses)
                if answer.status == 404:
                    return
                page = json.loads(await _read(answer, MAX_LIST))
                link = _NEXT.search(answer.headers.get("Link", ""))
            yield page
            following = link[1] if link else None

    @asynccontextmanager
    async def _ask(
        self,
        method: str,
        path: str,
        scope: Scope,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {
            "Accept": DEFAULT_MANIFEST_ACCEPT,
            "Authorization": f"Bearer {_token(scope)}",
            **(headers or {}),
        }
        request = self._session.request(
            method, self._url + path, data=body, headers=headers, allow_redirects=False
        )
        try:
            async with request as answer:
                # Distribution sends this header with every answer. A 404 of any other
                # server does not mean that an image is gone.
                if "Docker-Distribution-Api-Version" not in answer.headers:
                    raise _unexpected(answer)
                yield answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unreachable() from error


def _pull(repository: str) -> Scope:
    return Scope("repository", repository, ("pull",))


def _token(scope: Scope) -> str:
    return _issuer(settings.BERTH_TOKEN_SIGNING_KEY).issue(
        subject=SUBJECT,
        service=settings.BERTH_REGISTRY_SERVICE,
        grants=[scope],
        issued_at=datetime.now(UTC),
        lifetime_seconds=TOKEN_SECONDS,
    )


@lru_cache(maxsize=1)
def _issuer(pem: str) -> TokenIssuer:
    return TokenIssuer(SigningKey.parse(pem))


async def _read(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(2**16):
        body += chunk
        if len(body) > limit:
            raise _unexpected(answer)
    return bytes(body)


def _expect(answer: aiohttp.ClientResponse, *statuses: int) -> None:
    if answer.status not in statuses:
        raise _unexpected(answer)


def _unreachable() -> PrivateRegistryProblem:
    return PrivateRegistryProblem(
        UNREACHABLE, "The private registry does not answer. Try again in a minute."
    )


def _unexpected(answer: aiohttp.ClientResponse) -> PrivateRegistryProblem:
    return PrivateRegistryProblem(
        "registry_unexpected",
        f"The private registry answered {answer.method} with status {answer.status}, "
        "which Berth did not expect. The registry's log says more to the operator.",
    )
