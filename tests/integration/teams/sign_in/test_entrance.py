from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEvent
from portal.crypto.secrets import Secret
from teams.actors import Actor, member_actor
from teams.invitations import invite, renew_invitation, withdraw_invitation
from teams.models import Invitation, Membership, Team, User
from teams.permissions import Role
from teams.services import remove_member
from tests.support.clients.api import code_of
from tests.support.pages.reading import pass_second_factor
from tests.support.rows.audit import audited
from tests.support.rows.factories import PASSWORD, MembershipFactory, UserFactory

SET_UP = {
    "team_name": "Acme",
    "team_slug": "acme",
    "email": "first@acme.example",
    "password": PASSWORD,
}


def invited(
    actor: Actor, team: Team, email: str = "ada@acme.example", role: str = "support"
) -> tuple[Invitation, str]:
    invitation, secret = invite(actor=actor, team=team, email=email, role=Role(role))
    return invitation, address(secret)


def address(secret: Secret) -> str:
    return reverse("invitation", kwargs={"secret": secret.reveal()})


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def add_second_factor(user: User, kind: str = "totp") -> None:
    Authenticator.objects.create(user=user, type=kind, data={})


def test_first_visitor_is_led_to_the_set_up(client: Client, db: None) -> None:
    response = client.get("/")

    assert response.status_code == 302
    assert response.headers["Location"] == "/set-up"
    assert client.get("/set-up").status_code == 200


def test_set_up_makes_the_owner_with_the_team(client: Client, db: None) -> None:
    response = client.post("/set-up", SET_UP)

    assert response.headers["Location"] == "/"
    assert client.get("/").headers["Location"] == "/t/acme/"
    membership = Membership.objects.get()
    assert (membership.user.email, membership.role) == ("first@acme.example", "owner")
    assert membership.user.is_superuser
    assert membership.user.check_password(PASSWORD)
    assert [tag for tag, _ in audited(membership.team)] == [
        "team:created",
        "member:added",
    ]


def test_the_teams_slug_is_made_from_its_name_if_none_is_given(
    client: Client, db: None
) -> None:
    unnamed = client.post("/set-up", SET_UP | {"team_name": "…", "team_slug": ""})
    assert list(unnamed.context["form"].errors) == ["team_slug"]
    assert not Team.objects.exists()

    client.post("/set-up", SET_UP | {"team_name": "Acmé & Sons", "team_slug": ""})

    assert Team.objects.get().slug == "acme-sons"


def test_second_visitor_is_led_to_sign_in_and_makes_nothing(
    client: Client, owner: Membership
) -> None:
    for response in (client.get("/set-up"), client.post("/set-up", SET_UP)):
        assert response.status_code == 302
        assert response.headers["Location"] == "/"
    assert client.get("/").headers["Location"] == "/accounts/login/"
    assert list(User.objects.all()) == [owner.user]
    assert list(Team.objects.all()) == [owner.team]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"team_name": ""}, "team_name"),
        ({"team_name": "a\x07b"}, "team_name"),
        ({"team_slug": "Not A Slug"}, "team_slug"),
        ({"email": "nobody"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "1234567890"}, "password"),
        ({"password": "first@acme.example"}, "password"),
    ],
)
def test_set_up_shows_errors_beside_the_field(
    change: dict[str, str], field: str, client: Client, db: None
) -> None:
    response = client.post("/set-up", SET_UP | change)

    assert response.status_code == 200
    assert list(response.context["form"].errors) == [field]
    assert f'id="id_{field}_errors"' in response.content.decode()
    assert not User.objects.exists()
    assert not Team.objects.exists()


def test_home_leads_to_the_team_seen_last(
    owner: Membership, other_team: Team, client: Client
) -> None:
    MembershipFactory(user=owner.user, team=other_team)
    client.force_login(owner.user)
    assert client.get("/").headers["Location"] == "/t/acme/"

    client.get("/t/rival/members")

    assert client.get("/").headers["Location"] == "/t/rival/"


def test_home_without_a_team_says_so(client: Client, owner: Membership) -> None:
    client.force_login(UserFactory(email="lonely@acme.example"))

    response = client.get("/", follow=True)

    assert response.status_code == 200
    assert "You are not in a team yet" in response.content.decode()


def test_home_forgets_a_team_that_was_left(
    owner: Membership, outsider: Membership, client: Client
) -> None:
    elsewhere = MembershipFactory(user=owner.user, team=outsider.team, role="support")
    client.force_login(owner.user)
    client.get("/t/rival/members")
    elsewhere.delete()

    assert client.get("/").headers["Location"] == "/t/acme/"


