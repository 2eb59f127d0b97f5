from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from teams.models import ApiToken, Membership, ServiceAccount
from tests.support.clients.api import ApiClient, code_of, member_client
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApiTokenFactory,
    MembershipFactory,
    ServiceAccountFactory,
    api_token_text,
)


def test_members_are_listed_newest_first(
    owner: Membership, viewer: Membership, owner_api: ApiClient
) -> None:
    response = owner_api.get("/members")

    assert [(row["email"], row["role"]) for row in response.json()["results"]] == [
        ("viewer@acme.example", "read-only"),
        ("owner@acme.example", "owner"),
    ]


def test_change_member_role(owner_api: ApiClient, viewer: Membership) -> None:
    response = owner_api.patch(f"/members/{viewer.pk}", {"role": "support"})

    assert response.status_code == 200
    assert response.json()["role"] == "support"
    viewer.refresh_from_db()
    assert viewer.role == "support"
    assert audited(owner_api.team) == [("member:role-changed", "viewer@acme.example")]


def test_change_member_role_is_felt_by_tokens_at_once(
    owner_api: ApiClient, member: Membership, member_api: ApiClient
) -> None:
    owner_api.patch(f"/members/{member.pk}", {"role": "read-only"})

    response = member_api.post("/applications", {"name": "a", "slug": "a"})

    assert response.status_code == 403


@pytest.mark.parametrize("role", ["emperor", "", None, 1, ["owner"]])
def test_change_member_role_refuses_unknown_roles(
    role: object, owner_api: ApiClient, viewer: Membership
) -> None:
    response = owner_api.patch(f"/members/{viewer.pk}", {"role": role})

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["role"]


def test_admin_makes_no_owners_and_unmakes_none(
    owner: Membership, viewer: Membership
) -> None:
    admin = MembershipFactory(team=owner.team, role="admin")
    admin_api = member_client(admin)

    for membership, role in ((viewer, "owner"), (owner, "admin"), (admin, "owner")):
        response = admin_api.patch(f"/members/{membership.pk}", {"role": role})

        assert response.status_code == 403
        assert code_of(response) == "role_not_assignable"
    assert admin_api.delete(f"/members/{owner.pk}").status_code == 403
    assert Membership.objects.filter(role="owner").get() == owner


def test_last_owner_stays(owner: Membership, owner_api: ApiClient) -> None:
    for response in (
        owner_api.patch(f"/members/{owner.pk}", {"role": "admin"}),
        owner_api.delete(f"/members/{owner.pk}"),
    ):
        assert response.status_code == 409
        assert code_of(response) == "last_owner"
    owner.refresh_from_db()
    assert owner.role == "owner"


def test_removed_member_is_out_at_once(
    owner_api: ApiClient, member: Membership, member_api: ApiClient
) -> None:
    assert owner_api.delete(f"/members/{member.pk}").status_code == 204

    response = member_api.get("/team")

    assert response.status_code == 401
    assert code_of(response) == "api_token_unknown"
    *stopped, removed = audited(owner_api.team)
    assert removed == ("member:removed", "member@acme.example")
    assert [tag for tag, _ in stopped] == ["api-token:revoked"]


def test_viewer_may_leave_but_not_remove_others(
    owner: Membership, viewer: Membership, viewer_api: ApiClient
) -> None:
    assert viewer_api.delete(f"/members/{owner.pk}").status_code == 403
    assert viewer_api.delete(f"/members/{viewer.pk}").status_code == 204
    assert list(Membership.objects.all()) == [owner]


def test_read_only_token_does_not_make_its_user_leave(viewer: Membership) -> None:
    client = member_client(viewer, read_only=True)

    response = client.delete(f"/members/{viewer.pk}")

    assert response.status_code == 403
    assert Membership.objects.filter(pk=viewer.pk).exists()


def test_create_service_account(owner_api: ApiClient) -> None:
    response = owner_api.post("/service-accounts", {"name": "ci", "role": "developer"})

    assert response.status_code == 201
    account = ServiceAccount.objects.get()
    assert account.created_by is not None
    assert response.json() | {"created_at": None, "updated_at": None} == {
        "id": str(account.pk),
        "name": "ci",
        "role": "developer",
        "created_by_id": str(account.created_by_id),
        "created_at": None,
        "updated_at": None,
    }
    assert audited(owner_api.team) == [("service-account:created", "ci")]


