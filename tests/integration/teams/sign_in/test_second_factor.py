from __future__ import annotations

import base64
import html
import json
import re
import secrets
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings as django_settings
from django.core.mail import EmailMessage
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from portal.crypto.keyring import KeyringError
from teams.models import Membership, Session, User
from teams.second_factor import has_second_factor, reencrypt_second_factors
from teams.sign_in.accounts import SecondFactorAdapter
from tests.support.pages.reading import (
    give_password,
    is_signed_in,
    new_browser,
    sign_in,
    text_of,
    totp_code,
)
from tests.support.rows.factories import PASSWORD, UserFactory

SIGN_IN = "/accounts/2fa/authenticate/"
ACTIVATE = "/accounts/2fa/totp/activate/"
CODES = "/accounts/2fa/recovery-codes/"


@pytest.fixture
def user(owner: Membership) -> User:
    return give_password(owner.user)


@pytest.fixture
def browser(user: User) -> Client:
    """A browser that has just shown that it is the user."""
    browser = new_browser()
    sign_in(browser, user)
    confirm(browser)
    return browser


def confirm(browser: Client) -> None:
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})


def shown_in(response: Any) -> str:
    """Return what a page shows to be copied."""
    match = re.search(r"<pre><code>([^<]*)</code>", response.content.decode())
    assert match
    return html.unescape(match[1])


def switch_on(browser: Client) -> tuple[str, list[str]]:
    """Set up an authenticator app; return its secret and the recovery codes."""
    secret = shown_in(browser.get(ACTIVATE))
    response = browser.post(ACTIVATE, {"code": totp_code(secret)})
    if response.status_code == 200:
        # The code's half minute was over when it arrived.
        response = browser.post(ACTIVATE, {"code": totp_code(secret)})
    assert response.headers["Location"] == CODES
    return secret, shown_in(browser.get(CODES)).split()


def new_key(name: str) -> str:
    return f"{name}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def test_setting_up_an_app_asks_who_it_is(user: User) -> None:
    browser = new_browser()
    sign_in(browser, user)

    response = browser.get(ACTIVATE)

    assert response.headers["Location"].startswith("/accounts/reauthenticate/")


def test_setting_up_an_app(
    transactional_db: None,
    browser: Client,
    user: User,
    mailoutbox: list[EmailMessage],
) -> None:
    page = browser.get(ACTIVATE)
    assert "data:image/svg+xml;base64," in page.content.decode()

    _, codes = switch_on(browser)

    assert has_second_factor(user)
    assert len(set(codes)) == 10
    assert mailoutbox[0].subject == "Berth: Authenticator app turned on"
    assert mailoutbox[0].to == ["owner@acme.example"]


def test_a_wrong_code_switches_nothing_on(browser: Client, user: User) -> None:
    browser.get(ACTIVATE)

    response = browser.post(ACTIVATE, {"code": "000000"})

    assert "This code is wrong" in text_of(response)
    assert not has_second_factor(user)


def test_signing_in_asks_for_a_code(browser: Client, user: User) -> None:
    secret, _ = switch_on(browser)
    elsewhere = new_browser()

    response = sign_in(elsewhere, user)

    assert response.headers["Location"] == SIGN_IN
    assert not is_signed_in(elsewhere)
    assert "One more step" in text_of(elsewhere.get(SIGN_IN))
    wrong = elsewhere.post(SIGN_IN, {"code": "000000"})
    assert "This code is wrong" in text_of(wrong)
    assert not is_signed_in(elsewhere)
    elsewhere.post(SIGN_IN, {"code": totp_code(secret)})
    assert is_signed_in(elsewhere)


def guess_from_everywhere(user: User, count: int, address: str = SIGN_IN) -> list[str]:
    """Guess codes, each from an address of its own; return what the pages say."""
    said = []
    for _ in range(count):
        stranger = new_browser()
        sign_in(stranger, user)
        said.append(text_of(stranger.post(address, {"code": "000000"})))
    return said


def test_guesses_of_a_code_are_limited_whatever_the_address(
    browser: Client, user: User
) -> None:
    secret, codes = switch_on(browser)

    said = guess_from_everywhere(user, 6)

    assert ["This code is wrong" in text for text in said] == [True] * 5 + [False]
    assert "Too many wrong codes" in said[-1]
    for right in (totp_code(secret), codes[0]):
        stranger = new_browser()
        sign_in(stranger, user)
        assert "Too many wrong codes" in text_of(
            stranger.post(SIGN_IN, {"code": right})
        )
        assert not is_signed_in(stranger)


