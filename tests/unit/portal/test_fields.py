from __future__ import annotations

import base64
import secrets
from typing import Any

import pytest
from django.conf import settings as present
from django.core.exceptions import FieldError
from django.db import connection

from licenses.models import License
from licenses.services import rehash_license_ids
from portal.crypto.fields import SealedSecret, reencrypt_all
from portal.crypto.keyring import KeyringError
from portal.crypto.secrets import Secret
from registries.models import Credential
from teams.models import Team
from tests.support.rows.factories import CredentialFactory, LicenseFactory


def new_key(name: str) -> str:
    return f"{name}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def stored(column: str, table: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} ORDER BY id")  # noqa: S608
        return [row[0] for row in cursor.fetchall()]


def test_field_stores_ciphertext_and_reads_sealed_secrets(team: Team) -> None:
    CredentialFactory(registry__team=team, secret=Secret("hunter2"))

    credential = Credential.objects.get()

    assert isinstance(credential.secret, SealedSecret)
    assert credential.secret.reveal() == "hunter2"
    assert "hunter2" not in repr(credential.secret)
    assert [
        text.split(":")[:2] for text in stored("secret", "registries_credential")
    ] == [["v1", "test"]]


@pytest.mark.django_db
def test_field_refuses_plain_text() -> None:
    with pytest.raises(TypeError, match="Assign a Secret"):
        CredentialFactory(secret="hunter2")


@pytest.mark.django_db
def test_field_refuses_to_be_searched() -> None:
    for lookup in ("secret", "secret__startswith", "secret__in"):
        with pytest.raises(FieldError):
            Credential.objects.filter(**{lookup: "v1:a:b"}).count()
    assert Credential.objects.filter(secret__isnull=True).count() == 0


def test_value_moved_to_another_row_does_not_decrypt(team: Team) -> None:
    mine = CredentialFactory(registry__team=team)
    theirs = CredentialFactory(registry__team=team)
    ciphertext = Credential.objects.filter(pk=theirs.pk).values_list("secret").get()[0]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE registries_credential SET secret = %s WHERE id = %s",
            [str(ciphertext), mine.pk],
        )

    with pytest.raises(KeyringError):
        Credential.objects.get(pk=mine.pk).secret.reveal()


def test_value_moved_to_another_column_does_not_decrypt(team: Team) -> None:
    credential = CredentialFactory(registry__team=team)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE registries_credential SET username = secret")

    with pytest.raises(KeyringError):
        Credential.objects.get(pk=credential.pk).username.reveal()


def test_reencrypt_all_renews_every_value_in_batches(team: Team, settings: Any) -> None:
    LicenseFactory.create_batch(5, team=team)
    CredentialFactory(registry__team=team, secret=Secret("hunter2"))
    ids = {license.pk: license.license_id.reveal() for license in License.objects.all()}
    settings.BERTH_ENCRYPTION_KEYS = f"{new_key('new')},{present.BERTH_ENCRYPTION_KEYS}"

    batches = [batch for batch in reencrypt_all(batch_size=2) if batch[1]]

    assert sorted(batches) == [
        ("licenses.license.license_id", 1),
        ("licenses.license.license_id", 2),
        ("licenses.license.license_id", 2),
        ("registries.credential.secret", 1),
        ("registries.credential.username", 1),
    ]
    settings.BERTH_ENCRYPTION_KEYS = settings.BERTH_ENCRYPTION_KEYS.partition(",")[0]
    renewed = License.objects.all()
    assert {license.pk: license.license_id.reveal() for license in renewed} == ids
    assert Credential.objects.get().secret.reveal() == "hunter2"
    assert sum(changed for _, changed in reencrypt_all()) == 0


def test_reencrypt_all_stops_at_a_missing_key(team: Team, settings: Any) -> None:
    LicenseFactory(team=team)
    before = stored("license_id", "licenses_license")
    settings.BERTH_ENCRYPTION_KEYS = new_key("new")

    with pytest.raises(KeyringError, match="No key 'test'"):
        list(reencrypt_all())

    assert stored("license_id", "licenses_license") == before


def test_rehash_renews_license_digests(team: Team, settings: Any) -> None:
    LicenseFactory.create_batch(3, team=team)
    settings.BERTH_HMAC_KEYS = f"{new_key('new')},{present.BERTH_HMAC_KEYS}"

    assert rehash_license_ids() == 3
    assert rehash_license_ids() == 0

    digests = stored("license_id_digest", "licenses_license")
    assert [digest.partition(":")[0] for digest in digests] == ["new"] * 3
