"""What the database keeps of a session opens nothing."""

from __future__ import annotations

import base64
import secrets
from datetime import timedelta
from io import StringIO
from typing import Any

from django.core.mail import EmailMessage
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from teams.models import Membership, Session
from teams.sign_in.sessions import list_sessions
from teams.tasks import delete_expired_sessions_task
from tests.support.pages.reading import (
    give_password,
    links_in,
    new_browser,
    sign_in,
)


def dump() -> str:
    """Return every row of every table as text."""
    texts = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT "row"::text FROM "{table}" AS "row"')  # noqa: S608 -- our own tables
            texts += [row for (row,) in cursor.fetchall()]
    return "\n".join(texts)


def signed_in(owner: Membership) -> Client:
    browser = new_browser()
    sign_in(browser, give_password(owner.user))
    assert browser.get("/t/acme/").status_code == 200
    return browser


def test_a_dump_holds_no_cookie(owner: Membership) -> None:
    browser = signed_in(owner)
    browser.get("/accounts/sessions/")

    rows = dump()

    assert str(owner.pk) in rows
    assert browser.cookies["sessionid"].value not in rows


def test_what_is_stored_opens_nothing(owner: Membership) -> None:
    browser = signed_in(owner)
    (stored,) = Session.objects.values_list("session_key", flat=True)
    thief = new_browser()

    for stolen in (stored, stored[:32], stored[:40]):
        thief.cookies["sessionid"] = str(stolen)
        assert thief.get("/t/acme/").status_code == 302

    assert browser.get("/t/acme/").status_code == 200


def test_signing_out_deletes_the_session(owner: Membership) -> None:
    browser = signed_in(owner)
    cookie = browser.cookies["sessionid"].value

    browser.post("/accounts/logout/")

    assert not Session.objects.filter(user=owner.user).exists()
    again = new_browser()
    again.cookies["sessionid"] = cookie
    assert again.get("/t/acme/").status_code == 302


def test_a_session_ended_by_a_new_password_is_not_listed(owner: Membership) -> None:
    signed_in(owner)
    give_password(owner.user, "changed on the command line")
    assert list_sessions(owner.user) == []

    browser = new_browser()
    sign_in(browser, owner.user, "changed on the command line")

    assert len(list_sessions(owner.user)) == 1


def test_expired_sessions_are_deleted(owner: Membership) -> None:
    browser = signed_in(owner)
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    signed_in(owner)
    assert browser.get("/t/acme/").status_code == 302

    delete_expired_sessions_task()

    assert Session.objects.filter(user=owner.user).count() == 1


def test_a_dump_holds_no_link_that_resets_a_password(
    owner: Membership, mailoutbox: list[EmailMessage]
) -> None:
    browser = new_browser()
    browser.post("/accounts/password/reset/", {"email": owner.user.email})
    (link,) = links_in(str(mailoutbox[0].body))
    assert browser.get(link).status_code == 302

    kept = browser.session["_password_reset_key"]

    assert kept in link
    (row,) = Session.objects.all()
    assert row.session_data.stored.startswith("v1:test:")
    assert kept not in dump()


def test_sessions_survive_a_new_encryption_key(
    owner: Membership, settings: Any
) -> None:
    browser = signed_in(owner)
    new = f"new:{base64.b64encode(secrets.token_bytes(32)).decode()}"
    settings.BERTH_ENCRYPTION_KEYS = f"{new},{settings.BERTH_ENCRYPTION_KEYS}"
    call_command("rotate_encryption_keys", stdout=StringIO())
    settings.BERTH_ENCRYPTION_KEYS = new
    assert browser.get("/t/acme/").status_code == 200

    other = f"other:{base64.b64encode(secrets.token_bytes(32)).decode()}"
    settings.BERTH_ENCRYPTION_KEYS = other

    assert browser.get("/t/acme/").status_code == 302
