"""Many push and pull at once while licenses and tokens are revoked."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from deploy.local.process import ManagedProcess, free_port
from deploy.local.registry import start_registry
from licenses.models import License
from licenses.services import revoke_license
from oci.media_types import OCI_MANIFEST
from registries.models import ImageTag, PullEvent
from registries.private_registry.client import registry_client
from registries.private_registry.config import Notifications, TokenAuth
from registries.private_registry.confirmation import confirm_images
from teams.api_tokens import create_api_token, revoke_api_token
from teams.models import ApiToken
from teams.permissions import Role
from tests.e2e.conftest import PROJECT, Ports, edge_environment
from tests.support.conformance import images
from tests.support.conformance.client import RegistryClient, Target
from tests.support.edge_client import Answer
from tests.support.vendor import Vendor, create_vendor

NOTIFICATION_TOKEN = "notification-token-77aa"
PUSHES = PULLS = 100
AT_ONCE = 20
BASE_IMAGES = 5


@dataclass(frozen=True)
class Place:
    """A portal with its edge on one port, and its private registry."""

    registry: str
    url_for_berth: str


@pytest.fixture
def place(transactional_db: None, ports: Ports, tmp_path: Path) -> Iterator[Place]:
    # For this one test, so that all has ended before the database is emptied.
    portal, registry = free_port(), free_port()
    (tmp_path / "roots.crt").write_text(os.environ["BERTH_TOKEN_ROOTS"])
    url = f"http://127.0.0.1:{registry}"
    environment = edge_environment(ports) | {
        "BERTH_REGISTRY_URL": url,
        "BERTH_REGISTRY_NOTIFICATION_TOKEN": NOTIFICATION_TOKEN,
    }
    with (
        ManagedProcess(
            [
                *(sys.executable, "-m", "uvicorn", "portal.asgi:application"),
                *("--host", "127.0.0.1", "--port", str(portal), "--no-access-log"),
            ],
            name="portal",
            log=tmp_path / "portal.log",
            env=environment,
            cwd=PROJECT,
        ) as process,
        start_registry(
            tmp_path / "registry",
            registry,
            token=TokenAuth(
                realm=f"http://localhost:{portal}/v2/token",
                service="berth-registry",
                issuer="berth",
                root_bundle=tmp_path / "roots.crt",
            ),
            notifications=Notifications(
                f"http://127.0.0.1:{portal}/registry-notifications",
                NOTIFICATION_TOKEN,
            ),
        ),
    ):
        process.wait_for_http(f"http://127.0.0.1:{portal}/readyz", 60)
        yield Place(f"http://localhost:{registry}", url)


class Refused(Exception):  # noqa: N818 -- states the fact
    """The token service does not know this login any more."""


class Client(RegistryClient):
    """A client whose login may end in the middle."""

    def _token(self, answer: Answer) -> str:
        try:
            return super()._token(answer)
        except AssertionError as error:
            raise Refused from error


@dataclass
class Identity:
    """Someone with a login for the images of one application."""

    name: str
    login: tuple[str, str]
    namespace: str
    may_push: bool = False
    revoked_at: float | None = None
    manifests_pulled: list[str] = field(default_factory=list)

    def push(self, place: Place, namespace: str, image: str) -> int:
        """Push an image of its own content; return the status of what ended it."""
        client = Client(Target(place.registry, namespace, self.login))
        try:
            repository = client.repository(image)
            manifest = images.push_blobs_of_image(repository, label=image)
            return repository.put_manifest(
                "v1", manifest.body, manifest.media_type
            ).status
        except (Refused, AssertionError):
            return 401
        finally:
            client.close()

    def pull(self, place: Place, namespace: str, image: str) -> int:
        """Pull an image whole; return the status of what ended it."""
        client = Client(Target(place.registry, namespace, self.login))
        try:
            repository = client.repository(image)
            answer = repository.get_manifest("v1", OCI_MANIFEST)
            if answer.status != 200:
                return answer.status
            self.manifests_pulled.append(repository.name)
            layer = answer.json["layers"][0]["digest"]
            return repository.send("GET", f"blobs/{layer}").status
        except Refused:
            return 401
        finally:
            client.close()


@dataclass
class Cast:
    """Ten identities of two vendors, and what can be revoked of the first's."""

    vendor: Vendor
    identities: list[Identity]
    licenses: list[License] = field(default_factory=list)
    tokens: list[ApiToken] = field(default_factory=list)

    def revoke(self) -> None:
        """Revoke two licenses and a token."""
        actor = self.vendor.actor
        for number, license in enumerate(self.licenses[:2]):
            revoke_license(actor=actor, license=license, reason="test")
            self._named(f"license{number}").revoked_at = time.monotonic()
        revoke_api_token(actor=actor, api_token=self.tokens[0])
        self._named("ci0").revoked_at = time.monotonic()

    def _named(self, name: str) -> Identity:
        (found,) = (each for each in self.identities if each.name == name)
        return found


