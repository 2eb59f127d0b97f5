"""What refers to an image, asked for as oras, notation and cosign do.

oras takes a 404 that names the repository for "no such repository". After any other
404 it reads the tag that the distribution-spec has for registries without the API.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from deploy.local import images
from deploy.local.images import Descriptor
from oci.media_types import DOCKER_LIST, DOCKER_MANIFEST
from tests.e2e.conftest import Ports, Upstream
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.rows.vendor import Vendor
from tests.support.servers.referrers_registry import (
    ReferrersRegistry,
    referrers_registry,
)

SIGNATURE = "application/vnd.example.signature"
SBOM = "application/vnd.example.sbom"
NOTHING = "sha256:" + "0" * 64
# What oras 1.2 sends for every manifest, the referrers' tag included.
ACCEPT = (
    f"{DOCKER_MANIFEST}, {DOCKER_LIST}, {images.MANIFEST}, {images.INDEX}, "
    "application/vnd.oci.artifact.manifest.v1+json"
)


@dataclass
class Oras:
    """Sends what ``oras discover`` sends, in its order."""

    edge: EdgeClient
    name: str
    token: str

    def get(self, rest: str, method: str = "GET", accept: str = "") -> Answer:
        headers = {"Accept": accept} if accept else {}
        return self.edge.get(
            self.name, rest, self.token, method=method, headers=headers
        )

    def resolve(self, reference: str) -> str:
        answer = self.get(f"manifests/{reference}", "HEAD", ACCEPT)
        assert answer.status == 200
        return str(answer.headers["Docker-Content-Digest"])

    def discover(self, digest: str, query: str = "") -> list[str]:
        """Return the digests of all that refers to a manifest."""
        answer = self.get(f"referrers/{digest}{query}")
        if answer.status == 404 and answer.error[0] != "NAME_UNKNOWN":
            tag = digest.replace(":", "-")
            answer = self.get(f"manifests/{tag}", accept=ACCEPT)
            if answer.status == 404:
                return []
        assert answer.status == 200, answer.error
        assert answer.headers["Content-Type"] == images.INDEX
        found = [row["digest"] for row in answer.json["manifests"]]
        if link := answer.headers.get("Link"):
            path = f"</v2/{self.name}/referrers/{digest}?"
            assert link.startswith(path)
            more, _, _ = link.removeprefix(path).partition(">")
            found += self.discover(digest, f"?{more}")
        return found


def oras(edge: EdgeClient, vendor: Vendor, path: str) -> Oras:
    name = f"proxy/{vendor.application.slug}/{path}"
    return Oras(edge, name, edge.token(vendor.license().license_id.reveal(), name))


@pytest.fixture(scope="session")
def server(ports: Ports) -> Iterator[ReferrersRegistry]:
    with referrers_registry(ports.referrers, "my-org/signed") as server:
        yield server


class TestWithoutTheApi:
    """Debian's docker-registry 2.8 answers 404 with a page of text."""

    @pytest.fixture
    def image(self, connected: Vendor, basic_upstream: Upstream) -> Descriptor:
        return images.push_image(
            basic_upstream.url,
            "my-org/signed",
            "v1",
            auth=basic_upstream.login,
            layers=[images.tar_layer({"a": b"a"})],
        )

    def test_clients_read_the_tag_instead(
        self,
        edge: EdgeClient,
        connected: Vendor,
        basic_upstream: Upstream,
        image: Descriptor,
    ) -> None:
        signature = images.push_artifact(
            basic_upstream.url,
            "my-org/signed",
            None,
            auth=basic_upstream.login,
            artifact_type=SIGNATURE,
            blobs=[],
            subject=image,
        )
        images.push_index(
            basic_upstream.url,
            "my-org/signed",
            image.digest.replace(":", "-"),
            auth=basic_upstream.login,
            images=[signature],
        )
        client = oras(edge, connected, "sample/my-org/signed")

        digest = client.resolve("v1")

        assert client.discover(digest) == [signature.digest]
        assert client.discover(digest, f"?artifactType={SIGNATURE}") == [
            signature.digest
        ]
        # oras goes on with what refers to the signature: nothing.
        assert client.discover(signature.digest) == []

    @pytest.mark.parametrize("digest", [NOTHING, ""], ids=["nothing", "image"])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_the_404_does_not_name_the_repository(
        self,
        edge: EdgeClient,
        connected: Vendor,
        image: Descriptor,
        digest: str,
        method: str,
    ) -> None:
        client = oras(edge, connected, "sample/my-org/signed")

        answer = client.get(f"referrers/{digest or image.digest}", method)

        assert answer.status == 404
        if method == "GET":
            assert answer.error[0] == "MANIFEST_UNKNOWN"


class TestWithTheApi:
    @pytest.fixture
    def registry(self, server: ReferrersRegistry, vendor: Vendor) -> ReferrersRegistry:
        vendor.connect(server.endpoint, "modern")
        return server

    def test_every_page_and_filter_reaches_the_client(
        self, edge: EdgeClient, vendor: Vendor, registry: ReferrersRegistry
    ) -> None:
        image = registry.push("application/vnd.example.image", tag="v1")
        signature = registry.push(SIGNATURE, subject=image)
        sbom = registry.push(SBOM, subject=image)
        client = oras(edge, vendor, "modern/my-org/signed")

        digest = client.resolve("v1")
        filtered = client.get(f"referrers/{digest}?artifactType={SBOM}")

        assert digest == image.digest
        assert sorted(client.discover(digest)) == sorted(
            [signature.digest, sbom.digest]
        )
        assert client.discover(signature.digest) == []
        assert client.discover(NOTHING) == []
        assert filtered.headers["OCI-Filters-Applied"] == "artifactType"
        assert [row["digest"] for row in filtered.json["manifests"]] == [sbom.digest]
        assert all("sha256-" not in path for path in registry.asked)

    def test_the_bytes_are_the_registrys(
        self, edge: EdgeClient, vendor: Vendor, registry: ReferrersRegistry
    ) -> None:
        image = registry.push("application/vnd.example.image", tag="v1")
        signature = registry.push(SIGNATURE, subject=image)
        client = oras(edge, vendor, "modern/my-org/signed")

        answer = client.get(f"manifests/{signature.digest}", accept=ACCEPT)

        assert f"sha256:{hashlib.sha256(answer.body).hexdigest()}" == signature.digest
        assert json.loads(answer.body)["subject"]["digest"] == image.digest

    def test_a_repository_that_the_registry_does_not_know_is_named(
        self, edge: EdgeClient, vendor: Vendor, registry: ReferrersRegistry
    ) -> None:
        client = oras(edge, vendor, "modern/my-org/no-such")

        answers = [
            client.get(rest)
            for rest in (f"referrers/{NOTHING}", "manifests/v1", "tags/list")
        ]

        assert [(item.status, item.error[0]) for item in answers] == [
            (404, "NAME_UNKNOWN")
        ] * 3
