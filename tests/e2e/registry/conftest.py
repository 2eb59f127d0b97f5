"""The private registry as in production: nginx, the edge and Debian's Distribution."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from deploy.local import images
from teams.actors import member_actor
from teams.api_tokens import create_api_token
from teams.models import ApiToken, Membership, User
from teams.permissions import Role
from teams.services import add_member
from tests.e2e.conftest import Ports
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.rows.vendor import Vendor
from tests.support.servers.nginx import registry_behind_nginx

SERVICE = "berth-registry"


@dataclass
class Registry:
    """The private registry, by nginx or past it."""

    client: EdgeClient
    direct: EdgeClient
    storage: Path
    https: str
    tls: urllib3.PoolManager
    proxy_host: str

    @property
    def host(self) -> str:
        return self.client.host

    def token(self, login: tuple[str, str] | None, *scopes: str) -> str:
        answer = self.client.token_answer(login, *scopes, service=SERVICE)
        assert answer.status == 200, answer.body
        return str(answer.json["token"])

    def stored(self) -> set[str]:
        """Return the files of all that is in the registry, uploads begun included."""
        paths = self.storage.rglob("*")
        return {str(path.relative_to(self.storage)) for path in paths if path.is_file()}

    def push(self, login: tuple[str, str], repository: str, text: str = "a") -> Pushed:
        """Push an image of one layer, tagged v1, as the protocol says."""
        token = self.token(login, f"repository:{repository}:pull,push")
        layer = gzip.compress(images.tar_layer({"a": text.encode()}), mtime=0)
        config = json.dumps({"architecture": "amd64", "os": "linux"}).encode()
        blobs = [self._push_blob(token, repository, item) for item in (config, layer)]
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": images.MANIFEST,
                "config": blobs[0] | {"mediaType": images.CONFIG},
                "layers": [blobs[1] | {"mediaType": images.LAYER}],
            }
        ).encode()
        answer = self.client.request(
            "PUT",
            f"/v2/{repository}/manifests/v1",
            bearer(token) | {"Content-Type": images.MANIFEST},
            manifest,
        )
        assert answer.status == 201, answer.body
        digest = str(answer.headers["Docker-Content-Digest"])
        return Pushed(repository, digest, str(blobs[1]["digest"]))

    def _push_blob(self, token: str, repository: str, data: bytes) -> dict[str, Any]:
        begun = self.client.request(
            "POST", f"/v2/{repository}/blobs/uploads/", bearer(token)
        )
        assert begun.status == 202, begun.body
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        answer = self.client.request(
            "PUT",
            f"{path_of(begun)}&digest={digest}",
            bearer(token) | {"Content-Type": "application/octet-stream"},
            data,
        )
        assert answer.status == 201, answer.body
        return {"digest": digest, "size": len(data)}


@dataclass
class Pushed:
    """An image in the registry."""

    repository: str
    digest: str
    layer: str

    @property
    def manifest_path(self) -> str:
        return f"/v2/{self.repository}/manifests/v1"

    @property
    def layer_path(self) -> str:
        return f"/v2/{self.repository}/blobs/{self.layer}"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": images.MANIFEST}


def path_of(answer: Answer) -> str:
    """Return where to go on with an upload, without the host."""
    return "/v2/" + str(answer.headers["Location"]).partition("/v2/")[2]


def user_token(
    vendor: Vendor, user: User | None = None, *, read_only: bool = False
) -> tuple[ApiToken, tuple[str, str]]:
    """Return a member's user token and the login with it."""
    user = user or vendor.owner
    actor = member_actor(Membership.objects.get(user=user, team=vendor.team))
    api_token, text = create_api_token(
        actor=actor,
        team=vendor.team,
        name="docker",
        kind=ApiToken.Kind.USER,
        user=user,
        read_only=read_only,
    )
    return api_token, (user.email, text.reveal())


def member(vendor: Vendor, role: Role) -> Membership:
    user = User.objects.create_user(f"{role.value}@{vendor.team.slug}.example")
    return add_member(actor=vendor.actor, team=vendor.team, user=user, role=role)


def skopeo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["skopeo", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture(scope="session")
def registry(
    edge: EdgeClient, ports: Ports, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    directory = tmp_path_factory.mktemp("private-registry")
    with registry_behind_nginx(directory, ports.edge) as front:
        nginx, distribution = front.nginx, front.distribution
        behind = f"localhost:{front.ports.behind_registry}"
        yield Registry(
            EdgeClient(f"localhost:{front.ports.registry}", nginx, nginx.log),
            EdgeClient(behind, distribution, distribution.log),
            front.storage,
            f"https://localhost:{front.ports.registry_tls}",
            urllib3.PoolManager(
                ssl_context=front.authority.client_context(), timeout=30
            ),
            f"localhost:{front.ports.proxy}",
        )


@pytest.fixture
def owner_login(vendor: Vendor) -> tuple[str, str]:
    return user_token(vendor)[1]


@pytest.fixture
def pushed(registry: Registry, vendor: Vendor, owner_login: tuple[str, str]) -> Pushed:
    return registry.push(owner_login, f"{vendor.application.slug}/worker")


@pytest.fixture
def image_dir(tmp_path: Path) -> Path:
    """An image in a directory, for skopeo to push."""
    directory = tmp_path / "image"
    directory.mkdir()
    layer = gzip.compress(images.tar_layer({"b": b"b"}), mtime=0)
    config = json.dumps({"architecture": "amd64", "os": "linux"}).encode()
    described = []
    for data, media_type in ((config, images.CONFIG), (layer, images.LAYER)):
        digest = hashlib.sha256(data).hexdigest()
        (directory / digest).write_bytes(data)
        described.append(
            {
                "mediaType": media_type,
                "digest": f"sha256:{digest}",
                "size": len(data),
            }
        )
    manifest = {
        "schemaVersion": 2,
        "mediaType": images.MANIFEST,
        "config": described[0],
        "layers": described[1:],
    }
    (directory / "manifest.json").write_text(json.dumps(manifest))
    (directory / "version").write_text("Directory Transport Version: 1.1\n")
    return directory
