from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.hashers import Argon2PasswordHasher

from portal.crypto.secrets import Secret
from registries.decision.credentials import (
    PresentedCredential,
    PullCredential,
    Subject,
)
from registries.decision.facts import ApiTokenHolder, Holder, UserHolder
from registries.decision.passwords import (
    SecondFactorRequired,
    authorize_password_login,
    identify_by_password,
)
from registries.decision.pull import Denied
from registries.decision.query import fetch_facts
from registries.decision.sentences import UNKNOWN_LICENSE, UNKNOWN_LOGIN
from registries.models.outcomes import Reason
from teams.models import Membership, User
from tests.support.pages.reading import give_password
from tests.support.rows.factories import PASSWORD, api_token_text

NUMBER = "3f2b8c1e-0d4a-4b6e-9a71-5c2d8e9f0a1b"


@pytest.fixture
def user(owner: Membership) -> User:
    return give_password(owner.user)


def identify(credential: PullCredential) -> Holder | None:
    return fetch_facts(credential).holder


def with_password(user: User, password: str = PASSWORD) -> PresentedCredential:
    return PresentedCredential(user.email, Secret(password))


def test_an_account_password_identifies_its_user(user: User) -> None:
    assert identify_by_password(with_password(user)) == UserHolder(user.pk)
    assert identify_by_password(with_password(user, "wrong")) is None


def test_a_password_goes_with_the_address_in_any_case(user: User) -> None:
    assert identify_by_password(
        PresentedCredential(user.email.upper(), Secret(PASSWORD))
    ) == UserHolder(user.pk)


def test_a_password_is_refused_once_a_second_factor_is_on(
    user: User, owner: Membership
) -> None:
    text = api_token_text(team=owner.team, kind="user", user=user)
    TOTP.activate(user, generate_totp_secret())

    with pytest.raises(SecondFactorRequired):
        identify_by_password(with_password(user))
    assert identify_by_password(with_password(user, "wrong")) is None
    holder = identify(PresentedCredential(user.email, Secret(text)))
    assert isinstance(holder, ApiTokenHolder)


@pytest.mark.parametrize(
    ("is_private", "sentence"), [(False, UNKNOWN_LICENSE), (True, UNKNOWN_LOGIN)]
)
def test_a_login_by_password_says_why_it_is_refused(
    user: User, is_private: bool, sentence: str
) -> None:
    holder = authorize_password_login(with_password(user), is_private=is_private)
    assert holder == UserHolder(user.pk)
    wrong = with_password(user, "wrong")
    unknown = authorize_password_login(wrong, is_private=is_private)
    assert isinstance(unknown, Denied)
    assert (unknown.reason, unknown.message) == (Reason.CREDENTIAL_UNKNOWN, sentence)

    TOTP.activate(user, generate_totp_secret())

    denied = authorize_password_login(with_password(user), is_private=is_private)
    assert isinstance(denied, Denied)
    assert denied.reason is Reason.SECOND_FACTOR_REQUIRED
    assert not isinstance(authorize_password_login(wrong), UserHolder)


def test_recovery_codes_alone_are_not_a_second_factor(
    user: User,
) -> None:
    RecoveryCodes.activate(user)

    assert identify_by_password(with_password(user)) == UserHolder(user.pk)


def test_identify_refuses_a_user_token_where_the_team_requires_a_second_factor(
    user: User, owner: Membership
) -> None:
    text = api_token_text(team=owner.team, kind="user", user=user)
    owner.team.require_second_factor = True
    owner.team.save()

    assert identify(PresentedCredential(user.email, Secret(text))) is None


def test_an_address_that_is_yet_to_be_confirmed_identifies_nobody(user: User) -> None:
    EmailAddress.objects.create(user=user, email="new@acme.example", verified=False)

    presented = PresentedCredential("new@acme.example", Secret(PASSWORD))
    assert identify_by_password(presented) is None


@pytest.mark.parametrize(
    ("username", "password", "expected"),
    [
        ("me@acme.example", "2" * 27, True),
        ("me@acme.example", "anything", True),
        ("me", "anything", False),
        ("me@acme.example", "berth_user_x", False),
    ],
)
def test_passwords_go_with_an_address(
    username: str, password: str, expected: bool
) -> None:
    presented = PresentedCredential(username, Secret(password))

    assert presented.may_be_account_password is expected


@pytest.mark.django_db
def test_looking_a_credential_up_hashes_no_password(user: User) -> None:
    assert identify(with_password(user)) is None


@pytest.mark.parametrize(
    ("username", "password", "hashes"),
    [
        ("me@acme.example", "wrong", 1),
        ("me", "wrong", 0),
        ("license", "a" * 26, 0),
        ("", "wrong", 0),
        ("me@acme.example", "berth_wrong", 0),
    ],
)
def test_only_a_login_that_could_be_an_accounts_costs_a_hash(
    db: None,
    monkeypatch: pytest.MonkeyPatch,
    username: str,
    password: str,
    hashes: int,
) -> None:
    hashed = []
    encode = Argon2PasswordHasher.encode

    def counted(self: Argon2PasswordHasher, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(Argon2PasswordHasher, "encode", counted)

    presented = PresentedCredential(username, Secret(password))

    assert identify(presented) is None
    assert identify_by_password(presented) is None
    assert hashed == [password] * hashes


@pytest.mark.parametrize(
    ("text", "kind", "number"),
    [
        (f"license:{NUMBER}", "license", NUMBER),
        (f"api-token:{NUMBER}", "api-token", NUMBER),
        (f"user:{NUMBER}", "user", NUMBER),
        (f"pull-credential:{NUMBER}", "pull-credential", NUMBER),
        (f"license:{NUMBER}.2", "license", NUMBER),
        (f"license:{NUMBER}.41", "license", NUMBER),
    ],
)
def test_a_subject_is_read_as_it_is_written(text: str, kind: str, number: str) -> None:
    subject = Subject.parse(text)

    assert subject is not None
    assert (subject.kind.value, str(subject.id), str(subject)) == (kind, number, text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "license", "license:", "license:x", f"team:{NUMBER}", f":{NUMBER}"),
        *(f"license:{NUMBER}.", f"license:{NUMBER}.x", f"license:{NUMBER}.02"),
        *(f"license:{NUMBER}.0", f"license:{NUMBER}.1", f"license:{NUMBER}.1234567890"),
        *(f"user:{NUMBER}.2", f"pull-credential:{NUMBER}.2", f"license:{NUMBER}\n"),
        *(f"license:{{{NUMBER}}}", f"LICENSE:{NUMBER}", f"license:{NUMBER.upper()}"),
    ],
)
def test_any_other_subject_is_anonymous(text: str) -> None:
    assert Subject.parse(text) is None
