from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

from portal.crypto.secrets import Secret
from registries.decision.credentials import (
    ApiTokenHolder,
    PresentedCredential,
    SecondFactorRequired,
    UserHolder,
    identify,
)
from teams.models import Membership, User
from tests.support.pages.reading import give_password
from tests.support.rows.factories import PASSWORD, api_token_text


@pytest.fixture
def user(owner: Membership) -> User:
    return give_password(owner.user)


def with_password(user: User, password: str = PASSWORD) -> PresentedCredential:
    return PresentedCredential(user.email, Secret(password))


def test_identify_takes_an_account_password(user: User) -> None:
    assert identify(with_password(user)) == UserHolder(user)
    assert identify(with_password(user, "wrong")) is None


def test_identify_takes_an_address_in_any_case(user: User) -> None:
    assert identify(
        PresentedCredential(user.email.upper(), Secret(PASSWORD))
    ) == UserHolder(user)


def test_identify_refuses_a_password_once_a_second_factor_is_on(
    user: User, owner: Membership
) -> None:
    text = api_token_text(team=owner.team, kind="user", user=user)
    TOTP.activate(user, generate_totp_secret())

    with pytest.raises(SecondFactorRequired):
        identify(with_password(user))
    assert identify(with_password(user, "wrong")) is None
    holder = identify(PresentedCredential(user.email, Secret(text)))
    assert isinstance(holder, ApiTokenHolder)


def test_identify_does_not_take_recovery_codes_for_a_second_factor(
    user: User,
) -> None:
    RecoveryCodes.activate(user)

    assert identify(with_password(user)) == UserHolder(user)


def test_identify_refuses_a_user_token_where_the_team_requires_a_second_factor(
    user: User, owner: Membership
) -> None:
    text = api_token_text(team=owner.team, kind="user", user=user)
    owner.team.require_second_factor = True
    owner.team.save()

    assert identify(PresentedCredential(user.email, Secret(text))) is None


def test_identify_knows_no_address_that_is_yet_to_be_confirmed(user: User) -> None:
    EmailAddress.objects.create(user=user, email="new@acme.example", verified=False)

    presented = PresentedCredential("new@acme.example", Secret(PASSWORD))
    assert identify(presented) is None
