from __future__ import annotations

import re
import socket
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.mail import EmailMessage
from django.test import Client

from audit.models import AuditEvent
from portal.http.display.user_agents import browser_name
from teams.actors import member_actor
from teams.invitations import invite
from teams.models import Membership, Session, Team, User
from teams.permissions import Role
from tests.support.pages.reading import (
    give_password,
    is_signed_in,
    links_in,
    new_browser,
    sign_in,
    text_of,
)
from tests.support.rows.factories import PASSWORD, UserFactory

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
EDGE = f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/126.0.0.0 Safari/537 Edg/126.0"
SAFARI = f"Mozilla/5.0 (iPhone; CPU) {WEBKIT} Version/17.5 Mobile/15E148 Safari/604.1"
CHROME = f"Mozilla/5.0 (Linux; Android 14) {WEBKIT} Chrome/126.0.0.0 Mobile Safari/537"


@pytest.fixture
def user(owner: Membership) -> User:
    return give_password(owner.user)


@pytest.fixture
def browser() -> Client:
    return new_browser()


def test_password_reset_by_mail(
    browser: Client, user: User, mailoutbox: list[EmailMessage]
) -> None:
    response = browser.post("/accounts/password/reset/", {"email": user.email})

    assert response.headers["Location"] == "/accounts/password/reset/done/"
    (mail,) = mailoutbox
    assert mail.subject == "Berth: Choose a new password"
    assert mail.to == ["owner@acme.example"]
    (link,) = links_in(str(mail.body))
    form = browser.get(link).headers["Location"]
    new = {"password1": "another good phrase", "password2": "another good phrase"}
    assert browser.post(form, new).status_code == 302
    assert not is_signed_in(browser)
    assert sign_in(browser, user).status_code == 200
    assert sign_in(browser, user, "another good phrase").status_code == 302
    assert "no longer valid" in text_of(new_browser().get(link))
    assert [mail.subject for mail in mailoutbox[1:]] == [
        "Berth: Your password was reset"
    ]


def test_password_reset_does_not_reveal_accounts(
    browser: Client, user: User, mailoutbox: list[EmailMessage]
) -> None:
    unknown = browser.post("/accounts/password/reset/", {"email": "no@acme.example"})

    assert unknown.headers["Location"] == "/accounts/password/reset/done/"
    assert mailoutbox == []


def test_a_mail_server_that_is_away_is_no_error_page(
    browser: Client, user: User, settings: Any, caplog: Any
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = unused.getsockname()
        response = browser.post("/accounts/password/reset/", {"email": user.email})

    assert response.headers["Location"] == "/accounts/password/reset/done/"
    assert "is sent later: ConnectionRefusedError" in caplog.text


def test_password_change_signs_out_elsewhere(
    browser: Client, user: User, mailoutbox: list[EmailMessage]
) -> None:
    elsewhere = new_browser()
    sign_in(browser, user)
    sign_in(elsewhere, user)
    new = {"password1": "another good phrase", "password2": "another good phrase"}

    wrong = browser.post("/accounts/password/change/", {"oldpassword": "x", **new})
    browser.post("/accounts/password/change/", {"oldpassword": PASSWORD, **new})

    assert "Enter your current password." in text_of(wrong)
    assert browser.get("/t/acme/").status_code == 200
    assert elsewhere.get("/t/acme/").status_code == 302
    assert [mail.subject for mail in mailoutbox] == ["Berth: Your password was changed"]


def test_a_weak_password_is_refused_with_a_reason(browser: Client, user: User) -> None:
    sign_in(browser, user)

    response = browser.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": "short", "password2": "other"},
    )

    assert "This password is too short." in text_of(response)
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def confirm(browser: Client) -> None:
    """Show once more who one is, as changes of an account ask for."""
    response = browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert response.status_code == 302


def test_a_changed_address_counts_once_it_is_confirmed(
    browser: Client, user: User, mailoutbox: list[EmailMessage]
) -> None:
    sign_in(browser, user)
    confirm(browser)

    browser.post("/accounts/email/", {"email": "New@acme.example", "action_add": ""})

    page = text_of(browser.get("/accounts/email/"))
    assert "You sign in with owner@acme.example" in page
    assert "New address new@acme.example" in page
    user.refresh_from_db()
    assert user.email == "owner@acme.example"
    (mail,) = mailoutbox
    assert mail.to == ["new@acme.example"]
    (link,) = links_in(str(mail.body))
    assert "will sign in with new@acme.example" in text_of(browser.get(link))
    browser.post(link)
    user.refresh_from_db()
    assert user.email == "new@acme.example"
    notice = mailoutbox[-1]
    assert notice.subject == "Berth: Your e-mail address was changed"
    assert notice.to == ["owner@acme.example"]
    assert sign_in(new_browser(), user).status_code == 302


