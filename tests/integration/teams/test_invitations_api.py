from __future__ import annotations

from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.test import Client

from teams.models import IdempotencyRecord, Invitation, Membership, Team
from tests.support.clients.api import ApiClient, code_of, member_client
from tests.support.rows.audit import audited
from tests.support.rows.factories import InvitationFactory, MembershipFactory
from tests.support.rows.world import rows_of

BODY = {"email": "ada@acme.example", "role": "support"}
KEYED = {"Idempotency-Key": "k"}


def path_of(link: str) -> str:
    assert link.startswith("http://testserver/invitations/")
    return link.removeprefix("http://testserver")


def test_create_mails_the_link_and_returns_it_once(
    owner_api: ApiClient,
    owner: Membership,
    mailoutbox: list[EmailMessage],
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = owner_api.post("/invitations", BODY)
        # Not before the invitation is stored for good.
        assert mailoutbox == []

    assert response.status_code == 201
    created = response.json()
    link = created.pop("link")
    invitation = Invitation.objects.get()
    assert created == {
        "id": str(invitation.pk),
        "email": "ada@acme.example",
        "role": "support",
        "invited_by_id": str(owner.user_id),
        "expires_at": invitation.expires_at.isoformat().replace("+00:00", "Z"),
        "created_at": invitation.created_at.isoformat().replace("+00:00", "Z"),
        "updated_at": invitation.updated_at.isoformat().replace("+00:00", "Z"),
    }
    assert owner_api.get(f"/invitations/{invitation.pk}").json() == created
    assert owner_api.get("/invitations").json()["results"] == [created]
    assert link in str(mailoutbox[0].body)
    assert Client().get(path_of(link)).status_code == 200
    assert audited(owner_api.team) == [("invitation:sent", "ada@acme.example")]


def test_create_with_a_key_is_done_once(
    owner_api: ApiClient,
    mailoutbox: list[EmailMessage],
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        first = owner_api.post("/invitations", BODY, headers=KEYED)
        second = owner_api.post("/invitations", BODY, headers=KEYED)

    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Invitation.objects.count() == 1
    assert len(mailoutbox) == 1
    stored = str(list(IdempotencyRecord.objects.values()))
    assert first.json()["link"].rpartition("/")[2] not in stored


def test_create_answers_without_a_mail_server(
    owner_api: ApiClient, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    with django_capture_on_commit_callbacks(execute=True):
        response = owner_api.post("/invitations", BODY)

    assert response.status_code == 201
    assert Client().get(path_of(response.json()["link"])).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": ""}, "email"),
        ({"email": "ada"}, "email"),
        ({"email": None}, "email"),
        ({"role": "emperor"}, "role"),
        ({"role": None}, "role"),
        ({"link": "http://evil.example"}, "link"),
    ],
)
def test_create_reports_the_invalid_field(
    change: dict[str, object], field: str, owner_api: ApiClient, owner: Membership
) -> None:
    response = owner_api.post("/invitations", BODY | change)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    assert not Invitation.objects.exists()
    assert audited(owner.team) == []


@pytest.mark.parametrize(
    ("email", "code"),
    [
        ("OWNER@acme.example", "already_member"),
        ("Invited@acme.example", "already_invited"),
    ],
)
def test_create_names_the_member_or_invitation_there_is(
    email: str, code: str, owner_api: ApiClient, owner: Membership
) -> None:
    other = InvitationFactory(team=owner.team, email="invited@acme.example")
    existing = {"already_member": owner.pk, "already_invited": other.pk}

    response = owner_api.post("/invitations", BODY | {"email": email})

    assert response.status_code == 409
    assert code_of(response) == code
    assert list(response.json()["errors"]) == ["email"]
    assert response.json()["existing"] == str(existing[code])
    assert Invitation.objects.get() == other
    assert audited(owner.team) == []


def test_renew_gives_a_new_link(
    owner_api: ApiClient,
    mailoutbox: list[EmailMessage],
    django_capture_on_commit_callbacks: Any,
) -> None:
    created = owner_api.post("/invitations", BODY).json()

    with django_capture_on_commit_callbacks(execute=True):
        response = owner_api.post(f"/invitations/{created['id']}/renew")

    assert response.status_code == 200
    renewed = response.json()
    assert renewed["expires_at"] > created["expires_at"]
    assert Client().get(path_of(created["link"])).status_code == 404
    assert Client().get(path_of(renewed["link"])).status_code == 200
    assert renewed["link"] in str(mailoutbox[0].body)
    assert audited(owner_api.team)[1:] == [("invitation:renewed", "ada@acme.example")]


def test_withdraw(owner_api: ApiClient) -> None:
    created = owner_api.post("/invitations", BODY).json()
    path = f"/invitations/{created['id']}"

    assert owner_api.delete(path).status_code == 204
    assert owner_api.delete(path).status_code == 404

    assert Client().get(path_of(created["link"])).status_code == 404
    assert audited(owner_api.team)[1:] == [("invitation:withdrawn", "ada@acme.example")]


@pytest.mark.parametrize("role", ["developer", "support", "sales", "read-only"])
def test_who_manages_no_members_reads_only(role: str, team: Team) -> None:
    invitation = InvitationFactory(team=team)
    client = member_client(MembershipFactory(team=team, role=role))
    path = f"/invitations/{invitation.pk}"
    before = rows_of(team)

    assert len(client.get("/invitations").json()["results"]) == 1
    assert client.get(path).status_code == 200
    body = BODY | {"role": "read-only"}
    assert client.post("/invitations", body).status_code == 403
    assert client.post(f"{path}/renew").status_code == 403
    assert client.delete(path).status_code == 403
    # Reading with a token notes its use.
    after = rows_of(team)
    assert after.pop("teams.ApiToken") != before.pop("teams.ApiToken")
    assert after == before


def test_admin_touches_no_invitation_of_an_owner(team: Team) -> None:
    invitation = InvitationFactory(team=team, role="owner")
    client = member_client(MembershipFactory(team=team, role="admin"))

    for response in (
        client.post("/invitations", BODY | {"role": "owner"}),
        client.post(f"/invitations/{invitation.pk}/renew"),
        client.delete(f"/invitations/{invitation.pk}"),
    ):
        assert response.status_code == 403
        assert code_of(response) == "role_not_assignable"
    assert Invitation.objects.get() == invitation


def test_team_is_changed(owner_api: ApiClient, team: Team) -> None:
    body = {
        "name": "Acme Inc.",
        "time_zone": "Europe/Berlin",
        "require_second_factor": True,
    }

    response = owner_api.patch("/team", body)

    assert response.status_code == 200
    assert {name: response.json()[name] for name in body} == body
    # The requirement also applies to the person who set it.
    assert owner_api.get("/team").status_code == 401
    team.refresh_from_db()
    assert team.time_zone == "Europe/Berlin"
    assert audited(team) == [("team:changed", "Acme Inc.")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\x01b"}, "name"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": None}, "time_zone"),
        ({"require_second_factor": "perhaps"}, "require_second_factor"),
        ({"slug": "other"}, "slug"),
    ],
)
def test_team_change_reports_the_invalid_field(
    body: dict[str, object], field: str, owner_api: ApiClient, team: Team
) -> None:
    response = owner_api.patch("/team", body)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]
    team.refresh_from_db()
    assert (team.name, team.time_zone) == ("Acme", "UTC")
    assert audited(team) == []


def test_team_is_changed_by_who_manages_it_only(
    member_api: ApiClient, support_api: ApiClient, viewer_api: ApiClient, team: Team
) -> None:
    for client in (member_api, support_api, viewer_api):
        assert client.patch("/team", {"name": "Mine"}).status_code == 403
    team.refresh_from_db()
    assert team.name == "Acme"


def test_api_tokens_are_filtered(owner_api: ApiClient, team: Team) -> None:
    made = owner_api.post(
        "/api-tokens", {"kind": "team", "name": "x", "role": "sales"}
    ).json()
    owner_api.post(f"/api-tokens/{made['id']}/revoke")

    def names(query: str) -> list[str]:
        results = owner_api.get(f"/api-tokens?{query}").json()["results"]
        return [row["kind"] for row in results]

    assert names("state=stopped") == ["team"]
    assert names("state=active") == ["user"]
    assert names("kind=team&state=active") == []
    assert owner_api.get("/api-tokens?state=lost").status_code == 400