def test_create_service_account_is_denied_to_a_developer(member_api: ApiClient) -> None:
    response = member_api.post("/service-accounts", {"name": "ci", "role": "read-only"})

    assert response.status_code == 403
    assert not ServiceAccount.objects.exists()


def test_change_service_account_applies_to_its_tokens(owner_api: ApiClient) -> None:
    account = ServiceAccountFactory(team=owner_api.team)
    text = api_token_text(
        team=owner_api.team, kind="service_account", service_account=account
    )
    robot = ApiClient(owner_api.team, text)
    body = {"name": "a", "slug": "a"}

    changed = owner_api.patch(f"/service-accounts/{account.pk}", {"role": "read-only"})

    assert changed.status_code == 200
    assert robot.post("/applications", body).status_code == 403


def test_delete_service_account_stops_its_tokens(owner_api: ApiClient) -> None:
    account = ServiceAccountFactory(team=owner_api.team)
    text = api_token_text(
        team=owner_api.team, kind="service_account", service_account=account
    )
    robot = ApiClient(owner_api.team, text)
    assert robot.get("/team").status_code == 200

    assert owner_api.delete(f"/service-accounts/{account.pk}").status_code == 204

    assert robot.get("/team").status_code == 401


def test_admin_does_not_touch_an_owners_service_account(owner: Membership) -> None:
    admin_api = member_client(MembershipFactory(team=owner.team, role="admin"))
    account = ServiceAccountFactory(team=owner.team, role="owner")
    path = f"/service-accounts/{account.pk}"

    for response in (
        admin_api.patch(path, {"role": "admin"}),
        admin_api.delete(path),
        admin_api.post("/service-accounts", {"name": "x", "role": "owner"}),
        admin_api.post(
            "/api-tokens",
            {
                "kind": "service_account",
                "name": "x",
                "service_account": str(account.pk),
            },
        ),
        admin_api.post("/api-tokens", {"kind": "team", "name": "x", "role": "owner"}),
    ):
        assert response.status_code == 403
        assert code_of(response) == "role_not_assignable"
    assert ServiceAccount.objects.get().role == "owner"


@pytest.mark.parametrize(
    ("body", "prefix"),
    [
        ({"kind": "user"}, "berth_user_"),
        ({"kind": "team", "role": "support"}, "berth_team_"),
    ],
)
def test_create_api_token_shows_its_text_once(
    body: dict[str, str], prefix: str, owner_api: ApiClient
) -> None:
    response = owner_api.post("/api-tokens", body | {"name": "laptop"})

    assert response.status_code == 201
    created = response.json()
    assert created["token"].startswith(prefix)
    read = owner_api.get(f"/api-tokens/{created['id']}")
    assert read.json() == {
        name: value for name, value in created.items() if name != "token"
    }
    client = ApiClient(owner_api.team, created["token"])
    assert client.get("/team").status_code == 200
    assert audited(owner_api.team) == [("api-token:created", "laptop")]


def test_created_api_token_is_never_stored(owner_api: ApiClient) -> None:
    text = owner_api.post("/api-tokens", {"kind": "user", "name": "x"}).json()["token"]

    stored = ApiToken.objects.filter(name="x").values().get()

    assert text.rpartition("_")[2] not in str(stored)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"kind": "user"}, ["name"]),
        ({"kind": "robot", "name": "x"}, ["kind"]),
        ({"kind": "team", "name": "x"}, ["role"]),
        ({"kind": "user", "name": "x", "role": "owner"}, ["body"]),
        ({"kind": "service_account", "name": "x"}, ["service_account"]),
        (
            {"kind": "user", "name": "x", "expires_at": "2020-01-01T00:00:00Z"},
            ["expires_at"],
        ),
        ({"kind": "user", "name": "x", "expires_at": "2099-01-01"}, ["expires_at"]),
        (
            {"kind": "user", "name": "x", "expires_at": "2099-01-01T00:00:00"},
            ["expires_at"],
        ),
        (
            {
                "kind": "service_account",
                "name": "x",
                "service_account": "00000000-0000-0000-0000-000000000000",
            },
            ["service_account"],
        ),
    ],
)
def test_create_api_token_reports_invalid_fields(
    body: dict[str, str], fields: list[str], owner_api: ApiClient
) -> None:
    count = ApiToken.objects.count()

    response = owner_api.post("/api-tokens", body)

    assert response.status_code == 400
    assert sorted(response.json()["errors"]) == fields
    assert ApiToken.objects.count() == count


