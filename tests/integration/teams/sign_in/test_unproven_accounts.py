"""An account that an inviter may have opened is its address's owner's in the end."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from django.core.mail import EmailMessage
from django.test import Client

from teams.models import Membership, Team, User
from tests.integration.teams.sign_in.sign_on import GUEST, sign_on
from tests.support.clients.api import ApiClient, member_client
from tests.support.pages.reading import (
    is_signed_in,
    links_in,
    new_browser,
    sign_in,
    text_of,
)
from tests.support.rows.audit import audited
from tests.support.rows.factories import MembershipFactory
from tests.support.servers.identity_provider import IdentityProvider

VICTIM = "guest@acme.example"
CHOSEN = "the attacker knows it"
NEW = {"password1": "another good phrase", "password2": "another good phrase"}


@pytest.fixture
def attacker(team: Team) -> Membership:
    return MembershipFactory(team=team, user__email="admin@acme.example", role="admin")


@pytest.fixture
def other_owner() -> Membership:
    return MembershipFactory(team__slug="rival", user__email="owner@rival.example")


def invite(inviter: Membership, role: str = "admin") -> str:
    """Invite the victim in the browser; return the link that the inviter sees."""
    browser = new_browser()
    browser.force_login(inviter.user)
    form = {"email": VICTIM, "role": role, "submission": str(uuid.uuid4())}
    page = browser.post(f"/t/{inviter.team.slug}/members/invite", form)
    match = re.search(r"http://testserver(/invitations/[\w-]{43})", text_of(page))
    assert match
    return match[1]


def open_account(link: str) -> Client:
    """Join with a new account, whose password the attacker chooses."""
    browser = new_browser()
    browser.post(link, {"name": "Guest", "password": CHOSEN})
    assert is_signed_in(browser)
    return browser


def choose_password(mailoutbox: list[EmailMessage], **fields: str) -> Any:
    """Choose a new password with a mailed link."""
    browser = new_browser()
    browser.post("/accounts/password/reset/", {"email": VICTIM})
    (link,) = links_in(str(mailoutbox[-1].body))
    address = browser.get(link).headers["Location"]
    return browser.post(address, {**NEW, **fields}, follow=True)


def victim() -> User:
    return User.objects.get(email=VICTIM)


def add_second_factor(user: User) -> None:
    TOTP.activate(user, generate_totp_secret())


@pytest.mark.parametrize("has_factor", [False, True])
def test_an_inviter_who_opened_the_account_is_locked_out_by_single_sign_on(
    has_factor: bool,
    attacker: Membership,
    other_owner: Membership,
    provider: IdentityProvider,
    mailoutbox: list[EmailMessage],
) -> None:
    thief = open_account(invite(attacker))
    mine = Membership.objects.get(user=victim())
    token = member_client(mine)
    team_token = thief.post(
        "/t/acme/api-tokens/new",
        {"name": "CI", "acts_as": "team:admin", "submission": str(uuid.uuid4())},
    ).context["token_text"]
    if has_factor:
        add_second_factor(victim())
    invited = invite(other_owner)
    provider.person = dict(GUEST)
    browser = new_browser()

    sign_on(browser)
    browser.post(invited)

    assert browser.get("/t/rival/").status_code == 200
    sign_in(again := new_browser(), victim(), CHOSEN)
    assert not is_signed_in(again)
    assert thief.get("/t/rival/").status_code == 302
    assert token.get("/team").status_code == 401
    assert ApiClient(mine.team, team_token).get("/team").status_code == 401
    assert not Authenticator.objects.exists()
    assert ("account:claimed", VICTIM) in audited(mine.team)
    assert "Berth: Your account is now yours alone" in [
        mail.subject for mail in mailoutbox if mail.to == [VICTIM]
    ]


def test_their_own_sign_on_that_they_connected_is_removed(
    attacker: Membership, provider: IdentityProvider
) -> None:
    thief = open_account(invite(attacker))
    provider.person = {"sub": "66", "email": "evil@x.example", "email_verified": True}
    sign_on(thief, "?process=connect")
    thief.post("/accounts/reauthenticate/", {"password": CHOSEN})
    assert SocialAccount.objects.get().user == victim()
    assert not victim().is_address_proven
    provider.person = dict(GUEST)

    sign_on(new_browser())

    assert SocialAccount.objects.get().uid == GUEST["sub"]


def test_a_mailed_link_proves_the_address_and_the_password_stays(
    attacker: Membership, provider: IdentityProvider, mailoutbox: list[EmailMessage]
) -> None:
    shown = invite(attacker)
    (mailed,) = links_in(str(mailoutbox[-1].body))
    assert mailed.startswith(f"{shown}?")
    open_account(mailed)
    add_second_factor(victim())
    provider.person = dict(GUEST)

    sign_on(new_browser())

    user = victim()
    assert user.is_address_proven
    assert user.check_password(CHOSEN)
    assert Authenticator.objects.filter(user=user).exists()


@pytest.mark.parametrize("of", ["nothing", "another"])
def test_what_a_link_needs_for_that_cannot_be_made_up(
    of: str, attacker: Membership, mailoutbox: list[EmailMessage]
) -> None:
    shown = invite(attacker)
    proof = "1:" + "0" * 64
    if of == "another":
        api = member_client(attacker)
        body = {"email": "admin2@acme.example", "role": "sales"}
        assert api.post("/invitations", body).status_code == 201
        invite(MembershipFactory(user__email="third@example.com"))
        proof = links_in(str(mailoutbox[-1].body))[0].partition("?mailed=")[2]

    open_account(f"{shown}?mailed={proof}")

    assert not victim().is_address_proven


def test_an_unproven_account_joins_no_other_team_until_its_address_is_proven(
    attacker: Membership, other_owner: Membership, mailoutbox: list[EmailMessage]
) -> None:
    thief = open_account(invite(attacker))
    link = invite(other_owner)

    page = text_of(thief.get(link))
    refused = thief.post(link)

    assert "Choose a new password with a link that we send you" in page
    assert refused.status_code == 403
    assert not Membership.objects.filter(user=victim(), team=other_owner.team).exists()
    choose_password(mailoutbox)
    browser = new_browser()
    sign_in(browser, victim(), NEW["password1"])
    browser.post(link)
    assert browser.get("/t/rival/").status_code == 200
    assert thief.get("/t/rival/").status_code == 302


def test_a_new_password_removes_how_else_a_stranger_signs_in(
    attacker: Membership, mailoutbox: list[EmailMessage]
) -> None:
    open_account(invite(attacker))
    user = victim()
    add_second_factor(user)
    SocialAccount.objects.create(user=user, provider="sso", uid="66")

    choose_password(mailoutbox)

    assert victim().is_address_proven
    assert not Authenticator.objects.exists()
    assert not SocialAccount.objects.exists()
    assert mailoutbox[-2].subject == "Berth: Your account is now yours alone"
    assert victim().check_password(NEW["password1"])
    # Only once: from now on, a second factor survives a new password.
    add_second_factor(user)
    choose_password(mailoutbox)
    assert Authenticator.objects.filter(user=user).exists()


def test_an_unproven_account_cannot_take_an_address_without_its_mail(
    attacker: Membership,
) -> None:
    thief = open_account(invite(attacker))
    thief.post("/accounts/reauthenticate/", {"password": CHOSEN})
    thief.post("/accounts/email/", {"email": "ceo@acme.example", "action_add": ""})
    pending = EmailAddress.objects.get(email="ceo@acme.example")

    thief.post("/accounts/email/", {"email": pending.email, "action_primary": ""})

    assert victim().email == VICTIM
    assert not victim().is_address_proven


def test_the_list_of_members_names_accounts_whose_address_is_not_proven(
    owner: Membership, attacker: Membership
) -> None:
    open_account(invite(attacker, "sales"))
    browser = new_browser()
    browser.force_login(owner.user)

    page = text_of(browser.get("/t/acme/members"))

    assert page.count("address not proven") == 1


def wish_for(browser: Client, email: str, mailoutbox: list[EmailMessage]) -> str:
    """Ask to change to an address; return the link that is mailed there."""
    browser.post("/accounts/reauthenticate/", {"password": CHOSEN})
    browser.post("/accounts/email/", {"email": email, "action_add": ""})
    assert mailoutbox[-1].to == [email]
    (link,) = links_in(str(mailoutbox[-1].body))
    return link


@pytest.mark.parametrize("way", ["single sign-on", "reset"])
def test_an_address_that_the_inviter_wished_for_is_forgotten(
    way: str,
    attacker: Membership,
    provider: IdentityProvider,
    mailoutbox: list[EmailMessage],
) -> None:
    thief = open_account(invite(attacker))
    link = wish_for(thief, "evil@x.example", mailoutbox)
    provider.person = dict(GUEST)

    if way == "reset":
        choose_password(mailoutbox)
    else:
        sign_on(new_browser())
    new_browser().post(link)

    assert User.objects.filter(email=VICTIM).exists()


def test_the_page_of_a_removal_names_accounts_that_they_could_have_opened(
    owner: Membership, attacker: Membership
) -> None:
    open_account(invite(attacker, "sales"))
    browser = new_browser()
    browser.force_login(owner.user)
    address = f"/t/acme/members/{attacker.pk}/remove"
    text = f"opened with a link that they saw: {VICTIM}"

    assert text in text_of(browser.get(address))
    User.objects.update(is_address_proven=True)
    assert text not in text_of(browser.get(address))
