from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.test import Client

from portal.single_sign_on import openid_connect
from teams.models import Invitation, Membership, User
from tests.integration.teams.sign_in.sign_on import (
    CALLBACK,
    GUEST,
    OWNER,
    START,
    sign_on,
    text,
    use,
    way_back,
    way_out,
)
from tests.support.pages.reading import (
    give_password,
    is_signed_in,
    new_browser,
    sign_in,
    text_of,
    totp_code,
)
from tests.support.rows.audit import audited
from tests.support.servers.identity_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    IdentityProvider,
    identity_provider,
)


@pytest.fixture
def browser() -> Client:
    return new_browser()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_verified_address_opens_its_account(
    algorithm: str,
    owner: Membership,
    browser: Client,
    settings: Any,
    mailoutbox: list[EmailMessage],
) -> None:
    give_password(owner.user)
    with identity_provider(algorithm) as provider:
        provider.redirect_uris.add(f"http://testserver{CALLBACK}")
        provider.person = {**OWNER, "email": "OWNER@acme.example"}
        use(settings, provider.issuer)

        response = sign_on(browser)

    assert response.headers["Location"] == "/"
    assert browser.get("/t/acme/").status_code == 200
    assert User.objects.count() == 1
    account = SocialAccount.objects.get()
    assert (account.user, account.provider, account.uid) == (owner.user, "sso", "7")
    assert [mail.subject for mail in mailoutbox] == ["Berth: Single sign-on connected"]
    assert "connected to Acme Identity" in str(mailoutbox[0].body)
    assert audited(owner.team) == [
        ("account:single-sign-on-connected", "owner@acme.example")
    ]
    # The password stays: nobody else can have made this account.
    assert sign_in(new_browser(), owner.user).headers["Location"] == "/"


def test_a_connected_account_is_known_by_subject(
    owner: Membership, browser: Client, provider: IdentityProvider
) -> None:
    sign_on(browser)
    provider.person = {**OWNER, "email": "renamed@acme.example"}
    elsewhere = new_browser()

    sign_on(elsewhere)

    assert elsewhere.get("/t/acme/").status_code == 200
    owner.user.refresh_from_db()
    assert owner.user.email == "owner@acme.example"


def test_codes_are_bound_to_the_browser_by_pkce_and_state(
    owner: Membership, browser: Client, provider: IdentityProvider
) -> None:
    address = way_out(browser)
    query = {
        name: value[0] for name, value in parse_qs(urlsplit(address).query).items()
    }

    back = way_back(address)
    browser.get(back)

    assert query["code_challenge_method"] == "S256"
    assert set(query["scope"].split()) == {"openid", "profile", "email"}
    assert len(query["state"]) >= 16
    (sent,) = [body for path, body in provider.requests if path == "/token"]
    assert len(sent["code_verifier"]) >= 43
    stranger = new_browser()
    assert stranger.get(back).status_code == 401
    assert not is_signed_in(stranger)


def test_a_stolen_code_is_of_no_use_in_another_session(
    owner: Membership, browser: Client, provider: IdentityProvider
) -> None:
    stolen = parse_qs(urlsplit(way_back(way_out(browser))).query)["code"][0]
    thief = new_browser()
    state = parse_qs(urlsplit(way_back(way_out(thief))).query)["state"][0]

    response = thief.get(CALLBACK, {"code": stolen, "state": state})

    assert response.status_code == 401
    assert "Single sign-on failed" in text_of(response)
    assert not is_signed_in(thief)


def test_an_answer_works_once(
    owner: Membership, browser: Client, provider: IdentityProvider
) -> None:
    back = way_back(way_out(browser))
    browser.get(back)
    browser.post("/accounts/logout/")

    assert browser.get(back).status_code == 401
    assert not is_signed_in(browser)


