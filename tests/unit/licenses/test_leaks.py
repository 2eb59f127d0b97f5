"""Secrets of a vendor's customers and team that somebody has found and reported."""

from __future__ import annotations

import pytest
from django.utils import timezone

from alerts.models import Alert
from licenses import services
from licenses.models import CredentialState, License, Notice
from licenses.selectors import (
    license_by_secret,
)
from portal.crypto.secrets import Secret
from teams.actors import NO_REQUEST, Actor
from teams.models import ApiToken, Team
from tests.support.rows.audit import audited
from tests.support.rows.factories import (
    ApiTokenFactory,
    LicenseFactory,
    PullCredentialFactory,
    api_token_text,
    pull_credential,
)


@pytest.fixture
def license(team: Team) -> License:
    return LicenseFactory(team=team)


def leak(secret: str) -> None:
    services.revoke_leaked(Secret(secret), NO_REQUEST)


def test_a_leaked_credential_is_revoked_and_the_team_is_told(
    license: License,
) -> None:
    credential, text = pull_credential(license, name="cluster")
    other = PullCredentialFactory(license=license)

    leak(text)

    credential.refresh_from_db()
    other.refresh_from_db()
    assert credential.state() is CredentialState.REVOKED
    assert other.state() is CredentialState.ACTIVE
    assert audited(license.team)[-1] == ("secret:leaked", "cluster")
    assert (credential.was_leaked, other.was_leaked) == (True, False)
    alert = Alert.objects.get()
    assert (alert.event, alert.team) == ("secret.leaked", license.team)
    assert alert.subject_id == license.pk
    assert alert.message == (
        f"The pull credential cluster of the license of {license.customer.name} for "
        f"{license.application.slug} was reported as leaked, and was stopped."
    )
    assert alert.data["credential"]["key"] == credential.key
    assert text not in str(Alert.objects.values().get())


def has_ended(license: License) -> bool:
    """Return whether the license ID before the current one has ended."""
    ends_at = license.previous_license_id_ends_at
    return ends_at is not None and ends_at <= timezone.now()


def test_a_leaked_license_id_is_replaced_and_ends(license: License) -> None:
    first = license.license_id.reveal()

    leak(first)

    license.refresh_from_db()
    assert license.license_id.reveal() != first
    assert has_ended(license)
    sequence = license.sequence
    leak(first)
    license.refresh_from_db()
    assert license.sequence == sequence


def test_a_leak_of_the_license_id_before_replaces_the_current_one_too(
    actor: Actor, license: License
) -> None:
    """Whoever read the old one may have downloaded the file with the new one."""
    first = license.license_id.reveal()
    second = services.replace_license_id(actor=actor, license=license)

    leak(first)

    license.refresh_from_db()
    assert license.license_id.reveal() not in {first, second.reveal()}
    assert license_by_secret(Secret(first)) is None
    assert has_ended(license)
    tags = [tag for tag, _ in audited(license.team)]
    assert tags.count("secret:leaked") == 1


def test_a_leaked_api_token_is_revoked(team: Team) -> None:
    text = api_token_text(team=team)
    kept = ApiTokenFactory(team=team)

    leak(text)

    revoked = ApiToken.objects.exclude(pk=kept.pk).get()
    assert revoked.revoked_at is not None
    alert = Alert.objects.get()
    assert (alert.subject_id, alert.data) == (revoked.pk, {"kind": "api_token"})
    assert not Notice.objects.exists()
    kept.refresh_from_db()
    assert kept.revoked_at is None


@pytest.mark.parametrize("text", ["", "x" * 27, "\x00", "berth_pull_x", "é" * 27])
def test_what_nobody_has_changes_nothing(license: License, text: str) -> None:
    credential = PullCredentialFactory(license=license)

    leak(text)

    credential.refresh_from_db()
    assert credential.state() is CredentialState.ACTIVE
    assert audited(license.team) == []
    assert not Alert.objects.exists()
