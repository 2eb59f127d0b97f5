"""ETag and If-Match: a change of what was read, or no change."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from django.db import connection

from licenses.models import PullCredential
from registries.models import ExternalRegistry
from registries.models.health import Outcome
from teams.models import Membership, Team
from tests.integration.test_outsiders import (
    ACTION,
    LIST,
    OBJECT,
    address,
    every,
    patterns,
)
from tests.support.clients.api import ApiClient, code_of, member_client
from tests.support.rows.factories import (
    ApplicationFactory,
    CustomerFactory,
    ExternalRegistryFactory,
    LicenseFactory,
    MembershipFactory,
    PullCredentialFactory,
    RegistryShareFactory,
)
from tests.support.rows.world import World, make_world, rows_of

LICENSE = "licenses/<uuid:license_id>"
CREDENTIAL = f"{LICENSE}/pull-credentials/<uuid:credential_id>"
# What is read there, and a change of it.
CHANGES: dict[str, dict[str, Any]] = {
    "team": {"name": "New"},
    "team/look": {"display_name": "New"},
    "team/contact-mail": {"kinds": []},
    "members/<uuid:member_id>": {"role": "sales"},
    "service-accounts/<uuid:service_account_id>": {"name": "new"},
    "webhooks/<uuid:webhook_id>": {"name": "new"},
    "applications/<str:application>": {"name": "New"},
    "applications/<str:application>/channels/<str:channel>": {"name": "New"},
    "applications/<str:application>/license-fields/<str:field>": {"title": "New"},
    "customers/<str:customer_id>": {"name": "New"},
    "customers/<str:customer_id>/contacts/<uuid:contact_id>": {"name": "New"},
    LICENSE: {"type": "trial"},
    CREDENTIAL: {"name": "new"},
    "registries/<str:registry>": {"test_image": "my-org/new:v1"},
}
# Actions on what the address before the last part shows.
ACTIONS: dict[str, dict[str, Any]] = {
    "customers/<str:customer_id>/archive": {},
    f"{LICENSE}/revoke": {"reason": "Unpaid."},
    f"{LICENSE}/replace-id": {},
    f"{CREDENTIAL}/rotate": {},
    f"{CREDENTIAL}/revoke": {},
    "webhooks/<uuid:webhook_id>/secret": {},
    "webhooks/<uuid:webhook_id>/disable": {},
    "api-tokens/<uuid:api_token_id>/revoke": {},
    "invitations/<uuid:invitation_id>/renew": {},
    "customers/<str:customer_id>/links/<uuid:link_id>/withdraw": {},
}
# These change nothing that a caller has read before.
UNCONDITIONAL = {
    "alerts/<uuid:alert_id>/acknowledge",
    "registries/<str:registry>/test",
    "registries/<str:registry>/duplicate",
    "webhooks/<uuid:webhook_id>/test",
    "webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/retry",
    "licenses/search",
    "licenses/bulk/issue",
    "licenses/<uuid:license_id>/trusted-identities/test",
    "registries/test",
    "authorize",
}
# Here each item may have an ``if_match`` of its own.
BY_ITEM = {"licenses/bulk/change", "licenses/bulk/revoke"}
IMAGES = "applications/<str:application>/images/"  # the registry itself deletes them


@pytest.fixture
def world(team: Team) -> World:
    return make_world(team)


def without_use(team: Team) -> dict[str, Any]:
    """Return all rows, but not when the tester's own token was last used."""
    rows = rows_of(team)
    for token in rows["teams.ApiToken"]:
        del token["last_used_at"]
    return rows


def test_whatever_changes_an_object_takes_if_match() -> None:
    for route, method in every(OBJECT, LIST, ACTION):
        view = patterns()[route].callback.cls  # type: ignore[attr-defined]  # a class view
        creates = method == "post" and hasattr(view, "get")
        if method == "get" or creates or route.startswith(IMAGES):
            continue
        handler = getattr(view, method)
        is_conditional = getattr(handler, "is_conditional", False)
        assert is_conditional != (route in UNCONDITIONAL | BY_ITEM), (route, method)


