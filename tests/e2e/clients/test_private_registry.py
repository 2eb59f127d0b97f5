"""docker, podman and skopeo push to the private registry, and pull with a license."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

from licenses.services import revoke_license
from teams.models import ApiToken
from teams.permissions import Role
from tests.e2e.clients.conftest import (
    Login,
    Registry,
    own_slug,
    push_an_image,
    service_account_token,
)
from tests.e2e.conftest import Upstream
from tests.support.clients.edge import EdgeClient
from tests.support.clients.engines import (
    IMAGE_CLIENTS,
    Docker,
    ImageClient,
    Skopeo,
    succeeded,
)
from tests.support.rows.vendor import Vendor, create_vendor

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="container engines are started as root"
)

REFUSALS = ("denied", "unauthorized", "authentication required")


@pytest.fixture
def registry(edge: EdgeClient, bearer_upstream: Upstream) -> Registry:
    storage = bearer_upstream.log.parent / "storage"
    return Registry(bearer_upstream.endpoint, storage)


@pytest.fixture(params=IMAGE_CLIENTS)
def make_client(
    request: pytest.FixtureRequest, engines: Path, tmp_path: Path
) -> Callable[[str], ImageClient]:
    """Return what gives each person a client; they share the machine's engine."""
    kind = IMAGE_CLIENTS[request.param]
    return lambda person: kind(engines, tmp_path / person)


@pytest.fixture
def docker(engines: Path, tmp_path: Path) -> Docker:
    return Docker(engines, tmp_path / "docker")


def user_token(vendor: Vendor, *, read_only: bool = False) -> Login:
    _, text = vendor.api_token(read_only=read_only)
    return vendor.owner.email, text.reveal()


def team_token(vendor: Vendor) -> Login:
    _, text = vendor.api_token(ApiToken.Kind.TEAM, role=Role.DEVELOPER)
    return "another-string", text.reveal()


def account_password(vendor: Vendor) -> Login:
    return vendor.owner.email, vendor.give_owner_a_password()


def license_login(vendor: Vendor) -> Login:
    return "license", vendor.license().license_id.reveal()


LOGINS = {
    "user token": user_token,
    "service account": service_account_token,
    "team token": team_token,
    "account password": account_password,
}


@pytest.mark.parametrize("kind", LOGINS)
def test_the_three_ways_to_log_in_and_push(
    docker: Docker, registry: Registry, vendor: Vendor, tmp_path: Path, kind: str
) -> None:
    image = registry.image(vendor.application.slug)
    docker.make(image, kind.encode())
    pushed = docker.identity(image)

    login = docker.login(registry.host, *LOGINS[kind](vendor))
    assert "Login Succeeded" in login.stdout, login.stderr
    succeeded(docker("push", image))
    docker.forget(image)
    assert docker.identity(image) == ""

    customer = Docker(docker.engines, tmp_path / "customer")
    succeeded(customer.login(registry.host, *license_login(vendor)))
    succeeded(customer.pull(image))
    assert customer.identity(image) == pushed
    assert customer.read(image, "content.txt") == kind.encode()


def test_every_client_pushes_and_pulls(
    make_client: Callable[[str], ImageClient], registry: Registry, vendor: Vendor
) -> None:
    image = registry.image(vendor.application.slug)
    pusher, customer = make_client("vendor"), make_client("customer")
    pusher.make(image, vendor.team.slug.encode())
    pushed = pusher.identity(image)
    assert pushed

    succeeded(pusher.login(registry.host, *service_account_token(vendor)))
    succeeded(pusher.push(image))
    pusher.forget(image)
    assert pusher.identity(image) == ""

    succeeded(customer.login(registry.host, *license_login(vendor)))
    succeeded(customer.pull(image))
    assert customer.identity(image) == pushed


def _read_only_token(vendor: Vendor) -> tuple[Login, str]:
    return user_token(vendor, read_only=True), own_slug(vendor)


def _license(vendor: Vendor) -> tuple[Login, str]:
    return license_login(vendor), own_slug(vendor)


def _slug_of_another_team(vendor: Vendor) -> tuple[Login, str]:
    return service_account_token(vendor), own_slug(create_vendor())


def _unknown_slug(vendor: Vendor) -> tuple[Login, str]:
    return service_account_token(vendor), f"{own_slug(vendor)}-no-such"


REFUSED_PUSHES = {
    "read-only token": _read_only_token,
    "license": _license,
    "another team's slug": _slug_of_another_team,
    "unknown slug": _unknown_slug,
}


@pytest.mark.parametrize("who", REFUSED_PUSHES)
def test_a_refused_push_stores_nothing(
    make_client: Callable[[str], ImageClient],
    registry: Registry,
    vendor: Vendor,
    who: str,
) -> None:
    login, slug = REFUSED_PUSHES[who](vendor)
    client, image = make_client("pusher"), registry.image(slug)
    client.make(image, who.encode())
    succeeded(client.login(registry.host, *login))
    stored = registry.stored()

    pushed = client.push(image)

    assert pushed.returncode != 0
    assert says_refused(pushed.stderr + pushed.stdout)
    assert registry.stored() == stored


SENTENCES = {
    "read-only token": "This API token is read-only and cannot push images.",
    "license": "A license can pull images, but not push them.",
    "another team's slug": "This login does not include the application ",
    "unknown slug": "This login does not include the application ",
}


