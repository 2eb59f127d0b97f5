"""While teams wait for silent registries, people sign in and get their mails."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client
from django.utils import timezone

from portal.errors import Busy
from portal.limits.waiting import waiting
from teams.models import Membership, StoredMail, User
from teams.tasks import send_stored_mails_task
from tests.integration.teams.sign_in.sign_on import sign_on
from tests.support.pages.reading import (
    give_password,
    links_in,
    new_browser,
)
from tests.support.servers.identity_provider import IdentityProvider

RESET = "/accounts/password/reset/"
NEW = {"password1": "another good phrase", "password2": "another good phrase"}


@pytest.fixture
def user(owner: Membership) -> User:
    return give_password(owner.user)


@contextmanager
def two_teams_at_a_silent_registry() -> Iterator[None]:
    """Hold all places that the tries of two teams get."""
    with ExitStack() as stack:
        for team_id in [uuid.uuid4(), uuid.uuid4()] * 2:
            try:
                stack.enter_context(waiting(team_id))
            except Busy:
                continue
        yield


def test_people_sign_in_with_single_sign_on(
    user: User, provider: IdentityProvider
) -> None:
    with two_teams_at_a_silent_registry():
        response = sign_on(new_browser())

    assert response.headers["Location"] == "/"


def test_no_mail_is_lost(user: User, mailoutbox: list[EmailMessage]) -> None:
    browser = new_browser()
    with two_teams_at_a_silent_registry():
        response = browser.post(RESET, {"email": user.email})
    assert response.headers["Location"] == f"{RESET}done/"
    assert mailoutbox == []

    send_stored_mails_task()

    (mail,) = mailoutbox
    assert mail.subject == "Berth: Choose a new password"
    assert mail.to == [user.email]
    (link,) = links_in(str(mail.body))
    form = browser.get(link).headers["Location"]
    with two_teams_at_a_silent_registry():
        assert browser.post(form, NEW).status_code == 302
    send_stored_mails_task()
    assert [mail.subject for mail in mailoutbox[1:]] == [
        "Berth: Your password was reset"
    ]
    assert not StoredMail.objects.exists()


@pytest.fixture
def no_mail_server(settings: Any) -> Iterator[None]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        settings.EMAIL_HOST, settings.EMAIL_PORT = unused.getsockname()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        yield


def test_a_mail_waits_for_its_server(
    user: User,
    no_mail_server: None,
    settings: Any,
    mailoutbox: list[EmailMessage],
) -> None:
    new_browser().post(RESET, {"email": user.email})

    send_stored_mails_task()

    assert StoredMail.objects.get().due_at > timezone.now() + timedelta(minutes=1)
    send_stored_mails_task()  # not yet due
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    StoredMail.objects.update(due_at=timezone.now())
    send_stored_mails_task()
    assert [mail.to for mail in mailoutbox] == [[user.email]]
    assert not StoredMail.objects.exists()


def test_a_mail_is_given_up_after_a_day(
    user: User, no_mail_server: None, caplog: pytest.LogCaptureFixture
) -> None:
    new_browser().post(RESET, {"email": user.email})
    a_day_ago = timezone.now() - timedelta(days=1, minutes=1)
    StoredMail.objects.update(created_at=a_day_ago, due_at=a_day_ago)

    send_stored_mails_task()

    assert not StoredMail.objects.exists()
    assert "was not sent within a day" in caplog.text


def test_a_stored_mail_shows_no_link(
    user: User, no_mail_server: None, caplog: pytest.LogCaptureFixture
) -> None:
    new_browser().post(RESET, {"email": user.email})

    with connection.cursor() as cursor:
        cursor.execute("SELECT message FROM teams_storedmail")
        ((stored,),) = cursor.fetchall()
    assert stored.startswith("v1:")
    (link,) = links_in(StoredMail.objects.get().message.reveal())
    assert link not in caplog.text


@pytest.mark.parametrize("address", ["2001:db8:1:2::{}", "2001:db8:1:2:{}::1"])
def test_a_network_of_addresses_is_one_holder(
    address: str, user: User, mailoutbox: list[EmailMessage]
) -> None:
    def reset(number: int) -> Any:
        browser = Client(REMOTE_ADDR=address.format(number))
        return browser.post(RESET, {"email": user.email})

    with waiting("2001:db8:1:2::/64"), waiting("2001:db8:1:2::/64"):
        reset(1)
    assert (len(mailoutbox), StoredMail.objects.count()) == (0, 1)

    reset(2)
    assert len(mailoutbox) == 1


def test_single_sign_on_counts_the_network_too(
    user: User, provider: IdentityProvider
) -> None:
    browser = Client(REMOTE_ADDR="2001:db8:1:3::7")
    network = "2001:db8:1:3::/64"

    with waiting(network, signs_in=True), waiting(network, signs_in=True):
        response = browser.post("/accounts/oidc/sso/login/")

    assert response.status_code == 429
    assert response.headers["Retry-After"] == "5"
