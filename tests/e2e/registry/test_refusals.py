"""What people read who may not: skopeo prints it, and nothing changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from teams.models import ApiToken
from teams.permissions import Role
from teams.services import create_service_account
from tests.e2e.registry.conftest import (
    Pushed,
    Registry,
    bearer,
    member,
    skopeo,
    user_token,
)
from tests.support.rows.vendor import Vendor, create_vendor

SLUGS = "the slugs of your applications are on the portal's Images page."


@pytest.fixture
def unchanged(registry: Registry, pushed: Pushed) -> Iterator[None]:
    """All that is stored is the same afterwards."""
    before = registry.stored()
    yield
    assert registry.stored() == before


def push(registry: Registry, image: Path, name: str, login: tuple[str, str]) -> str:
    """Push with skopeo; return what it has to say."""
    outcome = skopeo(
        *("copy", "--dest-tls-verify=false", "--dest-creds", ":".join(login)),
        *(f"dir:{image}", f"docker://{registry.host}/{name}:v1"),
    )
    assert outcome.returncode
    return outcome.stderr


def pull(registry: Registry, name: str, login: tuple[str, str] | None) -> str:
    credentials = ["--creds", ":".join(login)] if login else ["--no-creds"]
    outcome = skopeo(
        *("inspect", "--raw", "--tls-verify=false", *credentials),
        f"docker://{registry.host}/{name}:v1",
    )
    assert outcome.returncode
    return outcome.stderr


def test_who_may_pushes_and_pulls_with_skopeo(
    registry: Registry,
    vendor: Vendor,
    owner_login: tuple[str, str],
    image_dir: Path,
    tmp_path: Path,
) -> None:
    name = f"docker://{registry.host}/{vendor.application.slug}/skopeo:v1"
    license_id = vendor.license().license_id.reveal()

    pushed = skopeo(
        *("copy", "--dest-tls-verify=false", "--dest-creds", ":".join(owner_login)),
        *(f"dir:{image_dir}", name),
    )
    pulled = skopeo(
        *("copy", "--src-tls-verify=false", "--src-creds", f"any:{license_id}"),
        *(name, f"dir:{tmp_path / 'pulled'}"),
    )

    assert (pushed.returncode, pulled.returncode) == (0, 0), pushed.stderr
    for item in image_dir.iterdir():
        assert (tmp_path / "pulled" / item.name).read_bytes() == item.read_bytes()


@pytest.mark.usefixtures("unchanged")
def test_a_license_does_not_push(
    registry: Registry, vendor: Vendor, pushed: Pushed, image_dir: Path
) -> None:
    login = ("any", vendor.license().license_id.reveal())

    output = push(registry, image_dir, pushed.repository, login)

    assert (
        "A license can pull images, but not push them. Log in with your e-mail "
        "address and a user token to push." in output
    )


@pytest.mark.usefixtures("unchanged")
def test_a_read_only_token_does_not_push(
    registry: Registry, vendor: Vendor, pushed: Pushed, image_dir: Path
) -> None:
    _, login = user_token(vendor, read_only=True)

    output = push(registry, image_dir, pushed.repository, login)

    assert (
        "This API token is read-only and cannot push images. Log in with one that is "
        "not read-only." in output
    )
    token = registry.token(login, f"repository:{pushed.repository}:pull")
    answer = registry.client.request("GET", pushed.manifest_path, bearer(token))
    assert answer.status == 200


@pytest.mark.usefixtures("unchanged")
def test_a_role_without_the_right_neither_pushes_nor_pulls(
    registry: Registry, vendor: Vendor, pushed: Pushed, image_dir: Path
) -> None:
    _, login = user_token(vendor, member(vendor, Role.SUPPORT).user)
    ask = "Ask an owner or admin of the team for the developer role."

    output = push(registry, image_dir, pushed.repository, login)

    assert f"Your role may not push images. {ask}" in output
    output = pull(registry, pushed.repository, login)
    assert f"Your role may not pull images. {ask}" in output


@pytest.mark.usefixtures("unchanged")
def test_another_teams_slug_looks_like_an_unknown_one(
    registry: Registry,
    vendor: Vendor,
    pushed: Pushed,
    owner_login: tuple[str, str],
    image_dir: Path,
) -> None:
    theirs = create_vendor().application.slug

    output = {
        slug: push(registry, image_dir, f"{slug}/worker", owner_login)
        for slug in (theirs, "x" * len(theirs))
    }

    for slug, text in output.items():
        assert (
            f"This login does not include the application '{slug}'. Check the image "
            f"name; {SLUGS}" in text
        )
    first, second = (text.replace(slug, "SLUG") for slug, text in output.items())
    assert first.partition("msg=")[2] == second.partition("msg=")[2]


@pytest.mark.usefixtures("unchanged")
def test_an_image_needs_an_application(
    registry: Registry, owner_login: tuple[str, str], image_dir: Path
) -> None:
    output = push(registry, image_dir, "worker", owner_login)

    assert "Images here are named APPLICATION_SLUG/IMAGE, and 'worker' has" in output


@pytest.mark.usefixtures("unchanged")
def test_a_license_of_another_application_does_not_pull(
    registry: Registry, vendor: Vendor, pushed: Pushed
) -> None:
    other = vendor.another_application(f"{vendor.team.slug}-other")
    login = ("any", vendor.license(other).license_id.reveal())

    output = pull(registry, pushed.repository, login)

    assert (
        f"This license does not include the application '{vendor.application.slug}'. "
        "Check the image name." in output
    )


@pytest.mark.usefixtures("unchanged")
def test_a_stranger_is_told_how_to_log_in(
    registry: Registry, pushed: Pushed, image_dir: Path
) -> None:
    advice = "No known login came with this request. Log in with your e-mail address"

    assert advice in pull(registry, pushed.repository, None)
    assert advice in pull(registry, pushed.repository, ("any", "2" * 27))
    assert advice in push(registry, image_dir, pushed.repository, ("any", "berth_x"))


def test_deleting_needs_its_right(
    registry: Registry, vendor: Vendor, pushed: Pushed, owner_login: tuple[str, str]
) -> None:
    path = f"/v2/{pushed.repository}/manifests/{pushed.digest}"
    scope = f"repository:{pushed.repository}:pull,push,delete"
    license_login = ("any", vendor.license().license_id.reveal())
    read_only = user_token(vendor, read_only=True)[1]
    before = registry.stored()

    answers = [
        registry.client.request("DELETE", path, bearer(registry.token(login, scope)))
        for login in (license_login, read_only)
    ]

    first, second = answers
    assert (first.status, second.status) == (401, 401)
    assert first.error[1].startswith("A license can pull images, but not delete")
    assert second.error[1].startswith("This API token is read-only and cannot delete")
    assert registry.stored() == before
    pushing_only = registry.token(owner_login, scope.removesuffix(",delete"))
    answer = registry.client.request("DELETE", path, bearer(pushing_only))
    assert answer.status == 401
    assert len(answer.headers.getlist("WWW-Authenticate")) == 1
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert registry.stored() == before

    token = registry.token(owner_login, scope)
    assert registry.client.request("DELETE", path, bearer(token)).status == 202


def test_a_service_account_pushes_with_any_name(
    registry: Registry, vendor: Vendor
) -> None:
    robot = create_service_account(
        actor=vendor.actor, team=vendor.team, name="ci", role=Role.DEVELOPER
    )
    _, text = vendor.api_token(ApiToken.Kind.SERVICE_ACCOUNT, service_account=robot)

    pushed = registry.push(("whatever", text.reveal()), f"{vendor.application.slug}/ci")

    assert pushed.digest.startswith("sha256:")
