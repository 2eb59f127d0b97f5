"""Who may do what to an image of the private registry, request by request."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from oci.media_types import OCI_MANIFEST
from teams.models import ApiToken
from teams.permissions import Role
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.conformance.client import RegistryClient, Repository, Target, sha256
from tests.support.conformance.images import Manifest, push_image
from tests.support.rows.vendor import Vendor, create_vendor

Login = tuple[str, str]
READS: dict[str, Callable[[Repository, Manifest], Answer]] = {
    "manifest": lambda at, _: at.get_manifest("v1", OCI_MANIFEST),
    "head of the manifest": lambda at, _: at.get_manifest("v1", OCI_MANIFEST, "HEAD"),
    "manifest by digest": lambda at, it: at.get_manifest(it.digest, OCI_MANIFEST),
    "blob": lambda at, _: at.send("GET", f"blobs/{blob_of(at)}"),
    "tags": lambda at, _: at.send("GET", "tags/list"),
}
PUSHES: dict[str, Callable[[Repository, Manifest], Answer]] = {
    "upload": lambda at, _: at.send("POST", "blobs/uploads/"),
    "manifest under a new tag": lambda at, it: put(at, "v2", it),
    "manifest under the same tag": lambda at, it: put(at, "v1", it),
    "manifest by digest": lambda at, it: put(at, it.digest, it),
}
DELETES: dict[str, Callable[[Repository, Manifest], Answer]] = {
    "manifest": lambda at, it: at.send("DELETE", f"manifests/{it.digest}"),
    "blob": lambda at, _: at.send("DELETE", f"blobs/{blob_of(at)}"),
}


def blob_of(repository: Repository) -> str:
    return sha256(repository.client.content("image's layer"))


def put(repository: Repository, reference: str, manifest: Manifest) -> Answer:
    return repository.put_manifest(reference, manifest.body, manifest.media_type)


def team_token(vendor: Vendor, role: Role, *, read_only: bool = False) -> Login:
    _, text = vendor.api_token(ApiToken.Kind.TEAM, role=role, read_only=read_only)
    return "ci", text.reveal()


def _nobody(vendor: Vendor) -> Login:
    return "", ""


def _another_team(vendor: Vendor) -> Login:
    return team_token(create_vendor(), Role.OWNER)


def _license_of_another_application(vendor: Vendor) -> Login:
    other = vendor.another_application(f"{vendor.team.slug}-other")
    return "license", vendor.license(application=other).license_id.reveal()


def _support(vendor: Vendor) -> Login:
    return team_token(vendor, Role.SUPPORT)


def _license(vendor: Vendor) -> Login:
    return "license", vendor.license().license_id.reveal()


def _read_only_token(vendor: Vendor) -> Login:
    return team_token(vendor, Role.DEVELOPER, read_only=True)


STRANGERS = [_nobody, _another_team, _license_of_another_application, _support]
READERS = [_license, _read_only_token]
CHANGES = {
    **{f"push: {name}": ask for name, ask in PUSHES.items()},
    **{f"delete: {name}": ask for name, ask in DELETES.items()},
}


@pytest.fixture
def owner(token_registry: str, vendor: Vendor) -> Repository:
    login = team_token(vendor, Role.DEVELOPER)
    return repository_for(Target(token_registry, vendor.application.slug, login))


@pytest.fixture
def pushed(owner: Repository) -> Manifest:
    return push_image(owner, "v1")


def repository_for(target: Target) -> Repository:
    return RegistryClient(target).repository()


def seen_by(owner: Repository, login: Login) -> Repository:
    """Return the owner's repository as another caller meets it."""
    target = owner.client.target
    return repository_for(Target(target.url, target.namespace, login))


def statuses_of(repository: Repository, pushed: Manifest) -> dict[str, int]:
    """Ask for everything and return what came of it."""
    asked = {**READS, **CHANGES}
    return {name: ask(repository, pushed).status for name, ask in asked.items()}


def is_untouched(owner: Repository, pushed: Manifest) -> bool:
    tags = owner.send("GET", "tags/list").json["tags"]
    manifest = owner.get_manifest("v1", OCI_MANIFEST)
    blob = owner.send("HEAD", f"blobs/{blob_of(owner)}")
    return (tags, manifest.body, blob.status) == (["v1"], pushed.body, 200)


@pytest.mark.parametrize("caller", STRANGERS)
def test_strangers_get_and_change_nothing(
    owner: Repository,
    pushed: Manifest,
    vendor: Vendor,
    caller: Callable[[Vendor], Login],
) -> None:
    repository = seen_by(owner, caller(vendor))

    statuses = statuses_of(repository, pushed)

    assert statuses == dict.fromkeys({**READS, **CHANGES}, 401)
    assert is_untouched(owner, pushed)


@pytest.mark.parametrize("caller", READERS)
def test_readers_change_nothing(
    owner: Repository,
    pushed: Manifest,
    vendor: Vendor,
    caller: Callable[[Vendor], Login],
) -> None:
    repository = seen_by(owner, caller(vendor))

    statuses = statuses_of(repository, pushed)

    assert statuses == {**dict.fromkeys(READS, 200), **dict.fromkeys(CHANGES, 401)}
    assert is_untouched(owner, pushed)


def test_a_refusal_shows_nothing_of_the_image(
    owner: Repository, pushed: Manifest, vendor: Vendor
) -> None:
    stranger = seen_by(owner, _another_team(vendor))
    unknown = stranger.client.repository("no-such-image")

    for ask in READS.values():
        answer, same = ask(stranger, pushed), ask(unknown, pushed)

        # A stranger cannot tell an image that is there from one that is not.
        text = answer.body.decode().replace(stranger.name, unknown.name)
        assert text == same.body.decode()
        assert answer.headers["Content-Type"] == same.headers["Content-Type"]


def test_a_blob_of_another_team_is_not_mounted(
    owner: Repository, pushed: Manifest, token_registry: str
) -> None:
    thief = create_vendor()
    login = team_token(thief, Role.OWNER)
    target = repository_for(Target(token_registry, thief.application.slug, login))
    digest = blob_of(owner)

    named = target.mount(mount=digest, **{"from": owner.name})
    unnamed = target.mount(mount=digest)

    assert named.status == 401
    assert unnamed.status == 202
    assert target.send("HEAD", f"blobs/{digest}").status == 404
    put_with_it = put(target, "v1", pushed)
    assert (put_with_it.status, put_with_it.json["errors"][0]["code"]) == (
        400,
        "MANIFEST_BLOB_UNKNOWN",
    )


def test_a_token_is_for_its_repository_and_its_actions(
    edge: EdgeClient, owner: Repository, pushed: Manifest
) -> None:
    assert owner.client.target.login
    other = owner.client.repository("other")
    push_image(other, "v1")
    given = edge.token_answer(
        owner.client.target.login,
        f"repository:{owner.name}:pull",
        service="berth-registry",
    )
    bearer = {"Authorization": f"Bearer {given.json['token']}", "Accept": OCI_MANIFEST}
    anybody = RegistryClient(Target(owner.client.target.url, ""))

    def status(method: str, repository: Repository, rest: str) -> int:
        return anybody.send(method, f"/v2/{repository.name}/{rest}", bearer).status

    assert status("GET", owner, "manifests/v1") == 200
    assert status("GET", other, "manifests/v1") == 401
    assert status("POST", owner, "blobs/uploads/") == 401
    assert status("DELETE", owner, f"manifests/{pushed.digest}") == 401
    assert is_untouched(owner, pushed)