@pytest.mark.parametrize("route", CHANGES)
def test_a_change_needs_the_version_that_was_read(
    route: str, owner_api: ApiClient, world: World
) -> None:
    path, body = address(route, world.ids), CHANGES[route]
    read = owner_api.get(path)
    etag = read.headers["ETag"]
    before = without_use(world.team)

    for wrong in ('"other"', f"W/{etag}", f'"a", "b", W/{etag}'):
        refused = owner_api.patch(path, body, headers={"If-Match": wrong})
        assert refused.status_code == 412
        assert code_of(refused) == "precondition_failed"
        assert refused.headers["ETag"] == etag
    malformed = owner_api.patch(path, body, headers={"If-Match": "*, x"})
    assert malformed.status_code == 400
    assert list(malformed.json()["errors"]) == ["If-Match"]
    assert without_use(world.team) == before

    changed = owner_api.patch(path, body, headers={"If-Match": f'"a", {etag}'})

    assert changed.status_code == 200
    again = owner_api.get(path)
    assert changed.headers["ETag"] == again.headers["ETag"] != etag
    assert {name: again.json()[name] for name in body} == body
    assert changed.json() == again.json()
    first, second = read.json()["updated_at"], again.json()["updated_at"]
    assert datetime.fromisoformat(first) < datetime.fromisoformat(second)
    # The same again changes nothing, and any version will do.
    same = owner_api.patch(path, body, headers={"If-Match": "*"})
    assert same.headers["ETag"] == again.headers["ETag"]
    assert owner_api.patch(path, body, headers={"If-Match": etag}).status_code == 412


@pytest.mark.parametrize("route", ACTIONS)
def test_an_action_needs_the_version_that_was_read(
    route: str, owner_api: ApiClient, world: World
) -> None:
    path, body = address(route, world.ids), ACTIONS[route]
    shown_at = path.rpartition("/")[0]
    etag = owner_api.get(shown_at).headers["ETag"]
    before = without_use(world.team)

    refused = owner_api.post(path, body, headers={"If-Match": '"other"'})

    assert refused.status_code == 412
    assert code_of(refused) == "precondition_failed"
    assert without_use(world.team) == before
    done = owner_api.post(path, body, headers={"If-Match": etag})
    assert done.status_code in {200, 201}
    assert owner_api.get(shown_at).headers["ETag"] != etag


@pytest.mark.parametrize(
    "route",
    [
        "members/<uuid:member_id>",
        "invitations/<uuid:invitation_id>",
        "service-accounts/<uuid:service_account_id>",
        "webhooks/<uuid:webhook_id>",
        "customers/<str:customer_id>/contacts/<uuid:contact_id>",
        "applications/<str:application>/license-fields/<str:field>",
        "applications/<str:application>/channels/<str:channel>",
        "registries/<str:registry>",
    ],
)
def test_a_deletion_needs_the_version_that_was_read(
    route: str, owner_api: ApiClient, world: World
) -> None:
    path = address(route, world.ids)
    etag = owner_api.get(path).headers["ETag"]
    before = without_use(world.team)

    refused = owner_api.delete(path, headers={"If-Match": '"other"'})

    assert refused.status_code == 412
    assert refused.headers["ETag"] == etag
    assert without_use(world.team) == before
    if route.startswith("registries/"):
        path += f"?confirm={world.registry.slug}"
    assert owner_api.delete(path, headers={"If-Match": etag}).status_code == 204
    assert owner_api.get(path).status_code == 404
    assert owner_api.delete(path, headers={"If-Match": "*"}).status_code == 404


@pytest.mark.parametrize("route", CHANGES)
def test_who_may_not_change_it_learns_no_etag(route: str, world: World) -> None:
    viewer = member_client(MembershipFactory(team=world.team, role="read-only"))
    before = without_use(world.team)

    refused = viewer.patch(
        address(route, world.ids), CHANGES[route], headers={"If-Match": '"other"'}
    )

    assert refused.status_code == 403
    assert "ETag" not in refused.headers
    assert without_use(world.team) == before


@pytest.mark.parametrize("route", CHANGES)
def test_who_knows_it_already_gets_no_body(
    route: str, owner_api: ApiClient, world: World
) -> None:
    path = address(route, world.ids)
    etag = owner_api.get(path).headers["ETag"]

    for known in (etag, f"W/{etag}", f'"a", {etag}', "*"):
        answer = owner_api.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["ETag"] == etag
    assert owner_api.get(path, headers={"If-None-Match": '"a"'}).status_code == 200


