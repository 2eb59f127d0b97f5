"""From a license and a vendor's manifests to the pull of every Pod's image."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from licenses.models import License
from licenses.services import revoke_license
from tests.e2e.conftest import Upstream
from tests.e2e.installer.conftest import Site, push, skopeo
from tests.support.rows.vendor import Vendor

SHIPPED = Path(__file__).parent / "vendor"
pytestmark = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not a Debian package"
)


@pytest.fixture
def portal_login(connected: Vendor) -> str:
    _, text = connected.api_token()
    return text.reveal()


@pytest.fixture
def story(
    site: Site, bearer_upstream: Upstream, portal_login: str, settings: Any
) -> Site:
    """A site with a license from the portal, and all images pushed."""
    settings.BERTH_REGISTRY_HOST = bearer_upstream.endpoint
    issued = ask(
        site,
        "POST",
        "licenses",
        portal_login,
        customer=str(site.vendor.customer.pk),
        application=site.vendor.application.slug,
        type="paid",
    )
    site.license = License.objects.get(pk=json.loads(issued)["id"])
    path = f"licenses/{site.license.pk}/file"
    site.license_file.write_bytes(ask(site, "GET", path, portal_login))
    for name in ("migrate", "api"):
        push(site.private, f"my-org/{name}", "v1.0.1")
    report = push(site.private, "my-org/report", "v1")
    push(site.public, "library/envoy", "v1")
    push_to_private_registry(site, bearer_upstream, portal_login)
    ship(site, bearer_upstream, report.digest)
    return site


def ask(site: Site, method: str, path: str, login: str, **body: str) -> bytes:
    """Ask the portal's REST API as the vendor."""
    with urllib3.PoolManager(retries=False) as http:
        answer = http.request(
            method,
            f"{site.portal}/api/v1/{path}",
            headers={"Authorization": f"Bearer {login}", "Accept": "*/*"},
            json=body or None,
        )
    assert answer.status in {200, 201}, answer.data
    return answer.data


def push_to_private_registry(site: Site, registry: Upstream, login: str) -> None:
    source = f"{site.public.endpoint}/library/envoy:v1"
    target = f"{registry.endpoint}/{site.vendor.application.slug}/worker:v1"
    pushed = skopeo(
        *("copy", "--src-tls-verify=false", "--dest-tls-verify=false"),
        *("--dest-creds", f"{site.vendor.owner.email}:{login}"),
        *(f"docker://{source}", f"docker://{target}"),
    )
    assert pushed.returncode == 0, pushed.stderr


def ship(site: Site, registry: Upstream, digest: str) -> None:
    """Write the vendor's manifests, for the hosts of this test."""
    names = {
        "EXTERNAL": site.private.endpoint,
        "PUBLIC": site.public.endpoint,
        "REGISTRY": registry.endpoint,
        "SLUG": site.vendor.application.slug,
        "DIGEST": digest,
    }
    site.manifests.mkdir()
    for file in SHIPPED.iterdir():
        text = file.read_text()
        for word, value in names.items():
            text = text.replace(word, value)
        (site.manifests / file.name).write_text(text)


def test_pods_pull_with_a_license_until_it_is_revoked(
    story: Site, bearer_upstream: Upstream
) -> None:
    shipped = {path.name: path.read_bytes() for path in story.manifests.iterdir()}
    registry = ["--plain-http", bearer_upstream.endpoint]
    patched = story.online(
        "patch", story.manifests, "--out", story.directory / "out", *registry
    )
    assert patched.returncode == 0, patched.stdout + patched.stderr
    base = story.directory / "out" / "base"
    assert {name: (base / name).read_bytes() for name in shipped} == shipped

    built = build(story)
    pulled = sorted(set(images_of(built)))
    through = f"{story.proxy}/proxy/{story.vendor.application.slug}/sample/my-org"
    private = [
        item
        for item in pulled
        if item.startswith((through, f"{bearer_upstream.endpoint}/"))
    ]
    assert len(pulled) == 5
    assert len(private) == 4
    check_secrets(story, built)
    logins = story.directory / "config.json"
    logins.write_bytes(docker_config(story))
    for image in pulled:
        result = pull(image, logins, story.directory)
        assert result.returncode == 0, result.stderr

    revoke_license(
        actor=story.vendor.actor, license=story.license, reason="It is over."
    )

    for image in private:
        wait_for_refusal(image, logins, story.directory)


def build(site: Site) -> list[dict[str, Any]]:
    built = subprocess.run(
        ["kubectl", "kustomize", str(site.midstream)],
        check=True,
        capture_output=True,
        text=True,
    )
    return [item for item in yaml.safe_load_all(built.stdout) if item]


def images_of(value: Any) -> Iterator[str]:
    """Yield the images of all containers at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from images_of(item)
    elif isinstance(value, dict):
        for kind in ("containers", "initContainers"):
            yield from (item["image"] for item in value.get(kind, ()))
        for item in value.values():
            yield from images_of(item)


def check_secrets(site: Site, built: list[dict[str, Any]]) -> None:
    """Check that the secret is in each namespace and in each Pod that needs it."""
    name = f"{site.vendor.application.slug}-registry"
    secrets = [item["metadata"] for item in built if item["kind"] == "Secret"]
    assert [item["name"] for item in secrets] == [name] * len(secrets)
    assert "reports" in {item.get("namespace") for item in secrets}
    specs = {
        item["kind"]: str(item["spec"])
        for item in built
        if item["kind"] not in {"Secret", "ConfigMap"}
    }
    assert {kind for kind, text in specs.items() if name in text} == {
        *("Deployment", "CronJob", "StatefulSet", "Engine"),
    }
    assert "mirror" in specs["StatefulSet"]


def docker_config(site: Site) -> bytes:
    secrets = yaml.safe_load_all((site.midstream / "secret.yaml").read_text())
    return base64.b64decode(next(iter(secrets))["data"][".dockerconfigjson"])


def pull(image: str, logins: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    target = directory / "pulled"
    shutil.rmtree(target, ignore_errors=True)
    return skopeo(
        *("copy", "--src-tls-verify=false", "--authfile", logins),
        *(f"docker://{image}", f"dir:{target}"),
    )


def wait_for_refusal(image: str, logins: Path, directory: Path) -> None:
    """Wait until the edge, which caches decisions for 0.8 seconds, refuses the pull."""
    deadline = time.monotonic() + 5
    while (refused := pull(image, logins, directory)).returncode == 0:
        assert time.monotonic() < deadline, f"{image} is still pulled"
    assert not (directory / "pulled" / "manifest.json").exists()
    assert refused.stderr
