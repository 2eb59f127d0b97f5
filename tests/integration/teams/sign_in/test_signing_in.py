from __future__ import annotations

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from teams.models import Membership, User
from teams.sign_in.accounts import PASSWORD_HASHING, note_own_address
from tests.support.minutes import within_a_minute
from tests.support.pages.reading import (
    give_password,
    is_signed_in,
    new_browser,
    sign_in,
    text_of,
)
from tests.support.rows.factories import PASSWORD, UserFactory


@pytest.fixture
def user(owner: Membership) -> User:
    return give_password(owner.user)


@pytest.fixture
def browser() -> Client:
    return new_browser()


def confirm(browser: Client) -> None:
    """Show once more who one is, as changes of an account ask for."""
    response = browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert response.status_code == 302


def test_the_right_password_leads_to_the_team(browser: Client, user: User) -> None:
    response = sign_in(browser, user)

    assert response.headers["Location"] == "/"
    assert browser.get("/").headers["Location"] == "/t/acme/"


@pytest.mark.parametrize("email", ["OWNER@acme.example", "Owner@ACME.example"])
def test_the_case_of_an_address_does_not_matter(
    email: str, browser: Client, user: User
) -> None:
    browser.post("/accounts/login/", {"login": email, "password": PASSWORD})

    assert is_signed_in(browser)


def test_an_address_given_in_capitals_signs_in_too(browser: Client, db: None) -> None:
    user = give_password(UserFactory(email="Anna.Berg@Example.com"))
    user.refresh_from_db()

    assert user.email == "anna.berg@example.com"
    browser.post(
        "/accounts/login/", {"login": "Anna.Berg@Example.com", "password": PASSWORD}
    )
    assert is_signed_in(browser)


def test_wrong_password_and_unknown_address_look_alike(
    browser: Client, user: User
) -> None:
    wrong = sign_in(browser, user, "wrong")
    unknown = browser.post(
        "/accounts/login/", {"login": "nobody@acme.example", "password": PASSWORD}
    )

    for response in (wrong, unknown):
        assert response.status_code == 200
        assert "The e-mail address or the password is wrong." in text_of(response)
    assert not is_signed_in(browser)


def test_too_many_tries_from_an_address_are_stopped_and_its_owner_is_not(
    user: User, settings: Any
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login": "4/m/ip", "login_failed": "4/m/ip"}
    stranger, owner = new_browser(), new_browser()

    answers = [sign_in(stranger, user, "guess").status_code for _ in range(6)]
    stopped = sign_in(stranger, user)

    assert answers == [200, 200, 200, 200, 429, 429]
    assert stopped.status_code == 429
    assert stopped.headers["Retry-After"] == "60"
    assert "Too many attempts" in text_of(stopped)
    assert not is_signed_in(stranger)
    assert sign_in(owner, user).status_code == 302
    assert is_signed_in(owner)


def test_the_limit_counts_the_address_that_a_trusted_proxy_names(
    user: User, settings: Any
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login": "1/m/ip", "login_failed": "1/m/ip"}
    browser = new_browser()
    answers = [
        browser.post(
            "/accounts/login/",
            {"login": user.email, "password": "guess"},
            headers={"X-Forwarded-For": f"203.0.113.{number}"},
        ).status_code
        for number in (1, 2)
    ]

    assert answers == [200, 429]


def test_sign_ins_are_limited_where_the_cache_forgets(
    user: User, settings: Any
) -> None:
    settings.ACCOUNT_RATE_LIMITS = {"login": "", "login_failed": ""}
    settings.BERTH_TOKEN_FAILURES_PER_MINUTE = 3
    stranger = new_browser()

    answers = within_a_minute(
        lambda: [sign_in(stranger, user, "guess") for _ in range(9)]
    )

    assert "password is wrong" in text_of(answers[0])
    assert "Too many attempts from your network." in text_of(answers[-1])
    assert (answers[0].status_code, answers[-1].status_code) == (200, 429)
    assert answers[-1].headers["Retry-After"] == "60"
    assert not is_signed_in(stranger)


def test_one_address_does_not_hash_in_all_threads(user: User) -> None:
    browser = new_browser()
    address = browser.defaults["REMOTE_ADDR"]

    with PASSWORD_HASHING.use(address), PASSWORD_HASHING.use(address):
        refused = sign_in(browser, user)
        elsewhere = sign_in(new_browser(), user)
        with PASSWORD_HASHING.use("a third one"):
            everybody = sign_in(new_browser(), user)

    for response, status in ((refused, 429), (everybody, 503)):
        assert response.status_code == status
        assert response.headers["Retry-After"] == "5"
        sentence = "Too many people are signing in. Try again in 5 seconds."
        assert sentence in text_of(response)
        assert f'value="{user.email}"' in response.content.decode()
    assert elsewhere.status_code == 302
    assert sign_in(browser, user).status_code == 302


@pytest.mark.parametrize("method", ["get", "post"])
def test_sign_up_is_closed(method: str, browser: Client, db: None) -> None:
    body = {"email": "new@example.com", "password1": PASSWORD}

    response = getattr(browser, method)("/accounts/signup/", body)

    assert "You need an invitation" in text_of(response)
    assert not User.objects.exists()


def test_a_disabled_account_is_reported(browser: Client, user: User) -> None:
    user.is_active = False
    user.save()

    response = sign_in(browser, user)

    assert response.headers["Location"] == "/accounts/inactive/"
    assert "disabled" in text_of(browser.get("/accounts/inactive/"))
    assert not is_signed_in(browser)


def test_operators_sign_in_to_the_admin_as_everybody_does(db: None) -> None:
    operator = give_password(UserFactory(is_staff=True, is_superuser=True))
    browser = new_browser()

    response = browser.get("/admin/", follow=True)

    address, _ = response.redirect_chain[-1]
    assert address.startswith("/accounts/login/?next=")
    browser.post(address, {"login": operator.email, "password": PASSWORD})
    assert browser.get("/admin/").status_code == 200


def test_the_admins_own_form_is_not_used(db: None) -> None:
    operator = give_password(UserFactory(is_staff=True, is_superuser=True))
    browser = new_browser()

    browser.post("/admin/login/", {"username": operator.email, "password": PASSWORD})

    assert not is_signed_in(browser)


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("path", ["password_change/", "password_change/done/"])
def test_the_admin_changes_passwords_where_everybody_does(
    method: str, path: str, db: None
) -> None:
    operator = give_password(UserFactory(is_staff=True, is_superuser=True))
    browser = new_browser()
    sign_in(browser, operator)
    body = {
        "old_password": PASSWORD,
        "new_password1": "another good phrase",
        "new_password2": "another good phrase",
    }

    response = getattr(browser, method)(f"/admin/{path}", body)

    address, _, _ = response.headers["Location"].partition("?")
    assert address == "/accounts/password/change/"
    operator.refresh_from_db()
    assert operator.check_password(PASSWORD)


def test_a_proven_address_replaces_the_one_before(user: User) -> None:
    note_own_address(user)
    user.email = "later@acme.example"
    user.save()

    note_own_address(user)
    note_own_address(user)

    (address,) = EmailAddress.objects.filter(user=user)
    assert (address.email, address.verified, address.primary) == (
        "later@acme.example",
        True,
        True,
    )
