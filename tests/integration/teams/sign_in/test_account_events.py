"""What people do to their own account stands in the audit log of their teams."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.mail import EmailMessage
from django.test import Client

from audit.models import AuditEvent
from teams.models import Membership, Session, Team, User
from tests.support.pages.reading import (
    give_password,
    links_in,
    new_browser,
    sign_in,
    totp_code,
)
from tests.support.rows.audit import audited
from tests.support.rows.factories import PASSWORD, MembershipFactory

NEW = "another good phrase"
ACTIVATE = "/accounts/2fa/totp/activate/"


@pytest.fixture
def user(owner: Membership) -> User:
    return give_password(owner.user)


@pytest.fixture
def browser(user: User) -> Client:
    browser = new_browser()
    sign_in(browser, user)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return browser


def change_password(browser: Client) -> Any:
    return browser.post(
        "/accounts/password/change/",
        {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW},
    )


def switch_on(browser: Client) -> str:
    """Set up an authenticator app; return its secret."""
    page = browser.get(ACTIVATE).content.decode()
    match = re.search(r"<pre><code>([^<]*)</code>", page)
    assert match
    secret = html.unescape(match[1])
    browser.post(ACTIVATE, {"code": totp_code(secret)})
    return secret


def test_a_changed_password_is_audited_with_where_it_came_from(
    browser: Client, user: User, team: Team
) -> None:
    response = change_password(browser)

    event = AuditEvent.objects.get()
    assert event.team_id == team.pk
    assert event.tag == "account:password-changed"
    assert (event.actor_kind, event.actor_id) == ("user", user.pk)
    assert event.actor_label == "owner@acme.example"
    assert (event.subject_kind, event.subject_id) == ("teams.user", user.pk)
    assert event.address == browser.defaults["REMOTE_ADDR"]
    assert event.request_id == response.headers["X-Request-Id"]
    assert event.data == {}


def test_only_the_users_teams_get_the_event(
    browser: Client, user: User, team: Team, other_team: Team, outsider: Membership
) -> None:
    second = MembershipFactory(user=user, role="read-only").team

    change_password(browser)

    events = [("account:password-changed", "owner@acme.example")]
    assert audited(team) == events
    assert audited(second) == events
    assert audited(other_team) == []


def test_a_password_that_is_not_changed_is_not_audited(
    browser: Client, team: Team
) -> None:
    browser.post(
        "/accounts/password/change/",
        {"oldpassword": "wrong", "password1": NEW, "password2": NEW},
    )

    assert audited(team) == []


def test_a_first_password_is_audited(owner: Membership, team: Team) -> None:
    owner.user.set_unusable_password()
    owner.user.save()
    browser = Client()
    browser.force_login(owner.user)

    browser.post("/accounts/password/set/", {"password1": NEW, "password2": NEW})

    assert audited(team) == [("account:password-changed", "owner@acme.example")]


def test_a_reset_password_is_audited(
    user: User, team: Team, mailoutbox: list[EmailMessage]
) -> None:
    browser = new_browser()
    browser.post("/accounts/password/reset/", {"email": user.email})
    (link,) = links_in(str(mailoutbox[0].body))
    form = browser.get(link).headers["Location"]

    browser.post(form, {"password1": NEW, "password2": NEW})

    assert audited(team) == [("account:password-reset", "owner@acme.example")]


def test_a_changed_address_is_audited_once_it_is_confirmed(
    browser: Client, team: Team, mailoutbox: list[EmailMessage]
) -> None:
    browser.post("/accounts/email/", {"email": "new@acme.example", "action_add": ""})
    (link,) = links_in(str(mailoutbox[0].body))
    assert audited(team) == []

    browser.post(link)

    event = AuditEvent.objects.get()
    assert event.tag == "account:email-changed"
    assert event.subject_label == "new@acme.example"
    assert event.data == {"from": "owner@acme.example", "to": "new@acme.example"}


def test_an_authenticator_app_is_audited_without_its_secret(
    transactional_db: None, browser: Client, team: Team
) -> None:
    secret = switch_on(browser)
    browser.post("/accounts/2fa/recovery-codes/generate/")
    browser.post("/accounts/2fa/totp/deactivate/")

    events = list(AuditEvent.objects.order_by("created_at", "id"))
    assert [(event.tag, event.data) for event in events] == [
        ("account:second-factor-added", {"type": "totp"}),
        ("account:recovery-codes-generated", {}),
        ("account:recovery-codes-generated", {}),
        ("account:second-factor-removed", {"type": "totp"}),
    ]
    assert secret not in json.dumps([event.data for event in events])


@pytest.mark.parametrize("all_others", [False, True])
def test_an_ended_session_is_audited(
    all_others: bool, browser: Client, user: User, team: Team
) -> None:
    elsewhere = new_browser(HTTP_USER_AGENT="curl/8.1")
    sign_in(elsewhere, user)
    session = Session.objects.get(session_key=elsewhere.session.session_key)

    browser.post("/accounts/sessions/" + ("" if all_others else f"{session.pk}/end"))

    event = AuditEvent.objects.get()
    assert (event.team_id, event.tag) == (team.pk, "account:session-ended")
    assert (event.actor_id, event.subject_id) == (user.pk, user.pk)
    assert event.address == browser.defaults["REMOTE_ADDR"]
    assert event.data == {
        "browser": "curl 8",
        "address": elsewhere.defaults["REMOTE_ADDR"],
    }


def test_a_removed_passkey_is_audited(browser: Client, user: User, team: Team) -> None:
    key = Authenticator.objects.create(user=user, type="webauthn", data={"name": "Key"})

    browser.post(f"/accounts/2fa/webauthn/keys/{key.pk}/remove/")

    event = AuditEvent.objects.get()
    assert event.tag == "account:second-factor-removed"
    assert event.data == {"type": "webauthn"}
