"""The link in a mail signs in its contact once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.db import connection
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from customers.models import Contact, CustomerLink
from customers.services.contacts import remove_contact
from customers.services.links import send_links, withdraw_link
from teams.actors import Actor
from teams.models import Membership, Session, User
from tests.integration.customers.conftest import signed_in
from tests.support.pages.reading import (
    give_password,
    is_signed_in,
    new_browser,
    sign_in,
    text_of,
)
from tests.support.rows.factories import (
    LicenseFactory,
    UserFactory,
    VendorLookFactory,
)

Send = Callable[..., str]


def overview(contact: Contact) -> str:
    return f"/c/{contact.customer_id}/"


def test_the_mail_is_from_the_vendor_and_contains_no_secret(
    anna: Contact, send: Send
) -> None:
    license = LicenseFactory(
        team=anna.team, customer=anna.customer, application__name="Kestrel"
    )
    VendorLookFactory(
        team=anna.team,
        display_name="Kestrel Software",
        reply_to="licenses@kestrel.example",
        accent="#c2410c",
    )

    path = send(anna, message="See you <b>soon</b>")

    (sent,) = mail.outbox
    assert isinstance(sent, EmailMultiAlternatives)
    html, kind = sent.alternatives[0]
    assert kind == "text/html"
    assert sent.to == ["anna@initech.example"]
    assert sent.from_email.startswith("Kestrel Software <")
    assert sent.reply_to == ["licenses@kestrel.example"]
    assert sent.subject == "Kestrel Software: your license for Kestrel"
    for body in (str(sent.body), str(html)):
        assert path in body
        assert license.license_id.reveal() not in body
    assert "See you <b>soon</b>" in str(sent.body)
    assert "See you &lt;b&gt;soon" in str(html)
    assert "<img" not in str(html)


def test_only_a_digest_of_the_secret_is_stored(anna: Contact, send: Send) -> None:
    secret = send(anna).rpartition("/")[2]

    assert secret not in str(CustomerLink.objects.values().get())
    assert secret not in str(list(AuditEvent.objects.values()))


def test_opening_the_link_does_not_use_it_up(
    anna: Contact, send: Send, browser: Client
) -> None:
    path = send(anna)
    for _scanner in range(3):
        assert browser.get(path).status_code == 200
    browser.head(path)

    assert not is_signed_in(browser)
    assert CustomerLink.objects.get().state == "opened"
    assert not User.objects.filter(email=anna.email).exists()


def test_the_button_signs_in_without_a_password(
    anna: Contact, send: Send, browser: Client
) -> None:
    path = send(anna)
    before = browser.get(path)
    anonymous_session = browser.session.session_key

    response = browser.post(path)

    assert "Continue as anna@initech.example" in text_of(before)
    assert response.headers["Location"] == overview(anna)
    assert is_signed_in(browser)
    assert browser.session.session_key != anonymous_session
    user = User.objects.get(email=anna.email)
    assert user.is_address_proven
    assert not user.has_usable_password()
    assert text_of(browser.get(overview(anna)))
    event = AuditEvent.objects.get(tag="customer-link:used")
    assert (event.actor_kind, event.actor_label) == ("contact", anna.email)


def test_a_used_link_does_not_sign_in_anybody_else(
    anna: Contact, send: Send, browser: Client
) -> None:
    path = send(anna)
    browser.post(path)
    thief = new_browser()

    for response in (thief.get(path), thief.post(path)):
        assert response.status_code == 404
        assert "no longer valid" in text_of(response)
    assert not is_signed_in(thief)
    # To its owner it is a way in.
    assert browser.get(path).headers["Location"] == overview(anna)


def expire(link: CustomerLink, actor: Actor) -> None:
    link.expires_at = timezone.now() - timedelta(seconds=1)
    link.save()


def withdraw(link: CustomerLink, actor: Actor) -> None:
    withdraw_link(actor=actor, link=link)


def remove(link: CustomerLink, actor: Actor) -> None:
    remove_contact(actor=actor, contact=link.contact)


@pytest.mark.parametrize("end", [expire, withdraw, remove])
def test_a_link_that_no_longer_works_offers_a_code(
    anna: Contact,
    send: Send,
    browser: Client,
    actor: Actor,
    end: Callable[[CustomerLink, Actor], None],
) -> None:
    path = send(anna)
    end(CustomerLink.objects.get(), actor)

    for response in (browser.get(path), browser.post(path)):
        assert response.status_code == 404
        assert 'action="/accounts/login/code/"' in response.content.decode()
    assert not is_signed_in(browser)


def test_a_new_link_replaces_the_old_one(
    anna: Contact, send: Send, browser: Client
) -> None:
    older, newer = send(anna), send(anna)

    assert browser.post(older).status_code == 404
    assert browser.post(newer).status_code == 302


def test_of_links_sent_at_once_one_works(
    transactional_db: None, anna: Contact, actor: Actor
) -> None:
    together = Barrier(4)

    def send(_number: int) -> None:
        together.wait()
        try:
            send_links(
                actor=actor,
                customer=anna.customer,
                contacts=[anna],
                site="http://testserver",
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(send, range(4)))

    assert CustomerLink.objects.count() == 4
    assert CustomerLink.objects.filter(withdrawn_at=None).count() == 1


@pytest.mark.parametrize("secret", ["x", "A" * 43, "%00", "é" * 20])
def test_a_guessed_link_looks_like_one_that_no_longer_works(
    anna: Contact, send: Send, browser: Client, secret: str
) -> None:
    send(anna)

    response = browser.get(f"/c/links/{secret}")

    assert response.status_code in {400, 404}
    assert "Initech" not in response.content.decode()


def test_another_account_cannot_use_the_link(
    anna: Contact, reader: Contact, send: Send
) -> None:
    path = send(anna)
    other = signed_in(reader)

    for response in (other.get(path), other.post(path)):
        assert response.status_code == 200
        assert "This link is for anna@initech.example" in text_of(response)
    assert CustomerLink.objects.get().used_at is None
    assert other.get(overview(reader)).status_code == 200


def test_of_two_simultaneous_clicks_one_signs_in(
    transactional_db: None, anna: Contact, send: Send
) -> None:
    path = send(anna)

    def click(_number: int) -> int:
        try:
            return int(new_browser().post(path).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        statuses = sorted(threads.map(click, range(2)))

    assert statuses == [302, 404]


def test_a_form_on_another_site_cannot_use_the_link(anna: Contact, send: Send) -> None:
    path = send(anna)

    assert new_browser(enforce_csrf_checks=True).post(path).status_code == 403
    assert CustomerLink.objects.get().used_at is None


def test_the_link_does_not_sign_in_a_member(
    anna: Contact, send: Send, browser: Client, outsider: Membership
) -> None:
    outsider.user.email = anna.email
    give_password(outsider.user).save()

    response = browser.post(send(anna))

    assert response.headers["Location"].startswith("/accounts/login/?next=/c/")
    assert not is_signed_in(browser)
    sign_in(browser, outsider.user)
    assert browser.get(overview(anna)).status_code == 200


def test_the_link_leads_a_member_with_an_unproven_address_to_what_helps(
    anna: Contact, send: Send, outsider: Membership
) -> None:
    """Somebody else may have opened the account; signed in, it is not proven."""
    outsider.user.email, outsider.user.is_address_proven = anna.email, False
    outsider.user.save()
    own = new_browser()
    own.force_login(outsider.user)

    response = own.post(send(anna), follow=True)

    assert response.status_code == 200
    assert "Choose a new password" in text_of(response)
    assert own.get(overview(anna)).status_code == 404


def test_the_link_does_not_sign_in_an_operator(
    anna: Contact, send: Send, browser: Client
) -> None:
    UserFactory(email=anna.email, is_staff=True)

    browser.post(send(anna))

    assert not is_signed_in(browser)


def test_the_link_does_not_sign_in_a_disabled_account(
    anna: Contact, send: Send, browser: Client
) -> None:
    UserFactory(email=anna.email, is_active=False)

    browser.post(send(anna))

    assert not is_signed_in(browser)


def test_a_stranger_who_opened_the_account_is_locked_out(
    anna: Contact, send: Send, browser: Client
) -> None:
    user = give_password(UserFactory(email=anna.email, is_address_proven=False))
    stranger = new_browser()
    sign_in(stranger, user)
    assert is_signed_in(stranger)

    browser.post(send(anna))

    user.refresh_from_db()
    assert user.is_address_proven
    assert not user.has_usable_password()
    assert Session.objects.filter(user=user).count() == 1
    assert stranger.get(overview(anna)).status_code == 302


def test_a_removed_contact_loses_access_at_once(
    anna: Contact, send: Send, browser: Client, actor: Actor
) -> None:
    browser.post(send(anna))
    assert browser.get(overview(anna)).status_code == 200

    remove_contact(actor=actor, contact=anna)

    assert browser.get(overview(anna)).status_code == 404


def test_the_page_of_a_link_does_not_leak_its_address(
    anna: Contact, send: Send, browser: Client
) -> None:
    response: Any = browser.get(send(anna))

    assert response.headers["Referrer-Policy"] == "same-origin"
    assert response.headers["Cache-Control"] == "no-store"
    page = response.content.decode()
    assert "http://" not in page.replace("http://testserver", "").replace(
        "http://www.w3.org", ""
    )
    assert "https://" not in page