def test_an_address_that_is_yet_to_be_confirmed_opens_nothing(
    browser: Client, user: User, mailoutbox: list[EmailMessage]
) -> None:
    sign_in(browser, user)
    confirm(browser)
    new = "new@acme.example"
    browser.post("/accounts/email/", {"email": new, "action_add": ""})
    mailoutbox.clear()
    stranger = new_browser()

    response = stranger.post("/accounts/login/", {"login": new, "password": PASSWORD})
    stranger.post("/accounts/password/reset/", {"email": new})

    assert "The e-mail address or the password is wrong." in text_of(response)
    assert not is_signed_in(stranger)
    assert mailoutbox == []
    assert sign_in(new_browser(), user).status_code == 302


def test_another_accounts_wish_for_an_address_keeps_its_owner_from_nothing(
    browser: Client,
    user: User,
    member: Membership,
    mailoutbox: list[EmailMessage],
) -> None:
    EmailAddress.objects.create(user=member.user, email=user.email, verified=False)

    browser.post("/accounts/password/reset/", {"email": user.email.upper()})

    (mail,) = mailoutbox
    (link,) = links_in(str(mail.body))
    assert user.pk.hex in link
    assert sign_in(browser, user).status_code == 302
    assert browser.session["_auth_user_id"] == str(user.pk)


def test_an_account_switched_off_gets_no_link_for_a_new_password(
    browser: Client, user: User, mailoutbox: list[EmailMessage]
) -> None:
    user.is_active = False
    user.save()

    browser.post("/accounts/password/reset/", {"email": user.email})

    assert mailoutbox == []


def test_changing_an_address_asks_for_the_password_first(
    browser: Client, user: User, mailoutbox: list[EmailMessage]
) -> None:
    sign_in(browser, user)

    response = browser.post(
        "/accounts/email/", {"email": "new@acme.example", "action_add": ""}
    )

    assert response.headers["Location"].startswith("/accounts/reauthenticate/")
    assert mailoutbox == []


def test_an_address_taken_by_another_account_cannot_be_confirmed(
    browser: Client, user: User, mailoutbox: list[EmailMessage]
) -> None:
    sign_in(browser, user)
    confirm(browser)
    browser.post("/accounts/email/", {"email": "new@acme.example", "action_add": ""})
    UserFactory(email="new@acme.example")
    (link,) = links_in(str(mailoutbox[0].body))

    response = browser.post(link, follow=True)

    assert "Another account uses new@acme.example" in text_of(response)
    user.refresh_from_db()
    assert user.email == "owner@acme.example"


def test_sessions_are_shown_and_ended(user: User) -> None:
    browser = new_browser(HTTP_USER_AGENT=FIREFOX)
    elsewhere = new_browser(HTTP_USER_AGENT="curl/8.1")
    sign_in(browser, user)
    sign_in(elsewhere, user)

    page = text_of(browser.get("/accounts/sessions/"))
    assert "Firefox 140 on Linux current" in page
    assert "curl 8" in page
    browser.post("/accounts/sessions/")

    assert browser.get("/t/acme/").status_code == 200
    assert elsewhere.get("/t/acme/").status_code == 302
    assert "not signed in anywhere else" in text_of(browser.get("/accounts/sessions/"))


def session_in(browser: Client) -> str:
    """Return the address at which a browser's session is ended."""
    session = Session.objects.get(session_key=browser.session.session_key)
    return f"/accounts/sessions/{session.pk}/end"


def test_one_session_is_ended_after_asking(user: User) -> None:
    browser, other = new_browser(), new_browser()
    elsewhere = new_browser(HTTP_USER_AGENT=FIREFOX)
    for client in (browser, other, elsewhere):
        sign_in(client, user)
    address = session_in(elsewhere)
    assert address in browser.get("/accounts/sessions/").content.decode()

    asked = browser.get(address)
    assert "Sign out Firefox 140 on Linux?" in text_of(asked)
    assert_finished(asked)
    assert elsewhere.get("/t/acme/").status_code == 200
    response = browser.post(address)

    assert response.headers["Location"] == "/accounts/sessions/"
    page = text_of(browser.get("/accounts/sessions/"))
    assert "Firefox 140 on Linux is signed out." in page
    assert elsewhere.get("/t/acme/").status_code == 302
    assert browser.get("/t/acme/").status_code == 200
    assert other.get("/t/acme/").status_code == 200
    assert browser.post(address).status_code == 404


