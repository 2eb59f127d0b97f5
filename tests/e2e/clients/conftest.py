from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.demo import demo_command, read_facts
from deploy.local.demo_settings import DemoSettings
from deploy.local.private_files import private_directory
from deploy.local.process import free_port
from deploy.local.stack import prepare, start_berth, start_registries, start_servers
from teams.models import ApiToken
from teams.permissions import Role
from teams.services import create_service_account
from tests.e2e.conftest import Ports
from tests.support.clients.edge import EdgeClient
from tests.support.clients.engines import ImageClient, running_engines, succeeded
from tests.support.rows.vendor import Vendor
from tests.support.servers.nginx import registry_behind_nginx
from tests.support.servers.receiver import running_receiver

Login = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Registry:
    """The private registry, and what it has stored."""

    host: str
    storage: Path

    def image(self, slug: str, image: str = "worker:1.0.1") -> str:
        return f"{self.host}/{slug}/{image}"

    def stored(self) -> dict[str, int]:
        """Return every file of the registry's storage with its size."""
        return {
            str(path.relative_to(self.storage)): path.stat().st_size
            for path in self.storage.rglob("*")
            if path.is_file()
        }


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Start a docker engine, with the containerd that it brings along."""
    # A socket's path has little room, so this is not below pytest's directory.
    directory = tmp_path_factory.mktemp("d", numbered=True)
    with running_engines(directory):
        yield directory


@pytest.fixture(scope="session")
def behind_nginx(
    edge: EdgeClient, ports: Ports, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    """Another one, as in production: nginx asks Berth about each request."""
    directory = tmp_path_factory.mktemp("behind-nginx")
    with registry_behind_nginx(directory, ports.edge) as front:
        yield Registry(f"localhost:{front.ports.registry}", front.storage)


@dataclass(frozen=True, slots=True)
class Demo:
    """All of Berth, as ``make demo`` runs it, and a receiver of webhooks."""

    settings: DemoSettings
    facts: dict[str, str]
    receiver_host: str


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    directory = private_directory(tmp_path_factory.mktemp("complete") / "demo")
    settings = DemoSettings(directory, free_port(), free_port(), free_port())
    with ExitStack() as stack:
        receiver = stack.enter_context(running_receiver())
        servers = start_servers(settings, stack, durable=False)
        servers.environment["BERTH_INSECURE_WEBHOOKS"] = receiver.host
        start_registries(settings, stack)
        prepare(settings, servers.environment, demo_command(settings))
        start_berth(settings, servers.environment, stack)
        yield Demo(settings, read_facts(settings.facts), receiver.host)


def service_account_token(vendor: Vendor) -> Login:
    robot = create_service_account(
        actor=vendor.actor, team=vendor.team, name="ci", role=Role.DEVELOPER
    )
    _, text = vendor.api_token(ApiToken.Kind.SERVICE_ACCOUNT, service_account=robot)
    return "any-string", text.reveal()


def own_slug(vendor: Vendor) -> str:
    return vendor.application.slug


def push_an_image(client: ImageClient, registry: Registry, vendor: Vendor) -> str:
    """Push an image as the vendor and remove it from the machine."""
    image = registry.image(own_slug(vendor))
    client.make(image, own_slug(vendor).encode())
    succeeded(client.login(registry.host, *service_account_token(vendor)))
    succeeded(client.push(image))
    client.forget(image)
    return image
