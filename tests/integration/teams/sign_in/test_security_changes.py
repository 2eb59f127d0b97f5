"""A change to how an account signs in ends its other sessions."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa import signals
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.mail import EmailMessage
from django.http import HttpRequest
from django.test import Client

from audit.models import AuditEvent
from teams.models import Membership, Session, User
from teams.sign_in.sessions import list_sessions
from tests.support.pages.reading import (
    give_password,
    links_in,
    new_browser,
    sign_in,
    text_of,
    totp_code,
)
from tests.support.rows.factories import PASSWORD

PAGE = "/t/acme/"
NEEDED = "/t/acme/second-factor"
NEW = "another good phrase"
FACTORS = "/accounts/2fa/"


@pytest.fixture
def user(owner: Membership) -> User:
    return give_password(owner.user)


@pytest.fixture
def elsewhere(user: User) -> Client:
    """Where the user is signed in too, and had shown once more who they are."""
    browser = new_browser(HTTP_USER_AGENT="curl/8.1")
    sign_in(browser, user)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return browser


@pytest.fixture
def browser(user: User) -> Client:
    browser = new_browser()
    sign_in(browser, user)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return browser


def give_app(user: User) -> str:
    """Give the account an app behind the back of its sessions; return its secret."""
    secret: str = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def turn_app_on(browser: Client, _: Any) -> None:
    page = browser.get(f"{FACTORS}totp/activate/").content.decode()
    match = re.search(r"<pre><code>([^<]*)</code>", page)
    assert match
    code = totp_code(html.unescape(match[1]))
    browser.post(f"{FACTORS}totp/activate/", {"code": code})


def turn_app_off(browser: Client, _: Any) -> None:
    browser.post(f"{FACTORS}totp/deactivate/")


def remove_key(browser: Client, _: Any) -> None:
    key = Authenticator.objects.get(type="webauthn")
    browser.post(f"{FACTORS}webauthn/keys/{key.pk}/remove/")


def make_codes(browser: Client, _: Any) -> None:
    browser.post(f"{FACTORS}recovery-codes/generate/")


def change_password(browser: Client, _: Any) -> None:
    browser.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW},
    )


def reset_password(user: User, mails: list[EmailMessage]) -> None:
    stranger = new_browser()
    stranger.post("/accounts/password/reset/", {"email": user.email})
    (link,) = links_in(str(mails[-1].body))
    form = stranger.get(link).headers["Location"]
    stranger.post(form, {"password1": NEW, "password2": NEW})


def change_email(browser: Client, mails: list[EmailMessage]) -> None:
    browser.post("/accounts/email/", {"email": "new@acme.example", "action_add": ""})
    (link,) = links_in(str(mails[-1].body))
    browser.post(link)


def is_in(browser: Client) -> bool:
    return bool(browser.get(PAGE).status_code == 200)


CHANGES: dict[str, tuple[Callable[[Client, Any], None], str]] = {
    "app on": (turn_app_on, "account:second-factor-added"),
    "app off": (turn_app_off, "account:second-factor-removed"),
    "key removed": (remove_key, "account:second-factor-removed"),
    "codes": (make_codes, "account:recovery-codes-generated"),
    "password": (change_password, "account:password-changed"),
    "e-mail": (change_email, "account:email-changed"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_ends_all_other_sessions(
    change: str,
    transactional_db: None,
    user: User,
    elsewhere: Client,
    browser: Client,
    mailoutbox: list[EmailMessage],
) -> None:
    if change in {"app off", "codes"}:
        give_app(user)
    if change == "key removed":
        Authenticator.objects.create(user=user, type="webauthn", data={"name": "Key"})
    assert is_in(elsewhere)
    act, tag = CHANGES[change]

    act(browser, mailoutbox)

    assert not is_in(elsewhere)
    assert is_in(browser)
    user.refresh_from_db()
    assert len(list_sessions(user)) == Session.objects.filter(user=user).count() == 1
    events = AuditEvent.objects.order_by("created_at", "id")
    assert {event.tag for event in events} >= {tag, "account:session-ended"}
    ended = events.get(tag="account:session-ended")
    assert ended.data["browser"] == "curl 8"


def test_a_password_reset_ends_all_sessions(
    member: Membership, mailoutbox: list[EmailMessage]
) -> None:
    user = give_password(member.user)
    elsewhere = new_browser()
    sign_in(elsewhere, user)

    reset_password(user, mailoutbox)

    assert not is_in(elsewhere)
    assert not Session.objects.filter(user=user).exists()


def test_a_passkey_ends_all_other_sessions(
    user: User, elsewhere: Client, browser: Client
) -> None:
    key = Authenticator.objects.create(user=user, type="webauthn", data={"name": "Key"})
    request = request_of(browser, user)

    signals.authenticator_added.send(
        sender=Authenticator, request=request, user=user, authenticator=key
    )

    assert not is_in(elsewhere)
    assert Session.objects.filter(user=user).count() == 1


def request_of(browser: Client, user: User) -> HttpRequest:
    request = HttpRequest()
    request.META = {"BERTH_CLIENT_ADDRESS": "198.51.100.7", "BERTH_REQUEST_ID": "x"}
    request.session = browser.session
    request.user = user
    return request


def test_others_stay_signed_in(
    transactional_db: None, browser: Client, member: Membership
) -> None:
    theirs = new_browser()
    sign_in(theirs, give_password(member.user))

    turn_app_on(browser, None)

    assert is_in(theirs)


def test_a_stolen_cookie_of_the_same_session_ends_too(
    transactional_db: None, browser: Client
) -> None:
    thief = new_browser()
    thief.cookies["sessionid"] = browser.cookies["sessionid"].value
    assert is_in(thief)

    turn_app_on(browser, None)

    assert not is_in(thief)
    assert is_in(browser)


@pytest.fixture
def demanding(owner: Membership) -> Membership:
    owner.team.require_second_factor = True
    owner.team.save()
    return owner


def test_turning_one_on_lets_this_session_in(
    transactional_db: None, demanding: Membership, browser: Client, elsewhere: Client
) -> None:
    turn_app_on(browser, None)

    assert is_in(browser)
    assert not is_in(elsewhere)


def test_a_team_asks_whether_the_session_passed_one(
    demanding: Membership, browser: Client, user: User
) -> None:
    secret = give_app(user)

    response = browser.get(PAGE)

    assert response.headers["Location"] == NEEDED
    api = browser.get("/api/v1/team", headers={"Berth-Team": "acme"})
    assert api.status_code == 403
    assert api.json()["code"] == "second_factor_needed"
    page = browser.get(NEEDED)
    assert "Confirm with second factor" in text_of(page)
    (link,) = re.findall(
        r'href="(/accounts/2fa/reauthenticate/[^"]*)"', page.content.decode()
    )
    answer = browser.post(
        html.unescape(link), {"code": totp_code(secret), "next": PAGE}
    )
    assert answer.headers["Location"] == PAGE
    assert is_in(browser)
    assert browser.get(NEEDED).headers["Location"] == PAGE
    assert (
        browser.get("/api/v1/team", headers={"Berth-Team": "acme"}).status_code == 200
    )


def test_a_password_is_no_second_factor(
    demanding: Membership, browser: Client, user: User
) -> None:
    give_app(user)

    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})

    assert browser.get(PAGE).headers["Location"] == NEEDED


def test_signing_in_with_a_code_passes(demanding: Membership, user: User) -> None:
    secret = give_app(user)
    browser = new_browser()
    sign_in(browser, user)

    browser.post(f"{FACTORS}authenticate/", {"code": totp_code(secret)})

    assert is_in(browser)


def test_signing_in_with_a_passkey_passes(
    demanding: Membership, browser: Client, user: User
) -> None:
    key = Authenticator.objects.create(user=user, type="webauthn", data={"name": "Key"})
    request = request_of(browser, user)
    # As allauth notes it: a test has no device that signs.
    record_authentication(
        request, user, "mfa", id=key.pk, type="webauthn", passwordless=True
    )
    request.session.save()

    assert is_in(browser)


def test_removing_it_locks_the_session_out(
    transactional_db: None, demanding: Membership, browser: Client
) -> None:
    turn_app_on(browser, None)

    turn_app_off(browser, None)

    assert browser.get(PAGE).headers["Location"] == NEEDED
    assert "Set up a second factor" in text_of(browser.get(NEEDED))


@pytest.mark.parametrize("way", ["change", "reset"])
def test_a_new_password_cancels_a_change_of_address(
    way: str, browser: Client, user: User, mailoutbox: list[EmailMessage]
) -> None:
    wish = {"email": "evil@x.example", "action_add": ""}
    browser.post("/accounts/email/", wish)
    (link,) = links_in(str(mailoutbox[-1].body))

    fields = {"password1": NEW, "password2": NEW}
    if way == "change":
        body = {"oldpassword": PASSWORD, **fields}
        assert browser.post("/accounts/password/change/", body).status_code == 302
    else:
        stranger = new_browser()
        stranger.post("/accounts/password/reset/", {"email": user.email})
        (reset,) = links_in(str(mailoutbox[-1].body))
        stranger.post(stranger.get(reset).headers["Location"], fields)
    new_browser().post(link)

    user.refresh_from_db()
    assert user.check_password(NEW)
    assert user.email == "owner@acme.example"
