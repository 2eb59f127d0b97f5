"""The registries that the checks run against."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.core.management import call_command
from pytest_django import DjangoDbBlocker

from deploy.local.process import free_port
from deploy.local.registry import start_registry
from teams.models import ApiToken
from teams.permissions import Role
from tests.e2e.conftest import Ports, Upstream
from tests.support.clients.edge import EdgeClient
from tests.support.conformance.client import Target
from tests.support.rows.vendor import Vendor, create_vendor
from tests.support.servers import nginx

# Each is the name of a fixture of an address, compared with a registry open to all.
TARGETS = ["token_registry", "registry_behind_nginx"]


@pytest.fixture(scope="session")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a registry that asks for no login; yield its address."""
    port = free_port()
    with start_registry(tmp_path_factory.mktemp("open"), port):
        yield f"http://localhost:{port}"


@pytest.fixture(scope="session")
def token_registry(edge: EdgeClient, bearer_upstream: Upstream) -> str:
    """Return the address of a registry for which Berth's edge makes the tokens."""
    return bearer_upstream.url


@pytest.fixture(scope="session")
def registry_behind_nginx(
    edge: EdgeClient, ports: Ports, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Start a registry behind nginx, as in production; yield nginx's address."""
    directory = tmp_path_factory.mktemp("behind-nginx")
    with nginx.registry_behind_nginx(directory, ports.edge) as front:
        yield f"http://localhost:{front.ports.registry}"


@pytest.fixture(scope="module")
def pushing_vendor(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[tuple[Vendor, tuple[str, str]]]:
    """Yield a vendor and a login that may pull, push and delete, as its CI has it.

    One for all checks, which are many and short.
    """
    with django_db_blocker.unblock():
        vendor = create_vendor()
        _, text = vendor.api_token(ApiToken.Kind.TEAM, role=Role.DEVELOPER)
        yield vendor, ("ci", text.reveal())
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture(params=TARGETS)
def targets(
    request: pytest.FixtureRequest,
    open_registry: str,
    pushing_vendor: tuple[Vendor, tuple[str, str]],
) -> Callable[[str], tuple[Target, Target]]:
    """Return what makes two targets of one namespace: open to all, and of Berth."""
    vendor, login = pushing_vendor
    slug, url = vendor.application.slug, request.getfixturevalue(request.param)

    def targets_for(check: str) -> tuple[Target, Target]:
        namespace = f"{slug}/{request.param}/{check}"
        return Target(open_registry, namespace), Target(url, namespace, login)

    return targets_for
