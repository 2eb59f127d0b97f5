"""Those who push, pull and delete: each with a login, and registry tokens kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from oci.media_types import OCI_MANIFEST
from tests.support.clients.edge import Answer
from tests.support.conformance.client import Body, RegistryClient, Repository, Target
from tests.support.conformance.images import image_manifest

# Kept no longer than this before its end.
TOKEN_RESERVE = 10


class Ended(Exception):  # noqa: N818 -- states the fact
    """Something was not done: the status that said so, and to which kind of token."""

    def __init__(self, status: int, *, is_kept_token: bool) -> None:
        super().__init__(status)
        self.status = status
        self.is_kept_token = is_kept_token


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A registry token, and when it is not to be used any more."""

    text: str
    until: float


class Client(RegistryClient):
    """Uses a registry token again for the same scope, as docker and containerd do."""

    def __init__(self, target: Target, kept: dict[str, KeptToken]) -> None:
        super().__init__(target)
        self._kept = kept
        self._uses_kept = False

    def send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Answer:
        """Send a request; raises Ended for an error, whichever it is."""
        answer = super().send(method, path, headers, body)
        if answer.status >= 400:
            raise Ended(answer.status, is_kept_token=self._uses_kept)
        return answer

    def _token(self, answer: Answer) -> str:
        wanted = answer.headers["WWW-Authenticate"]
        kept = self._kept.get(wanted)
        self._uses_kept = kept is not None and time.monotonic() < kept.until
        if kept is not None and self._uses_kept:
            return kept.text
        asked = time.monotonic()
        given = self._ask_realm(answer)
        if given.status != 200:
            raise Ended(given.status, is_kept_token=False)
        until = asked + given.json["expires_in"] - TOKEN_RESERVE
        self._kept[wanted] = KeptToken(str(given.json["token"]), until)
        return self._kept[wanted].text


@dataclass(frozen=True, slots=True)
class Image:
    """An image of its own content, by the name that it is pushed by."""

    namespace: str
    name: str
    tag: str
    platform: str = "linux/amd64"

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def blobs(self) -> tuple[bytes, bytes]:
        system, _, architecture = self.platform.partition("/")
        layer = f"layer of {self.full_name}:{self.tag}".encode()
        config = {"os": system, "architecture": architecture, "of": layer.decode()}
        return json.dumps(config).encode(), layer

    @property
    def manifest(self) -> bytes:
        return image_manifest(*self.blobs).body

    @property
    def digest(self) -> str:
        return image_manifest(*self.blobs).digest

    @property
    def size(self) -> int:
        return sum(len(item) for item in (*self.blobs, self.manifest))


@dataclass
class Identity:
    """Someone with a login for the images of one application."""

    name: str
    login: tuple[str, str]
    namespace: str
    may_change: bool = False
    revoked_at: float | None = None
    manifests_pulled: list[str] = field(default_factory=list)
    kept: dict[str, KeptToken] = field(default_factory=dict)

    def push(self, registry: str, image: Image) -> Answer:
        """Push an image; raises Ended."""

        def push(repository: Repository) -> Answer:
            for blob in image.blobs:
                repository.push_blob(blob)
            return repository.put_manifest(image.tag, image.manifest, OCI_MANIFEST)

        return self._in_repository(registry, image, push)

    def pull(self, registry: str, image: Image) -> Answer:
        """Pull an image whole; raises Ended."""

        def pull(repository: Repository) -> Answer:
            answer = repository.get_manifest(image.tag, OCI_MANIFEST)
            self.manifests_pulled.append(repository.name)
            assert answer.body == image.manifest
            layer = repository.send(
                "GET", f"blobs/{answer.json['layers'][0]['digest']}"
            )
            assert layer.body == image.blobs[1]
            return layer

        return self._in_repository(registry, image, pull)

    def delete(self, registry: str, image: Image) -> Answer:
        """Delete an image, and its tag with it, as skopeo does; raises Ended."""
        return self._in_repository(
            registry,
            image,
            lambda repository: repository.send("DELETE", f"manifests/{image.digest}"),
        )

    def _in_repository(
        self, registry: str, image: Image, act: Callable[[Repository], Answer]
    ) -> Answer:
        client = Client(Target(registry, image.namespace, self.login), self.kept)
        try:
            return act(client.repository(image.name))
        finally:
            client.close()