def test_guesses_are_limited_where_one_shows_once_more_who_one_is(
    browser: Client, user: User
) -> None:
    secret, _ = switch_on(browser)
    guess_from_everywhere(user, 5)

    response = browser.post(
        "/accounts/2fa/reauthenticate/", {"code": totp_code(secret)}
    )

    assert "Too many wrong codes" in text_of(response)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "300")


def test_guesses_for_one_account_do_not_block_others(
    browser: Client, user: User, member: Membership
) -> None:
    switch_on(browser)
    theirs = give_password(member.user)
    secret = generate_totp_secret()
    TOTP.activate(theirs, secret)
    guess_from_everywhere(user, 6)
    elsewhere = new_browser()
    sign_in(elsewhere, theirs)

    elsewhere.post(SIGN_IN, {"code": totp_code(secret)})

    assert is_signed_in(elsewhere)


def test_a_right_code_is_no_guess_and_forgives_none(
    browser: Client, user: User
) -> None:
    _, codes = switch_on(browser)
    guess_from_everywhere(user, 4)

    for code in codes[:2]:
        elsewhere = new_browser()
        sign_in(elsewhere, user)
        elsewhere.post(SIGN_IN, {"code": code})
        assert is_signed_in(elsewhere)
    said = guess_from_everywhere(user, 2)

    assert "This code is wrong" in said[0]
    assert "Too many wrong codes" in said[1]


def test_a_code_works_once(browser: Client, user: User) -> None:
    secret, _ = switch_on(browser)
    first, second = new_browser(), new_browser()
    sign_in(first, user)
    sign_in(second, user)
    code = totp_code(secret)

    first.post(SIGN_IN, {"code": code})
    response = second.post(SIGN_IN, {"code": code})

    assert is_signed_in(first)
    assert "already used" in text_of(response)
    assert not is_signed_in(second)


def test_a_recovery_code_works_once(browser: Client, user: User) -> None:
    _, codes = switch_on(browser)
    first, second = new_browser(), new_browser()
    sign_in(first, user)
    sign_in(second, user)

    first.post(SIGN_IN, {"code": codes[0]})
    response = second.post(SIGN_IN, {"code": codes[0]})

    assert is_signed_in(first)
    assert "This code is wrong" in text_of(response)
    assert not is_signed_in(second)
    second.post(SIGN_IN, {"code": codes[1]})
    assert is_signed_in(second)
    confirm(second)
    assert "You have 8 of 10 left." in text_of(second.get(CODES))


def test_codes_are_downloaded_with_a_word_on_what_they_are(browser: Client) -> None:
    _, codes = switch_on(browser)

    response = browser.get(f"{CODES}download/")

    assert response.headers["Content-Type"] == "text/plain"
    lines = response.content.decode().split("\n")
    assert lines[0] == "Berth recovery codes for owner@acme.example"
    assert lines[4:14] == codes


def test_new_codes_replace_the_old_ones(browser: Client, user: User) -> None:
    _, old = switch_on(browser)

    browser.post(f"{CODES}generate/")

    new = shown_in(browser.get(CODES)).split()
    assert not set(new) & set(old)
    elsewhere = new_browser()
    sign_in(elsewhere, user)
    elsewhere.post(SIGN_IN, {"code": old[0]})
    assert not is_signed_in(elsewhere)


def test_switching_off_takes_the_recovery_codes_along(
    browser: Client, user: User, mailoutbox: list[EmailMessage]
) -> None:
    switch_on(browser)

    browser.post("/accounts/2fa/totp/deactivate/")

    assert not Authenticator.objects.exists()
    assert mailoutbox[-1].subject == "Berth: Authenticator app turned off"
    assert sign_in(new_browser(), user).headers["Location"] == "/"


