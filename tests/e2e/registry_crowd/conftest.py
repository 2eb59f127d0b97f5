"""A portal with its edge and private registry, behind nginx, and who uses them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.local.process import ManagedProcess, free_port
from images.distribution_config import Notifications
from licenses.models import License
from licenses.services import revoke_license
from teams.api_tokens import revoke_api_token
from teams.models import ApiToken
from teams.permissions import Role
from tests.e2e.conftest import PROJECT, Ports, edge_environment
from tests.e2e.registry_crowd.identities import Identity
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers.nginx import registry_behind_nginx

NOTIFICATION_TOKEN = "notification-token-77aa"


@dataclass(frozen=True)
class Place:
    """The private registry: where clients reach it, and where Berth does."""

    registry: str
    url_for_berth: str


@pytest.fixture
def place(transactional_db: None, ports: Ports, tmp_path: Path) -> Iterator[Place]:
    # For this one test, so that all has ended before the database is emptied.
    portal = free_port()
    url = f"http://127.0.0.1:{portal}"
    notifications = Notifications(f"{url}/registry-notifications", NOTIFICATION_TOKEN)
    with registry_behind_nginx(tmp_path, portal, notifications) as front:
        behind = f"http://127.0.0.1:{front.ports.behind_registry}"
        environment = edge_environment(ports) | {
            "BERTH_REGISTRY_URL": behind,
            "BERTH_REGISTRY_NOTIFICATION_TOKEN": NOTIFICATION_TOKEN,
        }
        with ManagedProcess(
            [
                *(sys.executable, "-m", "uvicorn", "portal.asgi:application"),
                *("--host", "127.0.0.1", "--port", str(portal), "--no-access-log"),
            ],
            name="portal",
            log=tmp_path / "portal.log",
            env=environment,
            cwd=PROJECT,
        ) as process:
            process.wait_for_http(f"{url}/readyz", 60)
            yield Place(f"http://localhost:{front.ports.registry}", behind)


@dataclass
class Cast:
    """Ten identities of two vendors, and what can be revoked of the first's."""

    vendor: Vendor
    identities: list[Identity]
    licenses: list[License] = field(default_factory=list)
    tokens: list[ApiToken] = field(default_factory=list)

    @property
    def revoked(self) -> list[Identity]:
        return [item for item in self.identities if item.revoked_at is not None]

    def revoke(self) -> None:
        """Revoke two licenses and a token."""
        actor = self.vendor.actor
        for number, license in enumerate(self.licenses[:2]):
            revoke_license(actor=actor, license=license, reason="test")
            self.named(f"license{number}").revoked_at = time.monotonic()
        revoke_api_token(actor=actor, api_token=self.tokens[0])
        self.named("ci0").revoked_at = time.monotonic()

    def named(self, name: str) -> Identity:
        (found,) = (item for item in self.identities if item.name == name)
        return found


def team_token(
    vendor: Vendor, name: str, *, read_only: bool = False
) -> tuple[ApiToken, tuple[str, str]]:
    api_token, text = vendor.api_token(
        ApiToken.Kind.TEAM, name=name, role=Role.DEVELOPER, read_only=read_only
    )
    return api_token, ("any", text.reveal())


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    vendor, stranger = create_vendor(), create_vendor()
    slug = vendor.application.slug
    found = Cast(vendor, [])
    for number in range(3):
        api_token, login = team_token(vendor, f"ci{number}")
        found.tokens.append(api_token)
        found.identities.append(Identity(f"ci{number}", login, slug, may_change=True))
    for number in range(4):
        license = vendor.license()
        found.licenses.append(license)
        login = ("any", license.license_id.reveal())
        found.identities.append(Identity(f"license{number}", login, slug))
    _, viewing = team_token(vendor, "viewer", read_only=True)
    _, pushing = team_token(stranger, "stranger")
    theirs = ("any", stranger.license().license_id.reveal())
    slug_of_theirs = stranger.application.slug
    found.identities += [
        Identity("viewer", viewing, slug),
        Identity("stranger", pushing, slug_of_theirs, may_change=True),
        Identity("their-license", theirs, slug_of_theirs),
    ]
    return found