def test_invitation_is_accepted_with_a_new_account(
    client: Client, actor: Actor, team: Team
) -> None:
    invitation, link = invited(actor, team)
    shown = client.get(link)
    assert shown.status_code == 200
    assert shown.headers["Cache-Control"] == "no-store"
    assert "owner@acme.example invited you" in shown.content.decode()

    response = client.post(link, {"name": "Ada", "password": PASSWORD})

    assert response.headers["Location"] == "/t/acme/"
    membership = Membership.objects.get(user__email="ada@acme.example")
    assert (membership.team, membership.role) == (team, "support")
    assert membership.user.name == "Ada"
    assert not membership.user.is_staff
    assert client.get("/").headers["Location"] == "/t/acme/"
    invitation.refresh_from_db()
    assert invitation.accepted_at is not None
    assert audited(team)[-1] == ("invitation:accepted", "ada@acme.example")


def test_invitation_is_accepted_once(client: Client, actor: Actor, team: Team) -> None:
    _, link = invited(actor, team)
    client.post(link, {"name": "Ada", "password": PASSWORD})

    stranger = Client()
    assert stranger.get(link).status_code == 404
    assert stranger.post(link, {"password": PASSWORD}).status_code == 404
    assert client.get(link).headers["Location"] == "/t/acme/"
    assert Membership.objects.filter(team=team).count() == 2


@pytest.mark.parametrize("password", ["", "short", "ada@acme.example"])
def test_new_account_needs_a_good_password(
    password: str, client: Client, actor: Actor, team: Team
) -> None:
    _, link = invited(actor, team)

    response = client.post(link, {"name": "Ada", "password": password})

    assert response.status_code == 200
    assert list(response.context["form"].errors) == ["password"]
    assert not User.objects.filter(email="ada@acme.example").exists()


def test_invitation_is_accepted_with_an_account_one_has(
    actor: Actor, team: Team
) -> None:
    ada = UserFactory(email="Ada@acme.example")
    _, link = invited(actor, team, email="ada@ACME.example")
    stranger = Client().get(link)
    assert f"/accounts/login/?next={link}" in stranger.content.decode()
    # Whoever has the link alone must not set a password for the account.
    Client().post(link, {"name": "Eve", "password": PASSWORD})
    assert not Membership.objects.filter(user=ada).exists()

    client = signed_in(ada)
    assert "Join Acme" in client.get(link).content.decode()
    response = client.post(link)

    assert response.headers["Location"] == "/t/acme/"
    assert Membership.objects.get(user=ada).role == "support"
    assert User.objects.filter(email__iexact="ada@acme.example").count() == 1


def test_invitation_is_refused_to_another_account(
    actor: Actor, team: Team, outsider: Membership
) -> None:
    invitation, link = invited(actor, team)
    client = signed_in(outsider.user)

    shown = client.get(link).content.decode()
    assert 'action="/accounts/logout/"' in shown
    assert "Join Acme</button>" not in shown
    response = client.post(link)

    assert response.status_code == 403
    assert "ada@acme.example" in response.content.decode()
    assert not Membership.objects.filter(user=outsider.user, team=team).exists()
    invitation.refresh_from_db()
    assert invitation.accepted_at is None


def test_invitation_of_a_member_leads_to_the_team(actor: Actor, team: Team) -> None:
    _, link = invited(actor, team)
    member = MembershipFactory(team=team, user__email="ada@acme.example", role="sales")

    response = signed_in(member.user).post(link)

    assert response.headers["Location"] == "/t/acme/"
    member.refresh_from_db()
    assert member.role == "sales"


@pytest.mark.parametrize("end", ["expired", "renewed", "withdrawn", "never"])
def test_invitation_no_longer_valid_is_reported(
    end: str, client: Client, actor: Actor, team: Team
) -> None:
    invitation, link = invited(actor, team)
    if end == "expired":
        invitation.expires_at = timezone.now() - timedelta(seconds=1)
        invitation.save()
    elif end == "renewed":
        renew_invitation(actor=actor, invitation=invitation)
    elif end == "withdrawn":
        withdraw_invitation(actor=actor, invitation=invitation)
    else:
        link = address(Secret("never"))

    for response in (client.get(link), client.post(link, {"password": PASSWORD})):
        assert response.status_code == 404
        assert "This invitation is no longer valid" in response.content.decode()
    assert not User.objects.filter(email="ada@acme.example").exists()


def test_renewed_link_works(client: Client, actor: Actor, team: Team) -> None:
    invitation, _ = invited(actor, team)
    invitation.expires_at = timezone.now() - timedelta(days=1)
    invitation.save()

    link = address(renew_invitation(actor=actor, invitation=invitation))

    assert client.post(link, {"password": PASSWORD}).headers["Location"] == "/t/acme/"


def test_team_that_requires_a_second_factor_is_shut_until_there_is_one(
    team: Team, member: Membership
) -> None:
    team.require_second_factor = True
    team.save()
    client = signed_in(member.user)

    page = client.get("/t/acme/members")
    api = client.get("/api/v1/team")

    assert page.headers["Location"] == "/t/acme/second-factor"
    assert (
        "requires a second factor"
        in client.get("/t/acme/second-factor").content.decode()
    )
    assert api.status_code == 403
    assert code_of(api) == "second_factor_needed"
    add_second_factor(member.user, "recovery_codes")
    assert client.get("/t/acme/members").status_code == 302

    add_second_factor(member.user)
    assert client.get("/t/acme/members").status_code == 302
    pass_second_factor(client, member.user)

    assert client.get("/t/acme/members").status_code == 200
    assert client.get("/api/v1/team").status_code == 200
    assert client.get("/t/acme/second-factor").headers["Location"] == "/t/acme/"