def test_requiring_one_warns_people_who_lack_one(
    transactional_db: None, browser: Client, owner: Membership
) -> None:
    team, address = owner.team, "/t/acme/settings"
    assert "You have none yourself" in browser.get(address).content.decode()

    body = {
        "name": team.name,
        "time_zone": "UTC",
        "require_second_factor": "on",
        "seen": browser.get(address).context["form"]["seen"].value(),
    }
    browser.post(address, body)
    led = browser.get(address)
    assert led.headers["Location"].endswith("/second-factor")

    switch_on(browser)
    text = browser.get(address).content.decode()
    assert "You have none yourself" not in text
    body["seen"] = browser.get(address).context["form"]["seen"].value()
    del body["require_second_factor"]
    browser.post(address, body)
    team.refresh_from_db()
    assert not team.require_second_factor


def test_a_team_that_requires_one_admits_members_with_one(
    transactional_db: None, browser: Client, owner: Membership
) -> None:
    owner.team.require_second_factor = True
    owner.team.save()
    assert browser.get("/t/acme/").headers["Location"] == "/t/acme/second-factor"

    switch_on(browser)

    assert browser.get("/t/acme/").status_code == 200


def test_secrets_are_not_in_clear_in_the_database(browser: Client) -> None:
    secret, codes = switch_on(browser)

    with connection.cursor() as cursor:
        cursor.execute("SELECT data::text FROM mfa_authenticator ORDER BY type")
        stored = [json.loads(row[0]) for row in cursor.fetchall()]

    dump = json.dumps(stored)
    assert secret not in dump
    assert not [code for code in codes if code in dump]
    recovery, totp = stored
    assert totp["secret"].startswith("v1:test:")
    assert recovery["seed"].startswith("v1:test:")


def test_an_old_key_can_be_removed_after_reencrypting(
    browser: Client, user: User, settings: Any
) -> None:
    secret, codes = switch_on(browser)
    settings.BERTH_ENCRYPTION_KEYS = (
        f"{new_key('new')},{django_settings.BERTH_ENCRYPTION_KEYS}"
    )

    assert reencrypt_second_factors(batch_size=1) == 2
    assert reencrypt_second_factors() == 0

    settings.BERTH_ENCRYPTION_KEYS = settings.BERTH_ENCRYPTION_KEYS.partition(",")[0]
    elsewhere, with_codes = new_browser(), new_browser()
    sign_in(elsewhere, user)
    elsewhere.post(SIGN_IN, {"code": totp_code(secret)})
    assert is_signed_in(elsewhere)
    sign_in(with_codes, user)
    with_codes.post(SIGN_IN, {"code": codes[3]})
    assert is_signed_in(with_codes)


def test_reencrypting_stops_at_a_missing_key(browser: Client, settings: Any) -> None:
    switch_on(browser)
    before = list(Authenticator.objects.order_by("pk").values_list("data", flat=True))
    settings.BERTH_ENCRYPTION_KEYS = new_key("new")

    with pytest.raises(KeyringError, match="No key 'test'"):
        reencrypt_second_factors()

    after = list(Authenticator.objects.order_by("pk").values_list("data", flat=True))
    assert after == before


def test_reencrypting_leaves_keys_that_have_no_secret_alone(db: None) -> None:
    data = {"name": "Laptop", "credential": {"id": "x"}}
    Authenticator.objects.create(user=UserFactory(), type="webauthn", data=data)

    assert reencrypt_second_factors() == 0
    assert Authenticator.objects.get().data == data


def test_the_command_takes_second_factors_along(browser: Client, settings: Any) -> None:
    switch_on(browser)
    settings.BERTH_ENCRYPTION_KEYS = (
        f"{new_key('new')},{django_settings.BERTH_ENCRYPTION_KEYS}"
    )
    output = StringIO()

    call_command("rotate_encryption_keys", stdout=output)

    assert "second factors: 2 re-encrypted\n" in output.getvalue()


def test_the_command_says_which_key_second_factors_need(
    browser: Client, settings: Any
) -> None:
    switch_on(browser)
    Session.objects.all().delete()
    settings.BERTH_ENCRYPTION_KEYS = new_key("new")

    with pytest.raises(CommandError, match=r"No key 'test' for mfa\.auth"):
        call_command("rotate_encryption_keys")


def test_keys_get_distinct_names(user: User) -> None:
    Authenticator.objects.create(user=user, type="webauthn", data={"name": "Key 1"})

    name = SecondFactorAdapter().generate_authenticator_name(user, "webauthn")

    assert name == "Key 2"