def test_an_idempotent_change_is_answered_again_with_its_etag(
    owner_api: ApiClient, world: World
) -> None:
    """By then the version in If-Match is an old one."""
    path = address(CREDENTIAL, world.ids)
    etag = owner_api.get(path).headers["ETag"]
    headers = {"If-Match": etag, "Idempotency-Key": "k"}

    first = owner_api.post(f"{path}/rotate", {}, headers=headers)
    second = owner_api.post(f"{path}/rotate", {}, headers=headers)

    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert first.headers["ETag"] == second.headers["ETag"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert PullCredential.objects.filter(license=world.license).count() == 2


def test_use_and_checks_change_no_etag(owner_api: ApiClient, world: World) -> None:
    paths = [address(CREDENTIAL, world.ids), f"/registries/{world.registry.pk}"]
    before = [owner_api.get(path) for path in paths]

    PullCredential.objects.update(last_used_client="docker/27")
    ExternalRegistry.objects.update(health=Outcome.UNREACHABLE, failures=3)

    after = [owner_api.get(path) for path in paths]
    for one, other in zip(before, after, strict=True):
        assert one.json() != other.json()
        assert one.json()["updated_at"] == other.json()["updated_at"]
        assert one.headers["ETag"] == other.headers["ETag"]


def test_the_database_notes_changes_that_go_past_django(
    owner_api: ApiClient, world: World
) -> None:
    path = address("customers/<str:customer_id>", world.ids)
    before = owner_api.get(path)

    with connection.cursor() as cursor:
        cursor.execute("UPDATE licenses_customer SET email = 'new@initech.example'")

    after = owner_api.get(path)
    assert before.json()["updated_at"] < after.json()["updated_at"]
    assert before.headers["ETag"] != after.headers["ETag"]


def test_a_new_credential_and_other_shares_change_a_registrys_etag(
    owner_api: ApiClient, team: Team
) -> None:
    registry = ExternalRegistryFactory(team=team, shared_with_all=False)
    RegistryShareFactory(registry=registry)
    ApplicationFactory(team=team, slug="other")
    path = f"/registries/{registry.pk}"
    etags = [owner_api.get(path).headers["ETag"]]
    new = {"username": "me", "secret": "mine", "skip_test": True}

    for method, at, body in (
        ("put", f"{path}/credential", new),
        ("put", f"{path}/credential", new),
        ("patch", path, {"applications": ["other"]}),
    ):
        headers = {"If-Match": etags[-1]}
        changed = owner_api.request(method, at, body, headers=headers)
        assert changed.status_code == 200
        stale = owner_api.request(method, at, body, headers=headers)
        assert stale.status_code == 412
        etags.append(owner_api.get(path).headers["ETag"])
        assert changed.headers["ETag"] == etags[-1]
    assert len(set(etags)) == 4


@pytest.mark.parametrize("what", ["customer", "license", "credential", "registry"])
def test_of_two_writers_at_once_one_wins_and_nothing_is_lost(
    what: str, transactional_db: None
) -> None:
    membership: Membership = MembershipFactory()
    team = membership.team
    license = LicenseFactory(team=team)
    credential = PullCredentialFactory(license=license)
    path, name = {
        "customer": (f"/customers/{CustomerFactory(team=team).pk}", "name"),
        "license": (f"/licenses/{license.pk}/revoke", "reason"),
        "credential": (
            f"/licenses/{license.pk}/pull-credentials/{credential.pk}",
            "name",
        ),
        "registry": (f"/registries/{ExternalRegistryFactory(team=team).pk}", "slug"),
    }[what]
    writers = [member_client(membership), member_client(membership)]
    shown_at = path.removesuffix("/revoke")
    for number in range(8):
        etag = writers[0].get(shown_at).headers["ETag"]
        start = threading.Barrier(2, timeout=20)

        def write(place: int, etag: str, start: threading.Barrier, text: str) -> Any:
            try:
                connection.ensure_connection()
                start.wait()
                method = "post" if path.endswith("/revoke") else "patch"
                return writers[place].request(
                    method, path, {name: text}, headers={"If-Match": etag}
                )
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as threads:
            texts = [f"w{number}-{place}" for place in range(2)]
            made = [
                threads.submit(write, place, etag, start, text)
                for place, text in enumerate(texts)
            ]
            answers = [one.result() for one in made]

        assert sorted(answer.status_code for answer in answers) == [200, 412]
        [winner] = [
            at for at, answer in enumerate(answers) if answer.status_code == 200
        ]
        now = writers[0].get(shown_at).json()
        stored = now["revoke_reason"] if what == "license" else now[name]
        assert stored == texts[winner]
        if what == "license":
            writers[0].post(f"{shown_at}/reinstate", {})