def test_the_same_subject_of_another_issuer_is_another_person(
    owner: Membership, browser: Client, provider: IdentityProvider, settings: Any
) -> None:
    sign_on(browser)
    elsewhere = new_browser()
    with identity_provider() as another:
        another.redirect_uris.add(f"http://testserver{CALLBACK}")
        another.person = {**OWNER, "email": "stranger@example.com"}
        use(settings, another.issuer)

        response = sign_on(elsewhere)

    assert "You need an invitation" in text_of(response)
    assert not is_signed_in(elsewhere)


@pytest.mark.parametrize(
    "wrong",
    [
        {"aud": "another-client"},
        {"iss": "https://evil.example.com"},
        {"exp": 1_000_000_000},
        {"sub": "8"},
        {"sub": None},
        {"aud": None},
    ],
)
def test_an_id_token_for_another_person_or_client_is_refused(
    wrong: dict[str, object],
    owner: Membership,
    browser: Client,
    provider: IdentityProvider,
) -> None:
    provider.wrong = wrong

    response = sign_on(browser)

    assert response.status_code == 401
    assert "Single sign-on failed" in text_of(response)
    assert not is_signed_in(browser)
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize(
    "sub",
    ["", "a\x00b", None, "x" * 300],
    ids=["empty", "unprintable", "missing", "too-long"],
)
def test_a_strange_subject_is_refused(
    sub: object, owner: Membership, browser: Client, provider: IdentityProvider
) -> None:
    provider.person = {**OWNER, "sub": sub}
    provider.wrong = {"sub": sub}

    assert sign_on(browser).status_code == 401
    assert not SocialAccount.objects.exists()


def test_no_more_is_kept_than_what_is_needed(
    owner: Membership, browser: Client, provider: IdentityProvider
) -> None:
    provider.person = {**OWNER, "phone_number": "+44 20 7946 0000", "groups": ["x"]}

    sign_on(browser)

    assert SocialAccount.objects.get().extra_data == {
        "id_token": {"iss": provider.issuer},
        "userinfo": {"email": "owner@acme.example"},
    }


def test_an_answer_without_an_id_token_is_refused(
    owner: Membership, browser: Client, provider: IdentityProvider
) -> None:
    provider.sends_id_token = False

    assert sign_on(browser).status_code == 401
    assert not is_signed_in(browser)


def test_cancelling_at_the_provider(
    owner: Membership, browser: Client, provider: IdentityProvider
) -> None:
    provider.refuses = "access_denied"

    response = sign_on(browser)

    assert response.headers["Location"] == "/accounts/3rdparty/login/cancelled/"
    assert "not signed in" in text_of(browser.get(response.headers["Location"]))


@pytest.mark.parametrize("step", ["out", "back"])
def test_an_unavailable_provider_is_reported(
    step: str, owner: Membership, browser: Client, settings: Any
) -> None:
    with identity_provider() as provider:
        provider.redirect_uris.add(f"http://testserver{CALLBACK}")
        provider.person = dict(OWNER)
        use(settings, provider.issuer)
        back = way_back(way_out(browser))

    response = browser.post(START) if step == "out" else browser.get(back)

    assert response.status_code == 401
    assert "Single sign-on failed" in text_of(response)


def test_a_wrong_client_secret_is_reported_and_not_shown(
    owner: Membership,
    browser: Client,
    provider: IdentityProvider,
    settings: Any,
    caplog: Any,
) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = openid_connect(
        name="Acme",
        issuer=provider.issuer,
        client_id=CLIENT_ID,
        client_secret="a-secret-mistyped",
    )

    response = sign_on(browser)

    assert response.status_code == 401
    assert "invalid_client" in caplog.text
    assert "a-secret-mistyped" not in caplog.text + text(response)


def test_a_second_factor_is_asked_for_too(
    owner: Membership, browser: Client, provider: IdentityProvider
) -> None:
    secret = generate_totp_secret()
    TOTP.activate(owner.user, secret)

    response = sign_on(browser)

    assert response.headers["Location"] == "/accounts/2fa/authenticate/"
    assert not is_signed_in(browser)
    browser.post("/accounts/2fa/authenticate/", {"code": totp_code(secret)})
    assert is_signed_in(browser)


