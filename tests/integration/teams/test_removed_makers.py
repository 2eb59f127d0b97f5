"""Who is removed from a team keeps nothing that they made, unless somebody says so."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.test import Client

from alerts.models import Webhook
from audit.models import AuditEvent
from licenses.models import PullCredential, TrustedIdentity
from portal.crypto.fields import EncryptedField
from portal.errors import NotAllowed
from registries.models import Credential
from teams.actors import member_actor
from teams.models import ApiToken, Invitation, Made, Membership, ServiceAccount, Team
from teams.permissions import Permission
from teams.services import remove_member
from tests.support.clients.api import ApiClient
from tests.support.pages.reading import text_of
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApiTokenFactory,
    MembershipFactory,
    ServiceAccountFactory,
    WebhookFactory,
)

LIST = "/t/acme/members"
TOKENS = "/t/acme/api-tokens/new"

# Models with a secret that nobody in the team made, and why.
MADE_BY_NOBODY = {
    "teams.IdempotencyRecord": "an answer, kept for a day for who got it already",
    "teams.Session": "is a person's own browser's",
    "teams.StoredMail": "is to the person it is about",
    "teams.Invitation": "has its sender in invited_by",
    "customers.CustomerLink": "its secret is mailed, and shown to nobody else",
    "licenses.License": "is the customer's, and its ID is Berth's choice",
    "licenses.LicenseSigningKey": "made by Berth, and shown to nobody",
    "images.ImageBlob": "its digest is of the content, and public",
    "images.ImageManifest": "its digest is of the content, and public",
}


@pytest.fixture
def admin(team: Team) -> Membership:
    return MembershipFactory(
        team=team, user__email="admin@acme.example", role="admin", user__name="Ada"
    )


def browser_of(member: Membership) -> Client:
    client = Client()
    client.force_login(member.user)
    return client


def make_in_browser(member: Membership, name: str, acts_as: str) -> ApiClient:
    """Create a token as a person does, and return its client."""
    body = {"name": name, "acts_as": acts_as, "submission": str(uuid.uuid4())}
    response = browser_of(member).post(TOKENS, body)
    return ApiClient(member.team, response.context["token_text"])


def works(api: ApiClient) -> bool:
    return bool(api.get("/team").status_code == 200)


def submit(browser: Client, address: str, **fields: Any) -> Any:
    """Submit a dialog as it was shown, with other values in ``fields``."""
    form = browser.get(address).context["form"]
    shown = {field.name: field.value() for field in form}
    return browser.post(address, {**shown, **fields})


def test_a_removed_admin_does_not_come_back_with_a_team_token(
    owner: Membership, admin: Membership
) -> None:
    team_token = make_in_browser(admin, "CI", "team:admin")
    account = ServiceAccountFactory(team=admin.team, role="admin", name="robot")
    robot = make_in_browser(admin, "robot's", f"service_account:{account.pk}")
    assert works(team_token)

    submit(browser_of(owner), f"{LIST}/{admin.pk}/remove")

    for api in (team_token, robot):
        invited = api.post("/invitations", {"email": "a@evil.example", "role": "admin"})
        assert invited.status_code == 401
    assert not Invitation.objects.exists()


def test_the_page_lists_the_tokens_with_revoking_preselected(
    owner: Membership, admin: Membership
) -> None:
    team_token = make_in_browser(admin, "CI", "team:developer")
    others = make_in_browser(owner, "Theirs", "team:developer")
    browser, address = browser_of(owner), f"{LIST}/{admin.pk}/remove"

    page = browser.get(address)

    made = ApiToken.objects.get(name="CI")
    assert made.created_by == admin.user
    assert page.context["form"]["revoke"].value() == [str(made.pk)]
    text = text_of(page)
    assert "Revoke these API tokens that they created" in text
    assert "CI (team, developer), never used" in text
    assert "Theirs" not in text
    submit(browser, address)
    assert not works(team_token)
    assert works(others)
    assert ("api-token:revoked", "CI") in audited(owner.team)


def test_a_token_that_is_deselected_keeps_working_and_names_its_maker(
    owner: Membership, admin: Membership
) -> None:
    kept = make_in_browser(admin, "Kept", "team:developer")
    stopped = make_in_browser(admin, "Stopped", "team:developer")
    browser = browser_of(owner)
    wanted = ApiToken.objects.get(name="Stopped").pk

    submit(browser, f"{LIST}/{admin.pk}/remove", revoke=[str(wanted)])

    assert works(kept)
    assert not works(stopped)
    page = text_of(browser.get("/t/acme/api-tokens"))
    assert "by Ada has left" in page


def test_a_token_made_after_the_page_was_shown_stops_too(
    owner: Membership, admin: Membership
) -> None:
    browser, address = browser_of(owner), f"{LIST}/{admin.pk}/remove"
    make_in_browser(admin, "Shown", "team:developer")
    form = browser.get(address).context["form"]
    shown = {field.name: field.value() for field in form}
    late = make_in_browser(admin, "Late", "team:admin")

    browser.post(address, shown)

    assert not works(late)


def test_a_kept_token_outlives_the_user_token_that_made_it(
    owner: Membership, admin: Membership
) -> None:
    own = make_in_browser(admin, "Laptop", "user")
    body = {"kind": "team", "name": "CI", "role": "developer"}
    made = own.post("/api-tokens", body).json()
    second = own.post("/api-tokens", body | {"name": "Other"}).json()
    assert made["created_by_id"] == str(admin.user_id)

    submit(browser_of(owner), f"{LIST}/{admin.pk}/remove", revoke=[second["id"]])

    assert not works(own)
    assert works(ApiClient(admin.team, made["token"]))
    assert not works(ApiClient(admin.team, second["token"]))


def test_the_maker_is_the_person_behind_every_token(
    owner: Membership, admin: Membership
) -> None:
    team_token = make_in_browser(admin, "CI", "team:admin")
    body = {"kind": "team", "name": "grandchild", "role": "admin"}
    grandchild = ApiClient(
        admin.team, team_token.post("/api-tokens", body).json()["token"]
    )
    grandchild.post("/service-accounts", {"name": "robot", "role": "admin"})
    grandchild.post(
        "/webhooks",
        {
            "name": "hook",
            "url": "https://hooks.example.com/x",
            "events": ["registry.rejected"],
        },
    )
    grandchild.post("/invitations", {"email": "a@evil.example", "role": "admin"})

    for model in (ServiceAccount, Webhook):
        assert model.objects.get().created_by == admin.user
    assert Invitation.objects.get().invited_by == admin.user
    submit(browser_of(owner), f"{LIST}/{admin.pk}/remove")
    assert not works(grandchild)
    assert not Invitation.objects.exists()


def test_an_invitation_of_a_revoked_token_is_no_longer_valid(
    owner: Membership, admin: Membership
) -> None:
    team_token = make_in_browser(admin, "CI", "team:admin")
    body = {"email": "guest@acme.example", "role": "sales"}
    link = team_token.post("/invitations", body).json()["link"]
    token = ApiToken.objects.get()
    revoke = f"/t/acme/api-tokens/{token.pk}/revoke"
    visitor = Client()
    new = {"name": "Guest", "password": "another good phrase"}

    browser_of(owner).post(revoke)
    response = visitor.post(link.removeprefix("http://testserver"), new)

    assert "no longer valid" in text_of(response)
    assert Membership.objects.count() == 2


def test_an_invitation_of_a_deleted_service_account_is_withdrawn(
    owner: Membership, admin: Membership
) -> None:
    account = ServiceAccountFactory(team=admin.team, role="admin", name="robot")
    robot = make_in_browser(owner, "robot's", f"service_account:{account.pk}")
    body = {"email": "guest@acme.example", "role": "admin"}
    link = robot.post("/invitations", body).json()["link"]
    new = {"name": "Guest", "password": "another good phrase"}

    browser_of(admin).post(f"/t/acme/service-accounts/{account.pk}/delete")
    response = Client().post(link.removeprefix("http://testserver"), new)

    assert "no longer valid" in text_of(response)
    assert Membership.objects.count() == 2
    assert ("invitation:withdrawn", "guest@acme.example") in audited(owner.team)


def test_deleting_a_service_account_keeps_who_joined_through_it(
    owner: Membership,
) -> None:
    account = ServiceAccountFactory(team=owner.team, role="admin", name="robot")
    robot = make_in_browser(owner, "robot's", f"service_account:{account.pk}")
    body = {"email": "guest@acme.example", "role": "sales"}
    link = robot.post("/invitations", body).json()["link"]
    new = {"name": "Guest", "password": "another good phrase"}
    Client().post(link.removeprefix("http://testserver"), new)

    deleted = browser_of(owner).post(f"/t/acme/service-accounts/{account.pk}/delete")

    assert deleted.status_code == 302
    assert Membership.objects.filter(user__email="guest@acme.example").exists()
    assert "invitation:withdrawn" not in dict(audited(owner.team))


def test_the_page_names_other_secrets_they_know(
    owner: Membership, admin: Membership
) -> None:
    WebhookFactory(team=admin.team, name="Ops", created_by=admin.user)
    page = text_of(browser_of(owner).get(f"{LIST}/{admin.pk}/remove"))

    assert (
        "They also know this secret, which stays in use. Replace it afterwards" in page
    )
    assert "webhook Ops" in page


def test_who_leaves_keeps_nothing(owner: Membership, admin: Membership) -> None:
    team_token = make_in_browser(admin, "CI", "team:admin")
    browser, address = browser_of(admin), f"{LIST}/leave"
    page = text_of(browser.get(address))
    assert (
        "This API token that you created for the team or its service accounts stops"
        in page
    )
    assert "CI (team, admin), never used" in page

    made = str(ApiToken.objects.get().pk)
    browser.post(address, {"shown": made, "kept": made})

    assert not works(team_token)
    assert not Membership.objects.filter(pk=admin.pk).exists()


def test_a_demoted_member_does_not_leave_with_a_team_token(
    owner: Membership, admin: Membership
) -> None:
    team_token = make_in_browser(admin, "CI", "team:admin")
    Membership.objects.filter(pk=admin.pk).update(role="read-only")

    browser_of(admin).post(f"{LIST}/leave", {"shown": ApiToken.objects.get().pk})

    assert not works(team_token)


def test_nobody_keeps_tokens_by_removing_themselves(
    owner: Membership, admin: Membership
) -> None:
    """Neither with their own token nor with one that they made for the team."""
    own = make_in_browser(admin, "Laptop", "user")
    made = make_in_browser(admin, "CI", "team:admin")
    kept = ApiToken.objects.get(name="CI").pk
    address = f"/members/{admin.pk}"

    for api in (own, made):
        response = api.delete(f"{address}?keep_api_tokens={kept}")
        assert response.status_code == 403
        assert response.json()["code"] == "leaver_keeps_nothing"
    assert works(made)
    assert made.delete(address).status_code == 204

    assert not works(made)


def test_who_may_not_manage_tokens_keeps_none(
    owner: Membership, admin: Membership
) -> None:
    kept = ApiTokenFactory(team=admin.team, created_by=admin.user, user=None)
    actor = member_actor(owner)
    limited = replace(
        actor, permissions=actor.permissions - {Permission.API_TOKEN_MANAGE}
    )

    with pytest.raises(NotAllowed):
        remove_member(actor=limited, membership=admin, kept=[kept.pk])


def test_the_audit_log_names_what_stopped_and_what_was_kept(
    owner: Membership, admin: Membership
) -> None:
    make_in_browser(admin, "Kept", "team:developer")
    own = make_in_browser(admin, "Laptop", "user")
    own.post("/api-tokens", {"kind": "team", "name": "CI", "role": "developer"})
    ids = {token.name: str(token.pk) for token in ApiToken.objects.all()}

    submit(browser_of(owner), f"{LIST}/{admin.pk}/remove", revoke=[ids["CI"]])

    data = AuditEvent.objects.get(tag="member:removed").data
    assert data["kept"] == [{"id": ids["Kept"], "name": "Kept"}]
    revoked = sorted(data["revoked"], key=lambda token: token["name"])
    assert revoked == [{"id": ids[name], "name": name} for name in ("CI", "Laptop")]


def test_the_api_revokes_them_unless_told_to_keep_some(
    owner_api: ApiClient, admin: Membership
) -> None:
    kept = make_in_browser(admin, "Kept", "team:developer")
    stopped = make_in_browser(admin, "Stopped", "team:developer")
    found = owner_api.get(f"/api-tokens?created_by={admin.user_id}").json()["results"]
    assert {row["name"] for row in found} == {"Kept", "Stopped"}
    ids = {row["name"]: row["id"] for row in found}

    response = owner_api.delete(f"/members/{admin.pk}?keep_api_tokens={ids['Kept']}")

    assert response.status_code == 204
    assert works(kept)
    assert not works(stopped)


@pytest.mark.parametrize("query", ["keep_api_tokens=x", "keep_api_tokens={}", "keep=1"])
def test_the_api_refuses_what_it_cannot_keep(
    query: str, owner_api: ApiClient, admin: Membership
) -> None:
    theirs = ApiTokenFactory(team=admin.team)

    response = owner_api.delete(f"/members/{admin.pk}?{query.format(theirs.pk)}")

    assert response.status_code == 400
    assert Membership.objects.filter(pk=admin.pk).exists()
    theirs.refresh_from_db()
    assert theirs.revoked_at is None


def has_secret(model: type[models.Model]) -> bool:
    fields = model._meta.get_fields()
    return any(
        isinstance(field, EncryptedField) or field.name == "digest" for field in fields
    )


def test_every_credential_knows_its_maker() -> None:
    unknown = {
        model._meta.label
        for model in apps.get_models()
        if has_secret(model) and not issubclass(model, Made)
    }

    assert unknown == set(MADE_BY_NOBODY)
    secrets = {ApiToken, ServiceAccount, Webhook, Credential, PullCredential}
    # Lets in whom its maker chose, without a secret.
    assert secrets | {TrustedIdentity} == {
        model for model in apps.get_models() if issubclass(model, Made)
    }
