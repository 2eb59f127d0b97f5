from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from teams.models import Invitation, Membership, Team
from tests.support.pages.reading import text_of
from tests.support.pages.team_pages import message_of, seen, signed_in, submission
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApiTokenFactory,
    InvitationFactory,
    MembershipFactory,
)
from tests.support.rows.world import rows_of

LIST = "/t/acme/members"
INVITE = f"{LIST}/invite"
LEAVE = f"{LIST}/leave"


@pytest.fixture
def browser(owner: Membership) -> Client:
    return signed_in(owner)


@pytest.fixture
def admin(team: Team) -> Membership:
    return MembershipFactory(team=team, user__email="admin@acme.example", role="admin")


def role_of(membership: Membership) -> str:
    membership.refresh_from_db()
    return membership.role


def invite_form(email: str = "ada@acme.example", role: str = "support") -> Any:
    return {"email": email, "role": role, **submission()}


def test_list_shows_people_with_their_second_factor(
    browser: Client, member: Membership, viewer: Membership
) -> None:
    member.user.name = "Mel Member"
    member.user.save()
    Authenticator.objects.create(user=member.user, type="totp", data={})
    Authenticator.objects.create(user=viewer.user, type="recovery_codes", data={})
    MembershipFactory(user__email="theirs@rival.example")

    page = text_of(browser.get(LIST))

    assert "Mel Member member@acme.example developer yes now" in page
    assert "viewer@acme.example read-only no now" in page
    assert "owner@acme.example you owner no" in page
    assert "theirs@rival.example" not in page