def test_an_account_switched_off_stays_so(
    owner: Membership, browser: Client, provider: IdentityProvider
) -> None:
    User.objects.update(is_active=False)

    response = sign_on(browser)

    assert response.headers["Location"] == "/accounts/inactive/"
    assert not is_signed_in(browser)


def test_signing_on_leads_to_the_page_asked_for_and_nowhere_else(
    owner: Membership, provider: IdentityProvider
) -> None:
    for asked, led in (
        ("/t/acme/customers", "/t/acme/customers"),
        ("https://evil.example.com/", "/"),
    ):
        response = sign_on(new_browser(), f"?next={asked}")

        assert response.headers["Location"] == led


def test_pages_offer_it_only_if_it_is_there(
    owner: Membership, browser: Client, settings: Any
) -> None:
    browser.force_login(owner.user)
    stranger = new_browser()
    pages = [(stranger, "/accounts/login/"), (browser, "/accounts/email/")]

    without = [text_of(client.get(path)) for client, path in pages]
    use(settings, "https://login.example.com")
    offered = [text_of(client.get(path)) for client, path in pages]

    assert "Acme" not in without[0]
    assert "Single sign-on" not in without[1]
    assert "Sign in with Acme Identity" in offered[0]
    assert "Single sign-on" in offered[1]
    assert CLIENT_SECRET not in "".join(offered)
    assert stranger.post("/accounts/oidc/other/login/").status_code == 404


@pytest.mark.parametrize(
    "issuer",
    [
        "http://login.example.com",
        "login.example.com",
        "http://10.0.0.1:8080",
        "ws://localhost:8080",
    ],
)
def test_an_issuer_must_use_https(issuer: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="BERTH_OIDC_ISSUER"):
        openid_connect(name="x", issuer=issuer, client_id="x", client_secret="x")


def test_nothing_leads_there_without_an_issuer(browser: Client, db: None) -> None:
    assert browser.post(START).status_code == 404
    assert browser.get(CALLBACK).status_code == 404


def test_the_fake_provider_refuses_a_wrong_verifier() -> None:
    with identity_provider() as provider:
        provider.redirect_uris.add("http://testserver/")
        location = provider.authorize(
            {
                "client_id": CLIENT_ID,
                "redirect_uri": "http://testserver/",
                "response_type": "code",
                "scope": "openid",
                "state": "s",
                "code_challenge": "x" * 43,
                "code_challenge_method": "S256",
            }
        )
        code = parse_qs(urlsplit(location).query)["code"][0]
        body = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": "http://testserver/",
            "code_verifier": "y" * 43,
        }

        assert provider.token(body, "") == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize("verified", [False, None, "false", "no", 0, 1, []])
def test_an_unverified_address_opens_no_account(
    verified: object,
    owner: Membership,
    invitation: Invitation,
    browser: Client,
    provider: IdentityProvider,
) -> None:
    for person in (OWNER, GUEST):
        provider.person = {**person, "email_verified": verified}

        response = sign_on(browser)

        assert "You need an invitation" in text_of(response)
        assert not is_signed_in(browser)
    assert User.objects.count() == 1
    assert not SocialAccount.objects.exists()


def test_another_users_pending_address_does_not_capture_its_owner(
    invitation: Invitation,
    outsider: Membership,
    browser: Client,
    provider: IdentityProvider,
) -> None:
    EmailAddress.objects.create(
        user=outsider.user, email="guest@acme.example", verified=False
    )
    provider.person = dict(GUEST)

    sign_on(browser)

    guest = User.objects.get(email="guest@acme.example")
    assert guest != outsider.user
    assert str(guest.pk) == browser.session["_auth_user_id"]
    assert not EmailAddress.objects.filter(user=outsider.user).exists()