def team_token(
    vendor: Vendor, name: str, *, read_only: bool = False
) -> tuple[ApiToken, tuple[str, str]]:
    api_token, text = create_api_token(
        actor=vendor.actor,
        team=vendor.team,
        name=name,
        kind=ApiToken.Kind.TEAM,
        role=Role.DEVELOPER,
        read_only=read_only,
    )
    return api_token, ("any", text.reveal())


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    vendor, stranger = create_vendor(), create_vendor()
    found = Cast(vendor, [])
    for number in range(3):
        api_token, login = team_token(vendor, f"ci{number}")
        found.tokens.append(api_token)
        found.identities.append(
            Identity(f"ci{number}", login, vendor.application.slug, may_push=True)
        )
    for number in range(4):
        license = vendor.license()
        found.licenses.append(license)
        login = ("any", license.license_id.reveal())
        found.identities.append(
            Identity(f"license{number}", login, vendor.application.slug)
        )
    _, viewing = team_token(vendor, "viewer", read_only=True)
    _, pushing = team_token(stranger, "stranger")
    theirs = ("any", stranger.license().license_id.reveal())
    found.identities += [
        Identity("viewer", viewing, vendor.application.slug),
        Identity("stranger", pushing, stranger.application.slug, may_push=True),
        Identity("their license", theirs, stranger.application.slug),
    ]
    return found


@dataclass
class Done:
    """One push or pull: who did it, to whose images, and how it ended."""

    who: Identity
    is_push: bool
    namespace: str
    image: str
    status: int
    started: float

    @property
    def must_work(self) -> bool:
        may = self.who.namespace == self.namespace
        return may and (self.who.may_push or not self.is_push)

    @property
    def was_revoked(self) -> bool:
        return self.who.revoked_at is not None and self.who.revoked_at < self.started


def test_nothing_leaks_and_nothing_is_lost(
    place: Place, cast: Cast, settings: Any
) -> None:
    settings.BERTH_REGISTRY_URL = place.url_for_berth
    assert len(cast.identities) == 10
    first = [
        do(place, who, who.namespace, f"base{number}", is_push=True)
        for who in cast.identities
        if who.name in {"ci2", "stranger"}
        for number in range(BASE_IMAGES)
    ]

    done = first + at_once(place, cast)

    assert len(done) == len(first) + PUSHES + PULLS
    for each in done:
        if not each.must_work or each.was_revoked:
            assert each.status == 401, each
        elif each.who.revoked_at is None:
            assert each.status == (201 if each.is_push else 200), each
    check_list(done)
    check_pulls(cast)


def do(
    place: Place, who: Identity, namespace: str, image: str, *, is_push: bool
) -> Done:
    started = time.monotonic()
    act = who.push if is_push else who.pull
    status = act(place, namespace, image)
    return Done(who, is_push, namespace, image, status, started)


def at_once(place: Place, cast: Cast) -> list[Done]:
    """Have everybody push and pull, own and others' images; revoke half-way."""
    namespaces = sorted({each.namespace for each in cast.identities})
    with ThreadPoolExecutor(AT_ONCE) as crowd:

        def start(number: int, *, is_push: bool) -> Any:
            who = cast.identities[number % 10]
            # Every third time it is somebody else's image.
            others = [each for each in namespaces if each != who.namespace]
            namespace = others[0] if number // 10 % 3 == 2 else who.namespace
            image = f"{who.name}-{number}" if is_push else f"base{number % BASE_IMAGES}"
            image = image.replace(" ", "-")
            return crowd.submit(do, place, who, namespace, image, is_push=is_push)

        def half(numbers: range) -> list[Any]:
            return [
                start(number, is_push=is_push)
                for number in numbers
                for is_push in (True, False)
            ]

        running = half(range(PUSHES // 2))
        cast.revoke()
        running += half(range(PUSHES // 2, PUSHES))
        return [each.result() for each in running]


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def check_list(done: list[Done]) -> None:
    """Compare Berth's list with what was pushed, and with what is there."""
    pushed = {
        f"{each.namespace}/{each.image}"
        for each in done
        if each.is_push and each.status == 201
    }
    wait_for(lambda: ImageTag.objects.count() == len(pushed))
    while confirm_images():
        pass
    tags = ImageTag.objects.select_related("manifest", "repository__application")
    listed = {each.repository.full_name: each.manifest.digest for each in tags}
    assert set(listed) == pushed
    assert listed == there()
    assert not tags.filter(confirmed_at=None).exists()


@async_to_sync
async def there() -> dict[str, str | None]:
    """Return the digests of what lies in the registry."""
    async with registry_client() as client:
        return {
            name: await client.digest_of(name, tag)
            async for name in client.repositories()
            for tag in await client.tags(name)
        }


def check_pulls(cast: Cast) -> None:
    """Every manifest that was pulled is counted once, and no other."""
    pulled = sum(len(each.manifests_pulled) for each in cast.identities)

    def counted() -> int:
        events = PullEvent.objects.filter(outcome="allowed")
        return sum(events.values_list("count", flat=True))

    wait_for(lambda: counted() >= pulled)
    assert counted() == pulled