@pytest.mark.parametrize("who", REFUSED_PUSHES)
def test_behind_nginx_clients_say_why_a_push_is_refused(
    make_client: Callable[[str], ImageClient],
    behind_nginx: Registry,
    vendor: Vendor,
    who: str,
) -> None:
    login, slug = REFUSED_PUSHES[who](vendor)
    client, image = make_client("pusher"), behind_nginx.image(slug)
    client.make(image, who.encode())
    succeeded(client.login(behind_nginx.host, *login))
    stored = behind_nginx.stored()

    pushed = client.push(image)

    assert pushed.returncode != 0
    assert SENTENCES[who] in pushed.stderr + pushed.stdout
    assert behind_nginx.stored() == stored


def _log_in_not_at_all(client: ImageClient, host: str, vendor: Vendor) -> None:
    pass


def _log_in_for_another_application(
    client: ImageClient, host: str, vendor: Vendor
) -> None:
    other = vendor.another_application(f"{vendor.team.slug}-other")
    license = vendor.license(application=other)
    succeeded(client.login(host, "license", license.license_id.reveal()))


def _log_in_and_be_revoked(client: ImageClient, host: str, vendor: Vendor) -> None:
    license = vendor.license()
    succeeded(client.login(host, "license", license.license_id.reveal()))
    revoke_license(actor=vendor.actor, license=license, reason="test")


def _log_in_as_another_team(client: ImageClient, host: str, vendor: Vendor) -> None:
    succeeded(client.login(host, *service_account_token(create_vendor())))


REFUSED_PULLS = {
    "anonymous": (_log_in_not_at_all, REFUSALS),
    "another application's license": (_log_in_for_another_application, REFUSALS),
    "revoked license": (_log_in_and_be_revoked, ("this license was revoked on ",)),
    "another team": (_log_in_as_another_team, REFUSALS),
}


@pytest.mark.parametrize("who", REFUSED_PULLS)
def test_a_refused_pull_gives_nothing(
    make_client: Callable[[str], ImageClient],
    registry: Registry,
    vendor: Vendor,
    who: str,
) -> None:
    image = push_an_image(make_client("vendor"), registry, vendor)
    customer = make_client("customer")
    log_in, sentences = REFUSED_PULLS[who]
    log_in(customer, registry.host, vendor)
    stored = registry.stored()

    pulled = customer.pull(image)

    assert pulled.returncode != 0
    assert says_refused(pulled.stderr + pulled.stdout, sentences)
    assert customer.identity(image) == ""
    assert registry.stored() == stored


PULL_SENTENCES = {
    "anonymous": "No known login came with this request.",
    "another application's license": "This license does not include the application ",
    "revoked license": "This license was revoked on ",
    "another team": "This login does not include the application ",
}


@pytest.mark.parametrize("who", REFUSED_PULLS)
def test_behind_nginx_clients_say_why_a_pull_is_refused(
    make_client: Callable[[str], ImageClient],
    behind_nginx: Registry,
    vendor: Vendor,
    who: str,
) -> None:
    image = push_an_image(make_client("vendor"), behind_nginx, vendor)
    customer = make_client("customer")
    REFUSED_PULLS[who][0](customer, behind_nginx.host, vendor)

    pulled = customer.pull(image)

    assert pulled.returncode != 0
    assert PULL_SENTENCES[who] in pulled.stderr + pulled.stdout
    assert customer.identity(image) == ""


def test_tags_are_listed_for_a_license_and_not_for_a_stranger(
    engines: Path, registry: Registry, vendor: Vendor, tmp_path: Path
) -> None:
    image = push_an_image(Skopeo(engines, tmp_path / "vendor"), registry, vendor)
    repository = image.rpartition(":")[0]
    customer = Skopeo(engines, tmp_path / "customer")
    succeeded(customer.login(registry.host, *license_login(vendor)))
    stranger = Skopeo(engines, tmp_path / "stranger")

    listed, refused = customer.list_tags(repository), stranger.list_tags(repository)

    assert "1.0.1" in listed.stdout, listed.stderr
    assert refused.returncode != 0
    assert says_refused(refused.stderr)
    assert "1.0.1" not in refused.stdout


def test_a_password_is_not_enough_where_there_is_a_second_factor(
    docker: Docker, registry: Registry, vendor: Vendor
) -> None:
    email, password = account_password(vendor)
    TOTP.activate(vendor.owner, generate_totp_secret())

    refused = docker.login(registry.host, email, password)
    with_token = docker.login(registry.host, *user_token(vendor))

    assert refused.returncode != 0
    assert "Login Succeeded" not in refused.stdout
    assert "Your account has a second factor" in refused.stderr
    assert password not in refused.stderr
    assert "Login Succeeded" in with_token.stdout, with_token.stderr


def test_a_wrong_password_is_no_login(
    docker: Docker, registry: Registry, vendor: Vendor
) -> None:
    email, _ = account_password(vendor)
    _, token = user_token(vendor)

    for login in ((email, "incorrect horse"), ("somebody@else.example", token)):
        refused = docker.login(registry.host, *login)

        assert refused.returncode != 0
        assert says_refused(refused.stderr)
        assert login[1] not in refused.stderr


def says_refused(text: str, sentences: tuple[str, ...] = REFUSALS) -> bool:
    return any(sentence in text.lower() for sentence in sentences)