def test_the_current_session_ends_only_by_signing_out(user: User) -> None:
    browser = new_browser()
    sign_in(browser, user)
    address = session_in(browser)

    assert address not in browser.get("/accounts/sessions/").content.decode()
    assert browser.get(address).status_code == 404
    assert browser.post(address).status_code == 404
    assert browser.get("/t/acme/").status_code == 200


@pytest.mark.parametrize("method", ["get", "post"])
def test_another_users_session_is_not_found(
    method: str, user: User, member: Membership
) -> None:
    browser, theirs = new_browser(), new_browser()
    sign_in(browser, user)
    sign_in(theirs, give_password(member.user))

    assert getattr(browser, method)(session_in(theirs)).status_code == 404
    assert theirs.get("/t/acme/").status_code == 200
    assert not AuditEvent.objects.exists()


def test_a_session_is_ended_only_when_signed_in(user: User) -> None:
    browser = new_browser()
    sign_in(browser, user)

    response = new_browser().post(session_in(browser))

    assert response.headers["Location"].startswith("/accounts/login/?next=")
    assert browser.get("/t/acme/").status_code == 200


def test_sessions_of_others_are_left_alone(user: User, member: Membership) -> None:
    browser, theirs = new_browser(), new_browser()
    sign_in(browser, user)
    sign_in(theirs, give_password(member.user))

    browser.post("/accounts/sessions/")

    assert theirs.get("/t/acme/").status_code == 200


def test_a_new_member_sees_their_session(owner: Membership, team: Team) -> None:
    _, secret = invite(
        actor=member_actor(owner),
        team=team,
        email="Joining@acme.example",
        role=Role.SUPPORT,
    )
    browser = new_browser(HTTP_USER_AGENT=FIREFOX)

    response = browser.post(
        f"/invitations/{secret.reveal()}", {"name": "Jo", "password": PASSWORD}
    )

    assert response.headers["Location"] == "/t/acme/"
    assert "Firefox 140" in text_of(browser.get("/accounts/sessions/"))
    joined = User.objects.get(email="joining@acme.example")
    assert EmailAddress.objects.get(user=joined).verified


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox 140 on Linux"),
        (EDGE, "Edge 126 on Windows"),
        (SAFARI, "Safari 17 on iPhone"),
        (CHROME, "Chrome 126 on Android"),
        ("Something on Linux", "A browser on Linux"),
        ("", "An unknown browser"),
    ],
)
def test_browsers_have_names(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name


PAGES_OF_STRANGERS = [
    "login/",
    "signup/",
    "inactive/",
    "confirm-email/",
    "confirm-email/x/",
    "password/reset/",
    "password/reset/done/",
    "password/reset/key/x-x/",
    "password/reset/key/done/",
    "3rdparty/login/cancelled/",
    "3rdparty/login/error/",
]
PAGES_OF_USERS = [
    "email/",
    "password/change/",
    "logout/",
    "reauthenticate/",
    "sessions/",
    "2fa/",
    "2fa/totp/activate/",
    "2fa/webauthn/",
    "2fa/webauthn/add/",
    "3rdparty/",
]


def assert_finished(response: Any) -> None:
    """Pass if a page keeps the content security policy and is Berth's own."""
    source = response.content.decode()
    assert len(re.findall(r"<h1[ >]", source)) == 1
    assert not re.search(r"\sstyle=|<style|\son\w+=", source)
    assert not re.search(
        r"<script(?![^>]*(?:\ssrc=|type=\"application/json\"))", source
    )
    assert "· Berth</title>" in source
    assert "Email" not in text_of(response)


@pytest.mark.parametrize("path", PAGES_OF_STRANGERS)
def test_every_page_of_strangers_is_finished(path: str, db: None) -> None:
    assert_finished(new_browser().get(f"/accounts/{path}"))


@pytest.mark.parametrize("path", PAGES_OF_USERS)
def test_every_page_of_an_account_is_finished(
    path: str, browser: Client, user: User
) -> None:
    sign_in(browser, user)
    confirm(browser)

    response = browser.get(f"/accounts/{path}")

    assert response.status_code == 200
    assert_finished(response)


def test_navigation_marks_the_page_shown(browser: Client, user: User) -> None:
    sign_in(browser, user)

    page = browser.get("/accounts/sessions/").content.decode()

    marked = re.findall(r'aria-current="page" href="([^"]*)"', page)
    assert marked == ["/accounts/sessions/"]
