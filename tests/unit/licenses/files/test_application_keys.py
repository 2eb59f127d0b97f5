from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from licenses.files.application_keys import (
    private_key_of,
    replace_signing_key,
    signing_key_of,
)
from licenses.files.license_file import license_file
from licenses.files.license_keys import generate_key, key_id
from licenses.models import Application, LicenseSigningKey
from portal.crypto.pem import private_pem, public_pem
from portal.errors import Conflict
from teams.models import Team
from tests.support.clients.license_verifier import LicenseRefused, verify_license
from tests.support.rows.audit import audited
from tests.support.rows.factories import ApplicationFactory, LicenseFactory

OLD, NEW = generate_key(), generate_key()
OLD_PEM, NEW_PEM = (public_pem(key.public_key()) for key in (OLD, NEW))


@pytest.fixture(autouse=True)
def _old_root(settings: Any) -> None:
    settings.BERTH_LICENSE_ROOT_KEY = private_pem(OLD)


def test_each_application_has_a_key_of_its_own(team: Team) -> None:
    one, other = ApplicationFactory(team=team), ApplicationFactory(team=team)

    first, second = signing_key_of(one), signing_key_of(other)

    assert signing_key_of(one) == first
    assert first.public_key != second.public_key
    assert first.team == team
    assert first.root_id == key_id(OLD.public_key())
    assert public_pem(private_key_of(first).public_key()) == first.public_key
    assert [tag for tag, _ in audited(team)] == ["license-key:created"] * 2


def test_the_private_key_is_stored_encrypted(team: Team) -> None:
    stored = signing_key_of(ApplicationFactory(team=team))

    row = LicenseSigningKey.objects.values().get(pk=stored.pk)
    assert "PRIVATE KEY" not in str(row)
    assert "PRIVATE KEY" in stored.private_key.reveal()
    assert "PRIVATE KEY" not in repr(stored.private_key)


def test_a_later_key_is_read_without_the_root(team: Team, settings: Any) -> None:
    application = ApplicationFactory(team=team)
    stored = signing_key_of(application)

    settings.BERTH_LICENSE_ROOT_KEY = OLD_PEM  # its private half is offline now

    assert signing_key_of(application) == stored
    assert LicenseSigningKey.objects.get().root_signature == stored.root_signature


@pytest.mark.parametrize("setting", ["", OLD_PEM], ids=["none", "offline"])
def test_a_first_key_needs_the_root(team: Team, settings: Any, setting: str) -> None:
    settings.BERTH_LICENSE_ROOT_KEY = setting

    with pytest.raises(Conflict) as caught:
        signing_key_of(ApplicationFactory(team=team))

    assert caught.value.code == "license_signing_not_set_up"
    assert "BERTH_LICENSE_ROOT_KEY" in caught.value.message
    assert not LicenseSigningKey.objects.exists()


@pytest.mark.parametrize("setting", ["", NEW_PEM], ids=["none", "another"])
def test_a_key_of_a_root_that_is_gone_is_not_used(
    team: Team, settings: Any, setting: str
) -> None:
    application = ApplicationFactory(team=team)
    stored = signing_key_of(application)
    settings.BERTH_LICENSE_ROOT_KEY = setting

    with pytest.raises(Conflict):
        signing_key_of(application)

    assert LicenseSigningKey.objects.get().root_id == stored.root_id


def test_a_new_root_signs_the_same_keys(team: Team, settings: Any) -> None:
    license = LicenseFactory(team=team)
    before = license_file(license)
    old_text = before.text()
    settings.BERTH_LICENSE_ROOT_KEY = private_pem(NEW) + OLD_PEM

    after = license_file(license)

    assert after.signing_key.public_key == before.signing_key.public_key
    assert after.tag != before.tag
    assert [tag for tag, _ in audited(team)] == [
        "license-key:created",
        "license-key:re-signed",
    ]
    verify_license(after.text(), NEW_PEM)
    # Files signed earlier are valid for everyone who trusts both.
    verify_license(old_text, NEW_PEM + OLD_PEM)
    with pytest.raises(LicenseRefused, match="unknown root"):
        verify_license(old_text, NEW_PEM)


def test_a_replaced_key_signs_from_then_on(team: Team) -> None:
    license = LicenseFactory(team=team)
    before = license_file(license)

    replaced = replace_signing_key(license.application)

    after = license_file(license)
    assert after.signing_key == replaced
    assert replaced.public_key != before.signing_key.public_key
    assert after.tag != before.tag
    verify_license(after.text(), OLD_PEM)
    assert LicenseSigningKey.objects.count() == 1


def test_a_key_is_not_replaced_without_the_root(team: Team, settings: Any) -> None:
    application = ApplicationFactory(team=team)
    stored = signing_key_of(application)
    settings.BERTH_LICENSE_ROOT_KEY = OLD_PEM

    with pytest.raises(Conflict):
        replace_signing_key(application)

    assert signing_key_of(application) == stored


@pytest.mark.django_db(transaction=True)
def test_all_who_ask_at_the_same_time_get_one_key() -> None:
    application: Application = ApplicationFactory()
    together = threading.Barrier(4)

    def ask() -> str:
        together.wait(30)
        try:
            return signing_key_of(application).public_key
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(ask) for _ in range(4)]
        results = {call.result() for call in asked}

    assert results == {LicenseSigningKey.objects.get().public_key}


@pytest.mark.django_db(transaction=True)
def test_a_key_being_replaced_is_not_re_signed(settings: Any) -> None:
    application: Application = ApplicationFactory()
    old = signing_key_of(application)
    settings.BERTH_LICENSE_ROOT_KEY = private_pem(NEW) + OLD_PEM

    def ask() -> LicenseSigningKey:
        try:
            return signing_key_of(application)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as elsewhere:
        with transaction.atomic():
            replaced = replace_signing_key(application)
            asked = elsewhere.submit(ask)
            wait_until(is_waiting_for_a_lock)
        key = asked.result(10)

    assert key == replaced
    assert (key.public_key, key.root_id) == (replaced.public_key, replaced.root_id)
    assert key.public_key != old.public_key
    assert [tag for tag, _ in audited(application.team)] == ["license-key:created"] * 2


@pytest.mark.django_db(transaction=True)
def test_concurrent_re_signing_keeps_one_signature(settings: Any) -> None:
    application: Application = ApplicationFactory()
    signing_key_of(application)
    settings.BERTH_LICENSE_ROOT_KEY = private_pem(NEW) + OLD_PEM
    together = threading.Barrier(4)

    def ask() -> str:
        together.wait(30)
        try:
            return signing_key_of(application).root_signature
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(ask) for _ in range(4)]
        results = {call.result() for call in asked}

    assert results == {LicenseSigningKey.objects.get().root_signature}
    assert [tag for tag, _ in audited(application.team)] == [
        "license-key:created",
        "license-key:re-signed",
    ]


def is_waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
