"""Re-encryption beside concurrent saves."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.conf import settings as current
from django.db import connection, connections, transaction

from portal.crypto.fields import reencrypt_all
from portal.crypto.secrets import Secret
from registries.models import Credential
from tests.support.rows.factories import CredentialFactory
from tests.unit.portal.test_fields import new_key


def wait_for_a_blocked_statement() -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("Nothing waits for the row.")


@pytest.mark.django_db(transaction=True)
def test_a_save_during_re_encryption_is_not_overwritten(settings: Any) -> None:
    credential = CredentialFactory(username=Secret("old"), secret=Secret("old"))
    settings.BERTH_ENCRYPTION_KEYS = f"{new_key('new')},{current.BERTH_ENCRYPTION_KEYS}"

    def reencrypt() -> None:
        try:
            list(reencrypt_all())
        finally:
            connections.close_all()

    thread = threading.Thread(target=reencrypt)
    with transaction.atomic():
        credential.username = credential.secret = Secret("saved")
        credential.save()
        thread.start()
        wait_for_a_blocked_statement()
    thread.join(30)

    stored = Credential.objects.get()
    assert (stored.username.reveal(), stored.secret.reveal()) == ("saved", "saved")
