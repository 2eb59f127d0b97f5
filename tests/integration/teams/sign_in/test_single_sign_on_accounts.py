from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from teams.actors import member_actor
from teams.invitations import invite
from teams.models import Invitation, Membership, Team, User
from teams.permissions import Role
from tests.integration.teams.sign_in.sign_on import (
    GUEST,
    OWNER,
    sign_on,
)
from tests.support.pages.reading import (
    give_password,
    is_signed_in,
    new_browser,
    sign_in,
    text_of,
)
from tests.support.rows.audit import audited
from tests.support.rows.factories import PASSWORD, UserFactory
from tests.support.servers.identity_provider import (
    IdentityProvider,
)


@pytest.fixture
def browser() -> Client:
    return new_browser()


def test_an_invited_person_gets_an_account_and_joins(
    invitation: Invitation, team: Team, browser: Client, provider: IdentityProvider
) -> None:
    provider.person = {**GUEST, "name": "Gerda Guest"}

    response = sign_on(browser)

    assert response.headers["Location"] == "/"
    guest = User.objects.get(email="guest@acme.example")
    assert guest.name == "Gerda Guest"
    assert not guest.has_usable_password()
    assert Membership.objects.get(user=guest, team=team).role == "support"
    assert browser.get("/t/acme/").status_code == 200
    assert audited(team)[-1] == ("invitation:accepted", "guest@acme.example")
    address = EmailAddress.objects.get(user=guest)
    assert (address.email, address.verified) == ("guest@acme.example", True)


def test_joining_is_audited_with_where_it_came_from(
    invitation: Invitation, browser: Client, provider: IdentityProvider
) -> None:
    provider.person = dict(GUEST)

    response = sign_on(browser)

    event = AuditEvent.objects.get(tag="invitation:accepted")
    assert (event.address, event.request_id) == (
        browser.defaults["REMOTE_ADDR"],
        response.headers["X-Request-ID"],
    )


@pytest.mark.parametrize("other", [True, False])
def test_an_invitation_whose_sender_is_gone_opens_no_team(
    other: bool,
    outsider: Membership,
    invitation: Invitation,
    team: Team,
    browser: Client,
    provider: IdentityProvider,
) -> None:
    Membership.objects.filter(user=invitation.invited_by).update(role="support")
    if other:
        sender = member_actor(outsider)
        email = invitation.email
        invite(actor=sender, team=outsider.team, email=email, role=Role.SALES)
    provider.person = dict(GUEST)

    sign_on(browser)

    assert not Membership.objects.filter(user__email=GUEST["email"], team=team).exists()
    assert User.objects.filter(email=GUEST["email"]).exists() == other


def test_an_invited_person_joins_all_teams_that_asked(
    invitation: Invitation,
    outsider: Membership,
    browser: Client,
    provider: IdentityProvider,
) -> None:
    invite(
        actor=member_actor(outsider),
        team=outsider.team,
        email="GUEST@acme.example",
        role=Role.READ_ONLY,
    )
    provider.person = dict(GUEST)

    sign_on(browser)

    joined = Membership.objects.filter(user__email="guest@acme.example")
    assert {(row.team.slug, row.role) for row in joined} == {
        ("acme", "support"),
        ("rival", "read-only"),
    }


@pytest.mark.parametrize(
    "name",
    ["", "a\x00b", None, 5, "x" * 400],
    ids=["empty", "unprintable", "missing", "no-text", "too-long"],
)
def test_a_strange_name_is_no_error(
    name: object, invitation: Invitation, browser: Client, provider: IdentityProvider
) -> None:
    provider.person = {**GUEST, "name": name}

    assert sign_on(browser).status_code == 302

    stored = User.objects.get(email="guest@acme.example").name
    assert stored == ("x" * 150 if name == "x" * 400 else "")


def test_connecting_asks_who_it_is_and_disconnecting_ends_it(
    owner: Membership, browser: Client, provider: IdentityProvider
) -> None:
    give_password(owner.user)
    provider.person = {**OWNER, "email": "private@example.com"}
    sign_in(browser, owner.user)

    asked = sign_on(browser, "?process=connect")
    assert asked.headers["Location"] == "/accounts/reauthenticate/"
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})

    page = browser.get("/accounts/3rdparty/")
    assert "Acme Identity private@example.com" in text_of(page)
    account = SocialAccount.objects.get()
    assert account.user == owner.user
    browser.post("/accounts/3rdparty/", {"account": account.pk})
    assert not SocialAccount.objects.exists()
    assert [tag for tag, _ in audited(owner.team)] == [
        "account:single-sign-on-connected",
        "account:single-sign-on-disconnected",
    ]


def test_the_only_way_in_is_not_disconnected(
    owner: Membership, browser: Client, provider: IdentityProvider
) -> None:
    sign_on(browser)
    account = SocialAccount.objects.get()

    response = browser.post("/accounts/3rdparty/", {"account": account.pk})

    assert "Set a password first" in text_of(response)
    assert SocialAccount.objects.exists()


def test_connecting_does_not_take_another_accounts_sign_in(
    owner: Membership, browser: Client, provider: IdentityProvider
) -> None:
    sign_on(new_browser())
    other = give_password(UserFactory(email="other@acme.example"))
    sign_in(browser, other)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})

    response = browser.get(sign_on(browser, "?process=connect").headers["Location"])

    assert "That sign-in is connected to another account" in text_of(response)
    assert SocialAccount.objects.get().user == owner.user


@pytest.mark.parametrize("case", ["none", "expired", "accepted", "withdrawn"])
def test_a_stranger_is_asked_to_request_an_invitation(
    case: str,
    invitation: Invitation,
    browser: Client,
    provider: IdentityProvider,
) -> None:
    provider.person = dict(GUEST)
    if case == "none":
        provider.person["email"] = "stranger@example.com"
    elif case == "expired":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif case == "accepted":
        Invitation.objects.update(accepted_at=timezone.now())
    else:
        invitation.delete()

    response = sign_on(browser)

    assert "You need an invitation" in text_of(response)
    assert not is_signed_in(browser)
    assert User.objects.count() == 1
    assert Membership.objects.count() == 1


def test_the_address_of_an_account_cannot_be_chosen(
    invitation: Invitation, browser: Client, provider: IdentityProvider
) -> None:
    response = browser.post(
        "/accounts/3rdparty/signup/", {"email": "guest@acme.example"}
    )

    assert response.headers["Location"] == "/accounts/login/"
    assert User.objects.count() == 1
