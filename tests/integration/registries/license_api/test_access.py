"""Who gets in with a license, and who does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from licenses.models import License
from licenses.services import archive_customer, change_license, revoke_license
from registries.decision.credentials import Subject, SubjectKind
from registries.decision.pull import Denied, authorize_pull
from teams.actors import Actor
from teams.models import Team
from tests.support.clients.api import ApiClient, code_of
from tests.support.clients.license_holder import PROXY, REGISTRY, LicenseClient, basic
from tests.support.minutes import within_a_minute
from tests.support.rows.factories import LicenseFactory, UserFactory, api_token_text
from tests.support.rows.world import rows_of

GETS = ["", "/file", "/pull-secret", "/registries"]


def test_a_holder_reads_the_license(holder: LicenseClient) -> None:
    response = holder.get()

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json() == {
        "application": {"slug": "my-app", "name": "My app"},
        "customer": {"name": "Initech"},
        "channel": {"name": "Stable", "slug": "stable"},
        "type": "paid",
        "sequence": 7,
        "expires_at": "2031-02-03T04:05:06Z",
        "proxy_host": PROXY,
        "registry_host": REGISTRY,
        "pull_credential": None,
        "fields": [
            {
                "name": "key",
                "title": "Key",
                "type": "Password",
                "value": "hunter2",
                "hidden": True,
            },
            {
                "name": "note",
                "title": "Note",
                "type": "String",
                "value": None,
                "hidden": False,
            },
            {
                "name": "seats",
                "title": response.json()["fields"][2]["title"],
                "type": "Integer",
                "value": 5,
                "hidden": False,
            },
        ],
    }


def test_hosts_that_are_not_set_are_null(holder: LicenseClient, settings: Any) -> None:
    settings.BERTH_PROXY_HOST = settings.BERTH_REGISTRY_HOST = ""

    shown = holder.get().json()

    assert shown["proxy_host"] is shown["registry_host"] is None


@pytest.mark.parametrize("username", ["", "license", "me@initech.example", None])
def test_any_username_will_do(license: License, username: str | None) -> None:
    license_id = license.license_id.reveal()
    client = LicenseClient(authorization=basic(username or license_id, license_id))

    assert client.get().status_code == 200


# Who is let in.


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize(
    "authorization",
    [
        "Basic ",
        "Basic ?",
        "Basic /w==",
        "Basic bm8tY29sb24=",
        basic("license", ""),
        basic("license", "a" * 27),
        basic("a" * 27, "license"),
        basic("license", "a" * 26 + "\n"),
    ],
)
def test_a_wrong_license_id_is_refused(
    path: str, authorization: str, license: License
) -> None:
    response = LicenseClient(authorization=authorization).get(path)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Basic realm="Berth"'
    assert code_of(response) == "credential_unknown"
    assert (
        "your license ID or a pull credential as the password"
        in response.json()["detail"]
    )


@pytest.mark.parametrize("authorization", [None, "Bearer x", "basic", "Negotiate x"])
def test_who_sends_no_license_is_told_how(authorization: str | None, db: None) -> None:
    response = LicenseClient(authorization=authorization).get()

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Basic realm="Berth"'


def test_vendors_logins_are_no_licenses(
    team: Team, license: License, owner_api: ApiClient
) -> None:
    token = api_token_text(team=team, kind="team")
    password = "Abcdefghij0123456789abcdefg"
    user = UserFactory(email="me@acme.example")
    user.set_password(password)
    user.save()

    for username, secret in (("x", token), (user.email, password)):
        client = LicenseClient(authorization=basic(username, secret))
        assert client.get().status_code == 401
    assert LicenseClient(authorization=f"Bearer {token}").get().status_code == 401
    assert owner_api.get("/license").status_code == 401


def test_a_license_is_no_login_for_the_vendors_api(holder: LicenseClient) -> None:
    response = holder.request("get", "/licenses")

    assert response.status_code == 401
    assert code_of(response) == "not_authenticated"


ENDS: dict[str, Callable[[Actor, License], object]] = {
    "license_revoked": lambda actor, license: revoke_license(
        actor=actor, license=license, reason="unpaid by Initech"
    ),
    "license_expired": lambda actor, license: change_license(
        actor=actor,
        license=license,
        changes={"expires_at": timezone.now() - timedelta(seconds=1)},
    ),
    "customer_archived": lambda actor, license: archive_customer(
        actor=actor, customer=license.customer
    ),
}


@pytest.mark.parametrize("reason", ENDS)
def test_a_license_that_ends_is_refused_at_once(
    reason: str, license: License, holder: LicenseClient, actor: Actor
) -> None:
    assert [holder.get(path).status_code for path in GETS] == [200] * 4
    assert holder.resolve("redis").status_code == 200
    ENDS[reason](actor, license)

    answers = [*(holder.get(path) for path in GETS), holder.resolve("redis")]

    denied = authorize_pull(
        Subject(SubjectKind.LICENSE, License.objects.get().pk),
        "my-app",
        "quay.io",
        "my-org/api",
    )
    assert isinstance(denied, Denied)
    for response in answers:
        assert response.status_code == 403
        assert code_of(response) == reason == denied.reason
        assert response.json()["detail"] == denied.message
        assert "unpaid" not in response.content.decode()
        assert license.license_id.reveal() not in response.content.decode()


def test_an_address_that_guesses_is_stopped(license: License, settings: Any) -> None:
    settings.BERTH_TOKEN_FAILURES_PER_MINUTE = 3
    holder = LicenseClient(license)

    def guess() -> list[Any]:
        guesser = LicenseClient(authorization=basic("license", "a" * 27))
        answers = [guesser.get() for _ in range(5)]
        # A right one has to wait there too.
        guesser.authorization = holder.authorization
        return [*answers, guesser.get()]

    answers = within_a_minute(guess)

    statuses = [response.status_code for response in answers]
    assert statuses == [401, 401, 401, 401, 429, 429]
    assert code_of(answers[-1]) == "too_many_failures"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    # Elsewhere nobody is locked out.
    assert holder.get().status_code == 200


def test_a_license_that_asks_too_often_is_slowed_down(license: License) -> None:
    def ask() -> list[Any]:
        asking = LicenseFactory(team=license.team)
        # From many addresses.
        return [LicenseClient(asking).get("/pull-secret") for _ in range(61)]

    *answered, stopped = within_a_minute(ask)

    assert {response.status_code for response in answered} == {200}
    assert stopped.status_code == 429
    assert code_of(stopped) == "too_many_requests"
    assert 1 <= int(stopped.headers["Retry-After"]) <= 60
    left = [limit_in(response) for response in (*answered, stopped)]
    assert [number for number, _ in left] == [*range(59, -1, -1), 0]
    assert all(1 <= seconds <= 60 for _, seconds in left)
    assert LicenseClient(license).get().status_code == 200


def limit_in(response: Any) -> tuple[int, int]:
    """Return how many requests are left, and for how many seconds."""
    assert response.headers["RateLimit-Policy"] == '"license";q=60;w=60'
    found = re.fullmatch(r'"license";r=(\d+);t=(\d+)', response.headers["RateLimit"])
    assert found is not None
    return int(found[1]), int(found[2])


def test_who_is_unknown_is_told_no_limit(db: None) -> None:
    response = LicenseClient(authorization=basic("license", "a" * 27)).get()

    assert response.status_code == 401
    assert "RateLimit" not in response.headers


@pytest.mark.parametrize("path", GETS)
def test_misspelt_parameters_are_told(path: str, holder: LicenseClient) -> None:
    response = holder.get(f"{path}?namespce=default")

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["namespce"]


@pytest.mark.parametrize("path", [*GETS, "/resolve-images"])
def test_nothing_can_be_changed(path: str, holder: LicenseClient, team: Team) -> None:
    before = rows_of(team)

    for method in ("put", "patch", "delete"):
        response = holder.request(method, f"/license{path}", {})
        assert response.status_code == 405

    assert rows_of(team) == before


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("", 3),  # the holder, the license and its fields
        ("/file", 4),  # and the key
        ("/pull-secret", 2),
    ],
)
def test_queries(
    path: str,
    queries: int,
    holder: LicenseClient,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    holder.get("/file")

    with django_assert_num_queries(queries):
        assert holder.get(path).status_code == 200


def test_strangers_cost_one_query_each(db: None) -> None:
    unknown = LicenseClient(authorization=basic("license", "a" * 27))
    nonsense = LicenseClient(authorization=basic("me@acme.example", "password"))

    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert unknown.get().status_code == 401
        assert nonsense.get().status_code == 401

    assert len(queries) == 2