@pytest.mark.parametrize("number", [1, 30])
def test_list_takes_as_many_queries_for_30_as_for_1(
    number: int,
    browser: Client,
    team: Team,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(number):
        membership = MembershipFactory(team=team)
        InvitationFactory(team=team, invited_by=membership.user)
    browser.get(LIST)

    with django_assert_num_queries(7):
        browser.get(LIST)


def test_change_role(browser: Client, member: Membership, team: Team) -> None:
    address = f"{LIST}/{member.pk}/role"

    response = browser.post(address, {"role": "support", **seen(browser, address)})

    assert response.headers["Location"] == LIST
    assert role_of(member) == "support"
    assert audited(team) == [("member:role-changed", "member@acme.example")]


def test_change_role_reports_a_concurrent_change(
    browser: Client, member: Membership, team: Team
) -> None:
    address = f"{LIST}/{member.pk}/role"
    shown = seen(browser, address)
    member.role = "sales"
    member.save()

    response = browser.post(address, {"role": "support", **shown})

    assert "Somebody else has changed this." in text_of(response)
    assert "Now: Sales: customers and licenses" in text_of(response)
    assert response.context["form"]["role"].value() == "support"
    assert role_of(member) == "sales"
    assert audited(team) == []


def test_change_role_says_what_happens_to_invitations(
    browser: Client, admin: Membership, team: Team
) -> None:
    for email in ("a@acme.example", "b@acme.example"):
        InvitationFactory(team=team, invited_by=admin.user, email=email)
    address = f"{LIST}/{admin.pk}/role"
    assert "2 open invitations that they sent will be withdrawn" in text_of(
        browser.get(address)
    )

    browser.post(address, {"role": "support", **seen(browser, address)})

    assert not Invitation.objects.exists()
    assert [tag for tag, _ in audited(team)] == [
        "member:role-changed",
        "invitation:withdrawn",
        "invitation:withdrawn",
    ]


@pytest.mark.parametrize("role", ["", "emperor"])
def test_change_role_reports_an_invalid_role(
    role: str, browser: Client, member: Membership
) -> None:
    address = f"{LIST}/{member.pk}/role"

    response = browser.post(address, {"role": role, **seen(browser, address)})

    assert message_of(response, "role").startswith("Choose ")
    assert role_of(member) == "developer"


def test_last_owner_stays_owner(browser: Client, owner: Membership, team: Team) -> None:
    address = f"{LIST}/{owner.pk}/role"

    changed = browser.post(address, {"role": "admin", **seen(browser, address)})
    left = browser.post(LEAVE)

    for response in (changed, left):
        assert response.status_code == 200
        assert "A team needs an owner." in text_of(response)
    assert role_of(owner) == "owner"
    assert audited(team) == []


def test_admin_touches_no_owner(
    admin: Membership, owner: Membership, team: Team
) -> None:
    client = signed_in(admin)
    shown = client.get(LIST).content.decode()
    assert f"{LIST}/{owner.pk}/role" not in shown
    assert f"{LIST}/{admin.pk}/role" in shown
    before = rows_of(team)

    for action in ("role", "remove"):
        address = f"{LIST}/{owner.pk}/{action}"
        assert client.get(address).status_code == 403
        assert client.post(address, {"role": "sales"}).status_code == 403
    assert rows_of(team) == before


def test_remove_says_what_stops_and_stops_it(
    browser: Client, member: Membership, team: Team
) -> None:
    token = ApiTokenFactory(team=team, kind="user", user=member.user)
    ApiTokenFactory(team=team, kind="user", user=member.user, revoked_at=timezone.now())
    InvitationFactory(team=team, invited_by=member.user)
    address = f"{LIST}/{member.pk}/remove"
    shown = text_of(browser.get(address))
    assert "1 of their own API tokens stops working immediately" in shown
    assert "1 open invitation that they sent will be withdrawn" in shown

    response = browser.post(address)

    assert response.headers["Location"] == LIST
    assert not Membership.objects.filter(pk=member.pk).exists()
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert [tag for tag, _ in audited(team)] == [
        "api-token:revoked",
        "member:removed",
        "invitation:withdrawn",
    ]
    assert "member@acme.example is no longer in the team." in text_of(browser.get(LIST))
    assert signed_in(member).get(LIST).status_code == 404


def test_remove_of_oneself_leads_to_leaving(browser: Client, owner: Membership) -> None:
    response = browser.post(f"{LIST}/{owner.pk}/remove")

    assert response.headers["Location"] == LEAVE
    assert Membership.objects.filter(pk=owner.pk).exists()


def test_leave_says_what_happens_to_invitations(admin: Membership, team: Team) -> None:
    InvitationFactory(team=team, invited_by=admin.user)
    page = text_of(signed_in(admin).get(LEAVE))

    assert "1 open invitation that you sent is withdrawn" in page


def test_leave_ends_ones_own_membership(
    owner: Membership, viewer: Membership, team: Team
) -> None:
    client = signed_in(viewer)
    assert "Leave Acme?" in text_of(client.get(LEAVE))

    response = client.post(LEAVE)

    assert response.headers["Location"] == "/"
    assert list(Membership.objects.all()) == [owner]
    assert audited(team) == [("member:removed", "viewer@acme.example")]
    assert client.get(LIST).status_code == 404


@pytest.mark.parametrize("role", ["developer", "support", "sales", "read-only"])
def test_members_without_permission_see_them_and_change_nothing(
    role: str, team: Team, owner: Membership
) -> None:
    client = signed_in(MembershipFactory(team=team, role=role))
    invitation = InvitationFactory(team=team)
    shown = client.get(LIST)
    assert shown.status_code == 200
    for action in ("/invite", "/role", "/remove", "/renew", "/withdraw"):
        assert f'{action}"' not in shown.content.decode()
    before = rows_of(team)

    for address in (
        INVITE,
        f"{LIST}/{owner.pk}/role",
        f"{LIST}/{owner.pk}/remove",
        f"/t/acme/invitations/{invitation.pk}/renew",
        f"/t/acme/invitations/{invitation.pk}/withdraw",
    ):
        assert client.get(address).status_code == 403
        form = invite_form(role="read-only")
        assert client.post(address, form).status_code == 403
    assert rows_of(team) == before


def test_outsider_finds_nothing(
    outsider: Membership, owner: Membership, team: Team
) -> None:
    client = signed_in(outsider)
    invitation = InvitationFactory(team=team)
    before = rows_of(team)

    for address in (
        LIST,
        INVITE,
        LEAVE,
        f"/t/rival/members/{owner.pk}/role",
        f"/t/rival/members/{owner.pk}/remove",
        f"/t/rival/invitations/{invitation.pk}/renew",
        f"/t/rival/invitations/{invitation.pk}/withdraw",
    ):
        assert client.get(address).status_code == 404
        assert client.post(address, invite_form()).status_code in {404, 405}
    assert rows_of(team) == before
