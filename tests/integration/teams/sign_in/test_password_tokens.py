"""A new password offers to revoke the API tokens made under the old one."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.test import Client

from teams.models import Membership, Team, User
from tests.support.clients.api import ApiClient
from tests.support.pages.reading import (
    give_password,
    links_in,
    new_browser,
    sign_in,
    text_of,
)
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    PASSWORD,
    MembershipFactory,
    ServiceAccountFactory,
    api_token_text,
)

CHANGE = "/accounts/password/change/"
NEW = {"password1": "another good phrase", "password2": "another good phrase"}


@pytest.fixture
def user(member: Membership) -> User:
    return give_password(member.user)


@pytest.fixture
def browser(user: User) -> Client:
    browser = new_browser()
    sign_in(browser, user)
    return browser


def token_of(membership: Membership, name: str) -> ApiClient:
    text = api_token_text(
        team=membership.team, kind="user", user=membership.user, name=name
    )
    return ApiClient(membership.team, text)


def works(api: ApiClient) -> bool:
    return bool(api.get("/team").status_code == 200)


def change(browser: Client, **fields: str) -> Any:
    return browser.post(CHANGE, {"oldpassword": PASSWORD, **NEW, **fields}, follow=True)


def test_a_password_change_revokes_them_in_all_teams_if_asked(
    browser: Client, member: Membership, team: Team, mailoutbox: list[EmailMessage]
) -> None:
    laptop = token_of(member, "Laptop")
    second = MembershipFactory(user=member.user)
    other = token_of(second, "Other team")
    made = laptop.post("/api-tokens", {"kind": "user", "name": "made with Laptop"})
    page = text_of(browser.get(CHANGE))
    assert "Revoke my 3 API tokens" in page
    assert "Laptop, Other team and made with Laptop" in page

    response = change(browser, revoke_api_tokens="on")

    assert "Your 3 API tokens are revoked." in text_of(response)
    assert not works(laptop)
    assert not works(other)
    assert not works(ApiClient(team, made.json()["token"]))
    revoked = [row for row in audited(team) if row[0] == "api-token:revoked"]
    assert sorted(revoked) == [
        ("api-token:revoked", "Laptop"),
        ("api-token:revoked", "made with Laptop"),
    ]
    assert audited(second.team) == [
        ("api-token:revoked", "Other team"),
        ("account:password-changed", member.user.email),
    ]
    assert "still work" not in str(mailoutbox[-1].body)


def test_a_password_change_says_that_they_keep_working(
    browser: Client, member: Membership, mailoutbox: list[EmailMessage]
) -> None:
    laptop = token_of(member, "Laptop")
    form = browser.get(CHANGE).context["form"]
    assert not form["revoke_api_tokens"].value()

    response = change(browser)

    assert "Your API token keeps working." in text_of(response)
    assert works(laptop)
    assert "Your API token still works." in str(mailoutbox[-1].body)


def test_without_tokens_there_is_nothing_to_ask(
    browser: Client, owner: Membership, team: Team
) -> None:
    theirs = token_of(owner, "Theirs")
    shared = ApiClient(team, api_token_text(team=team))
    assert "API token" not in text_of(browser.get(CHANGE)).split("New password")[1]

    change(browser, revoke_api_tokens="on")

    assert works(theirs)
    assert works(shared)


def test_a_refused_change_revokes_nothing(browser: Client, member: Membership) -> None:
    laptop = token_of(member, "Laptop")

    change(browser, revoke_api_tokens="on", oldpassword="wrong")

    assert works(laptop)


def made_for_others(browser: Client, membership: Membership) -> list[ApiClient]:
    """Create tokens of the team and of a service account in the browser."""
    account = ServiceAccountFactory(team=membership.team, role="admin", name="robot")
    clients = []
    for acts_as in ("team:admin", f"service_account:{account.pk}"):
        body = {"name": acts_as[:4], "acts_as": acts_as, "submission": uuid.uuid4()}
        page = browser.post(f"/t/{membership.team.slug}/api-tokens/new", body)
        clients.append(ApiClient(membership.team, page.context["token_text"]))
    return clients


@pytest.fixture
def made(browser: Client, member: Membership) -> list[ApiClient]:
    Membership.objects.filter(pk=member.pk).update(role="admin")
    return made_for_others(browser, member)


@pytest.mark.parametrize("revokes", [True, False])
def test_a_password_change_offers_the_tokens_that_they_made_for_others(
    revokes: bool,
    browser: Client,
    made: list[ApiClient],
    team: Team,
    mailoutbox: list[EmailMessage],
) -> None:
    page = text_of(browser.get(CHANGE))
    what = "2 API tokens that {} created for teams and service accounts"
    assert f"Revoke the {what.format('I')}" in page
    assert "serv (Acme, admin) and team (Acme, admin)." in page

    chosen = {"revoke_made_api_tokens": "on"} if revokes else {}
    done = change(browser, **chosen)

    assert [works(api) for api in made] == [not revokes] * 2
    verb = "are revoked" if revokes else "keep working"
    assert f"The {what.format('you')} {verb}." in text_of(done)
    body = " ".join(str(mailoutbox[-1].body).split())
    assert (f"The {what.format('you')} still work." in body) is not revokes
    assert (("api-token:revoked", "team") in audited(team)) is revokes


def test_a_first_password_offers_them_too(
    browser: Client, made: list[ApiClient], user: User, mailoutbox: list[EmailMessage]
) -> None:
    user.set_unusable_password()
    user.save()
    browser.force_login(user)
    assert "(Acme, admin)" in text_of(browser.get("/accounts/password/set/"))

    fields = {**NEW, "revoke_made_api_tokens": "on"}
    browser.post("/accounts/password/set/", fields)

    user.refresh_from_db()
    assert user.check_password(NEW["password1"])
    assert [works(api) for api in made] == [False, False]


def test_a_reset_revokes_them_unless_deselected(
    browser: Client, made: list[ApiClient], user: User, mailoutbox: list[EmailMessage]
) -> None:
    stranger = new_browser()
    stranger.post("/accounts/password/reset/", {"email": user.email})
    (link,) = links_in(str(mailoutbox[-1].body))
    address = stranger.get(link).headers["Location"]
    page = stranger.get(address)
    assert page.context["form"]["revoke_made_api_tokens"].value()
    assert "(Acme, admin)" not in text_of(page)

    stranger.post(address, {**NEW, "revoke_made_api_tokens": "on"})

    assert [works(api) for api in made] == [False, False]


def test_tokens_in_teams_that_they_left_are_not_theirs_to_revoke(
    browser: Client, made: list[ApiClient], member: Membership
) -> None:
    other = MembershipFactory(user=member.user)
    (kept, _) = made_for_others(browser, other)
    Membership.objects.filter(pk=other.pk).delete()

    change(browser, revoke_made_api_tokens="on")

    assert works(kept)
    assert [works(api) for api in made] == [False, False]


@pytest.mark.parametrize("revokes", [True, False])
def test_a_reset_offers_it_preselected(
    revokes: bool, member: Membership, user: User, mailoutbox: list[EmailMessage]
) -> None:
    laptop = token_of(member, "Laptop")
    stranger = new_browser()
    stranger.post("/accounts/password/reset/", {"email": user.email})
    (link,) = links_in(str(mailoutbox[-1].body))
    address = stranger.get(link).headers["Location"]
    page = stranger.get(address)
    assert page.context["form"]["revoke_api_tokens"].value()
    # Whoever reads the mail need not learn more of the account.
    assert "Revoke my API token" in text_of(page)
    assert "Laptop" not in text_of(page)

    chosen = {"revoke_api_tokens": "on"} if revokes else {}
    done = stranger.post(address, {**NEW, **chosen}, follow=True)

    assert works(laptop) is not revokes
    said = "is revoked." if revokes else "keeps working."
    assert f"Your API token {said}" in text_of(done)
    told = "Your API token still works." in str(mailoutbox[-1].body)
    assert told is not revokes