def test_developer_makes_own_tokens_only(member_api: ApiClient) -> None:
    account = ServiceAccountFactory(team=member_api.team, role="read-only")

    own = member_api.post("/api-tokens", {"kind": "user", "name": "x"})
    robots = member_api.post(
        "/api-tokens",
        {"kind": "service_account", "name": "x", "service_account": str(account.pk)},
    )
    teams = member_api.post(
        "/api-tokens", {"kind": "team", "name": "x", "role": "read-only"}
    )

    assert [own.status_code, robots.status_code, teams.status_code] == [201, 403, 403]


def test_service_account_makes_no_user_tokens(owner_api: ApiClient) -> None:
    account = ServiceAccountFactory(team=owner_api.team, role="owner")
    text = api_token_text(
        team=owner_api.team, kind="service_account", service_account=account
    )

    response = ApiClient(owner_api.team, text).post(
        "/api-tokens", {"kind": "user", "name": "x"}
    )

    assert response.status_code == 403
    assert code_of(response) == "not_your_token"


def test_api_tokens_of_others_are_seen_by_who_manages_them_only(
    owner_api: ApiClient, member_api: ApiClient
) -> None:
    team_token = ApiTokenFactory(team=owner_api.team)

    assert len(owner_api.get("/api-tokens").json()["results"]) == 3
    assert len(member_api.get("/api-tokens").json()["results"]) == 1
    assert member_api.get(f"/api-tokens/{team_token.pk}").status_code == 404
    response = member_api.post(f"/api-tokens/{team_token.pk}/revoke")
    assert response.status_code == 404
    team_token.refresh_from_db()
    assert team_token.revoked_at is None


def test_revoke_api_token_stops_it_and_may_be_repeated(owner_api: ApiClient) -> None:
    text = api_token_text(team=owner_api.team, name="lost")
    token = ApiToken.objects.get(name="lost")
    client = ApiClient(owner_api.team, text)
    assert client.get("/team").status_code == 200

    first = owner_api.post(f"/api-tokens/{token.pk}/revoke")
    second = owner_api.post(f"/api-tokens/{token.pk}/revoke")

    assert first.status_code == second.status_code == 200
    assert first.json()["revoked_at"] == second.json()["revoked_at"]
    assert client.get("/team").status_code == 401
    assert audited(owner_api.team) == [("api-token:revoked", "lost")]


def test_read_only_token_revokes_nothing(member: Membership) -> None:
    client = member_client(member, read_only=True)
    token = ApiToken.objects.get()

    response = client.post(f"/api-tokens/{token.pk}/revoke")

    assert response.status_code == 403
    token.refresh_from_db()
    assert token.revoked_at is None


def test_read_only_token_of_an_owner_only_reads(owner: Membership) -> None:
    client = member_client(owner, read_only=True)

    assert client.get("/audit-events").status_code == 200
    response = client.post("/applications", {"name": "a", "slug": "a"})
    assert response.status_code == 403
    response = client.post("/api-tokens", {"kind": "user", "name": "x"})
    assert response.status_code == 403


@pytest.mark.parametrize(
    "text",
    [
        "",
        "berth_",
        "berth_user_abcdefghijkl_" + "a" * 43,
        "berth_team_abcdefghijkl_" + "a" * 42,
        "bérth_user",
        "x" * 10_000,
    ],
)
def test_unknown_api_tokens_must_sign_in(text: str, owner_api: ApiClient) -> None:
    response = ApiClient(owner_api.team, text).get("/team")

    assert response.status_code == 401
    assert code_of(response) == "api_token_unknown"
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_expired_api_token_is_refused(owner: Membership) -> None:
    past = timezone.now() - timedelta(seconds=1)

    assert member_client(owner, expires_at=past).get("/team").status_code == 401


def test_api_token_with_another_secret_is_refused(owner_api: ApiClient) -> None:
    assert owner_api.text is not None
    changed = owner_api.text[:-1] + ("a" if owner_api.text[-1] != "a" else "b")

    assert ApiClient(owner_api.team, changed).get("/team").status_code == 401


def test_token_of_a_deactivated_user_is_refused(
    owner: Membership, owner_api: ApiClient
) -> None:
    owner.user.is_active = False
    owner.user.save()

    assert owner_api.get("/team").status_code == 401


def test_api_token_use_is_noted_once_a_minute(owner_api: ApiClient) -> None:
    token = ApiToken.objects.get()
    owner_api.get("/team")
    token.refresh_from_db()
    noted = token.last_used_at
    assert noted is not None

    owner_api.get("/team")

    token.refresh_from_db()
    assert token.last_used_at == noted