def test_second_factor_page_is_of_ones_own_team_only(
    team: Team, outsider: Membership
) -> None:
    assert signed_in(outsider.user).get("/t/acme/second-factor").status_code == 404
    response = Client().get("/t/acme/second-factor")
    assert response.headers["Location"].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_theme_is_kept_in_a_cookie(theme: str, client: Client, db: None) -> None:
    response = client.post("/theme", {"theme": theme, "next": "/set-up?x=1"})

    assert response.headers["Location"] == "/set-up?x=1"
    assert client.cookies["berth_theme"].value == theme
    assert client.cookies["berth_theme"]["samesite"] == "Lax"
    shown = client.get("/set-up").content.decode()
    assert re.search(rf'<html [^>]*data-theme="{theme}"', shown)


@pytest.mark.parametrize("theme", ["", "pink", '"><script>'])
def test_unknown_theme_is_not_kept(theme: str, client: Client, db: None) -> None:
    client.post("/theme", {"theme": theme})

    assert "berth_theme" not in client.cookies
    client.cookies["berth_theme"] = theme
    assert 'data-theme="auto"' in client.get("/set-up").content.decode()


@pytest.mark.parametrize(
    "following",
    [
        "https://evil.example/",
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "javascript:alert(1)",
        "evil.example",
        " //evil.example",
        "//[",
        "/\t/evil.example",
        "",
    ],
)
def test_theme_leads_to_pages_of_this_site_only(
    following: str, client: Client, db: None
) -> None:
    response = client.post("/theme", {"theme": "dark", "next": following})

    assert response.status_code == 302
    assert response.headers["Location"] == "/"


def test_theme_is_chosen_by_post_only(client: Client, db: None) -> None:
    assert client.get("/theme?theme=dark").status_code == 405


@pytest.mark.parametrize("following", ["https://evil.example/", "//evil.example/"])
def test_sign_in_leads_to_pages_of_this_site_only(
    following: str, client: Client, owner: Membership
) -> None:
    owner.user.set_password(PASSWORD)
    owner.user.save()

    response: Any = client.post(
        "/accounts/login/",
        {"login": owner.user.email, "password": PASSWORD, "next": following},
    )

    assert response.headers["Location"] == "/"


def test_new_account_has_an_account_page(
    client: Client, actor: Actor, team: Team
) -> None:
    _, link = invited(actor, team)
    client.post(link, {"name": "Ada", "password": PASSWORD})

    response = client.get("/accounts/email/")

    assert response.status_code == 200
    assert "ada@acme.example" in response.content.decode()


def test_invitation_of_a_removed_admin_is_no_longer_valid(
    actor: Actor, team: Team, client: Client
) -> None:
    admin = MembershipFactory(team=team, role="admin")
    _, link = invited(member_actor(admin), team)
    remove_member(actor=actor, membership=admin)

    response = client.post(link, {"password": PASSWORD})

    assert response.status_code == 404
    assert "This invitation is no longer valid" in response.content.decode()
    assert Membership.objects.filter(team=team).count() == 1


def test_invitation_of_a_departed_sender_is_reported_invalid(
    team: Team, client: Client
) -> None:
    admin = MembershipFactory(team=team, role="admin")
    _, link = invited(member_actor(admin), team)
    admin.delete()

    response = client.post(link, {"password": PASSWORD})

    assert "This invitation is no longer valid." in response.content.decode()
    assert not User.objects.filter(email="ada@acme.example").exists()


def assert_seen(tag: str, request_id: str) -> None:
    event = AuditEvent.objects.get(tag=tag)
    assert (event.address, event.request_id) == ("127.0.0.1", request_id)


def test_set_up_is_audited_with_where_it_came_from(client: Client, db: None) -> None:
    response = client.post("/set-up", SET_UP)

    for tag in ("team:created", "member:added"):
        assert_seen(tag, response.headers["X-Request-ID"])


def test_accepting_with_a_new_account_is_audited_with_where_it_came_from(
    client: Client, actor: Actor, team: Team
) -> None:
    _, link = invited(actor, team)

    response = client.post(link, {"name": "Ada", "password": PASSWORD})

    assert_seen("invitation:accepted", response.headers["X-Request-ID"])


def test_accepting_is_audited_with_where_it_came_from(actor: Actor, team: Team) -> None:
    _, link = invited(actor, team)

    response = signed_in(UserFactory(email="ada@acme.example")).post(link)

    assert_seen("invitation:accepted", response.headers["X-Request-ID"])
