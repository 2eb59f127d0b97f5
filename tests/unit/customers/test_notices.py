"""Notices about licenses become mails to contacts, once each."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.db import connection, transaction
from django.utils import timezone

from customers.models import Contact
from customers.services import notices
from customers.services.mail_choices import choose_mails, unsubscribe
from customers.services.notices import delete_old_notices, dispatch_notices
from licenses.alerts import alert_expiring_licenses
from licenses.credential_alerts import alert_expiring_credentials
from licenses.models import License, Notice, NoticeKind
from licenses.services import (
    archive_customer,
    change_license,
    reinstate_license,
    revoke_leaked,
    revoke_license,
)
from portal.crypto.secrets import Secret
from teams.actors import NO_REQUEST
from teams.mail import send_stored_mails
from teams.models import StoredMail
from tests.support.rows.factories import ContactFactory, pull_credential
from tests.support.rows.vendor import Vendor, create_vendor


@pytest.fixture(autouse=True)
def portal_url(settings: Any) -> None:
    settings.BERTH_PORTAL_URL = "https://portal.example"


@pytest.fixture
def vendor(db: None) -> Vendor:
    return create_vendor()


@pytest.fixture
def anna(vendor: Vendor) -> Contact:
    return ContactFactory(
        customer=vendor.customer, email="anna@initech.example", name="Anna <Admin>"
    )


def mailed() -> list[EmailMultiAlternatives]:
    """Send what is to be sent; return the mails."""
    mail.outbox.clear()
    dispatch_notices()
    send_stored_mails()
    return [sent for sent in mail.outbox if isinstance(sent, EmailMultiAlternatives)]


def whole(sent: EmailMultiAlternatives) -> str:
    return f"{sent.subject}{sent.body}{sent.alternatives}"


def subjects() -> list[str]:
    return [str(sent.subject).partition(": ")[2] for sent in mailed()]


def issued_in_the_past(vendor: Vendor, days: float) -> License:
    license = vendor.license(expires_at=timezone.now() + timedelta(days=days))
    long_ago = timezone.now() - timedelta(days=365)
    License.objects.filter(pk=license.pk).update(created_at=long_ago)
    Notice.objects.all().delete()
    return license


def test_who_is_added_later_gets_no_mail_of_what_was_before(
    vendor: Vendor, anna: Contact
) -> None:
    vendor.license()
    ContactFactory(customer=vendor.customer, email="late@initech.example")

    assert [sent.to for sent in mailed()] == [[anna.email]]


def test_every_contact_gets_one_mail_about_a_change(
    vendor: Vendor, anna: Contact
) -> None:
    ContactFactory(customer=vendor.customer, email="rita@example.com", role="reader")
    ContactFactory(email="elsewhere@example.com")

    license = vendor.license()

    sent = mailed()
    assert sorted(each.to for each in sent) == [[anna.email], ["rita@example.com"]]
    assert {str(each.subject) for each in sent} == {
        f"{vendor.team.name}: your license for App"
    }
    assert mailed() == []
    assert license.license_id.reveal() not in "".join(map(whole, sent))


def test_a_mail_is_in_the_vendors_name_with_a_way_to_unsubscribe(
    vendor: Vendor, anna: Contact
) -> None:
    vendor.license(expires_at=timezone.now() + timedelta(days=365))

    (sent,) = mailed()

    assert sent.from_email.startswith(vendor.team.name)
    header = sent.extra_headers["List-Unsubscribe"]
    address = r"https://portal\.example/c/unsubscribe/[\w.-]+"
    assert re.fullmatch(f"<{address}>", header)
    assert sent.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert header.strip("<>") in str(sent.body)
    html = str(sent.alternatives[0][0])
    assert f'href="{header.strip("<>")}"' in html
    assert "Anna &lt;Admin&gt;" in html
    assert "Anna <Admin>" in str(sent.body)
    pages = f"https://portal.example/c/{vendor.customer.pk}/"
    assert pages in str(sent.body)
    assert pages in html
    for body in (str(sent.body), html):
        assert f"{pages}mails" in body


def test_each_kind_has_its_own_text(vendor: Vendor, anna: Contact) -> None:
    choose_mails(actor=vendor.actor, team=vendor.team, kinds=NoticeKind.values)
    actor = vendor.actor
    license = vendor.license()
    assert subjects() == ["your license for App"]

    change_license(actor=actor, license=license, changes={"type": "trial"})
    assert subjects() == ["your license for App was changed"]
    revoke_license(actor=actor, license=license, reason="Owes us money")
    (revoked,) = mailed()
    assert "was revoked" in str(revoked.subject)
    assert "Owes us money" not in whole(revoked)
    reinstate_license(actor=actor, license=license)
    assert subjects() == ["your license for App is valid again"]
    ends_at = timezone.now() + timedelta(days=6)
    pull_credential(license, name="cluster-1", expires_at=ends_at)
    alert_expiring_credentials()
    (expiring,) = mailed()
    assert "pull credential cluster-1" in str(expiring.body)


def test_a_leaked_secret_is_told_with_what_to_do(vendor: Vendor, anna: Contact) -> None:
    license = issued_in_the_past(vendor, 100)
    found, text = pull_credential(license, name="cluster-1")
    pull_credential(license, name="made with it", created_with=found)
    elsewhere, of_revoked = pull_credential(issued_in_the_past(vendor, 100))
    revoke_license(actor=vendor.actor, license=elsewhere.license, reason="Not paid")

    revoke_leaked(Secret(text), NO_REQUEST)
    (told,) = mailed()
    revoke_leaked(Secret(text), NO_REQUEST)
    assert mailed() == []
    revoke_leaked(Secret(of_revoked), NO_REQUEST)
    assert subjects() == ["a pull credential for App was found in public"]

    assert str(told.subject) == (
        f"{vendor.team.name}: a pull credential for App was found in public"
    )
    for words in (str(told.body), str(told.alternatives[0][0])):
        assert "found the pull credential cluster-1 of " in words
        assert "what may have been made with it: made with it." in words
        assert "Make a new one on your pages" in words
    assert text not in whole(told)


def test_a_leaked_license_id_is_told_and_not_as_a_change(
    vendor: Vendor, anna: Contact
) -> None:
    """The installer cannot sync with an ID that has ended, as that mail would say."""
    license = issued_in_the_past(vendor, 100)
    text = license.license_id.reveal()

    revoke_leaked(Secret(text), NO_REQUEST)

    (leaked,) = mailed()
    assert str(leaked.subject).endswith("your license ID for App was found in public")
    assert "Download your license file again" in str(leaked.body)
    license.refresh_from_db()
    for secret in (text, license.license_id.reveal()):
        assert secret not in whole(leaked)


def test_a_leak_is_not_told_to_whom_it_is_not_wanted(
    vendor: Vendor, anna: Contact
) -> None:
    first, second = [pull_credential(vendor.license())[1] for _ in range(2)]
    mailed()
    unsubscribe(anna, NoticeKind.SECRET_LEAKED, NO_REQUEST)
    revoke_leaked(Secret(first), NO_REQUEST)
    assert mailed() == []

    ContactFactory(customer=vendor.customer, email="rita@example.com")
    choose_mails(actor=vendor.actor, team=vendor.team, kinds=["license_issued"])
    revoke_leaked(Secret(second), NO_REQUEST)
    assert mailed() == []


@pytest.mark.parametrize("days", [29.5, 6.5, 0.5])
def test_contacts_are_told_before_a_license_expires(
    vendor: Vendor, anna: Contact, days: float
) -> None:
    license = issued_in_the_past(vendor, days)

    alert_expiring_licenses()
    alert_expiring_licenses()

    day = f"{license.expires_at:%Y-%m-%d}"
    assert subjects() == [f"your license for App expires on {day}"]


def test_contacts_are_told_when_a_license_has_expired(
    vendor: Vendor, anna: Contact
) -> None:
    issued_in_the_past(vendor, -0.1)

    alert_expiring_licenses()

    assert subjects() == ["your license for App has expired"]


def test_a_new_license_for_a_week_causes_no_mail_about_its_end(
    vendor: Vendor, anna: Contact
) -> None:
    vendor.license(expires_at=timezone.now() + timedelta(days=6.5))

    alert_expiring_licenses()

    assert subjects() == ["your license for App"]


def test_outdated_notices_are_not_mailed(vendor: Vendor, anna: Contact) -> None:
    """No worker was running at the time."""
    renewed = issued_in_the_past(vendor, 6.5)
    alert_expiring_licenses()
    change_license(
        actor=vendor.actor,
        license=renewed,
        changes={"expires_at": timezone.now() + timedelta(days=365)},
    )
    revoked = vendor.license()
    revoke_license(actor=vendor.actor, license=revoked, reason="By mistake")

    assert subjects() == ["your license for App was changed"]


def test_a_revocation_is_mailed_if_the_team_chose_it(
    vendor: Vendor, anna: Contact
) -> None:
    first, second = issued_in_the_past(vendor, 100), issued_in_the_past(vendor, 100)
    revoke_license(actor=vendor.actor, license=first, reason="Not paid")
    assert subjects() == []

    choose_mails(actor=vendor.actor, team=vendor.team, kinds=["license_revoked"])
    revoke_license(actor=vendor.actor, license=second, reason="Not paid")
    vendor.license()
    assert subjects() == ["your license for App was revoked"]


def test_unsubscribing_is_per_contact_and_kind(vendor: Vendor, anna: Contact) -> None:
    rita = ContactFactory(customer=vendor.customer, email="rita@example.com")
    unsubscribe(rita, NoticeKind.LICENSE_ISSUED, NO_REQUEST)

    license = vendor.license()
    assert [sent.to for sent in mailed()] == [[anna.email]]
    change_license(actor=vendor.actor, license=license, changes={"type": "trial"})
    assert len(mailed()) == 2


def test_an_archived_customer_gets_no_mails(vendor: Vendor, anna: Contact) -> None:
    vendor.license()
    archive_customer(actor=vendor.actor, customer=vendor.customer)

    assert mailed() == []
    assert not Notice.objects.filter(dispatched_at__isnull=True).exists()


def test_a_change_that_is_rolled_back_is_not_mailed(
    vendor: Vendor, anna: Contact
) -> None:
    with transaction.atomic():
        vendor.license()
        transaction.set_rollback(True)

    assert mailed() == []


def test_notices_wait_until_the_portals_address_is_set(
    vendor: Vendor, anna: Contact, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    vendor.license()
    settings.BERTH_PORTAL_URL = ""
    assert mailed() == []
    assert "set BERTH_PORTAL_URL" in caplog.text

    settings.BERTH_PORTAL_URL = "https://portal.example"
    assert len(mailed()) == 1


def test_notices_wait_while_many_mails_are_queued(
    vendor: Vendor, anna: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "MAX_WAITING_MAILS", 1)
    monkeypatch.setattr(notices, "BATCH", 1)
    vendor.license()
    vendor.license()

    assert dispatch_notices() == 1
    assert StoredMail.objects.count() == 1
    assert len(mailed()) == 1
    assert len(mailed()) == 1


@pytest.mark.django_db(transaction=True)
def test_parallel_workers_mail_each_notice_once() -> None:
    vendor = create_vendor()
    ContactFactory.create_batch(3, customer=vendor.customer)
    for _ in range(5):
        vendor.license()
    start = threading.Barrier(3, timeout=20)

    def work() -> None:
        try:
            connection.ensure_connection()
            start.wait()
            dispatch_notices()
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as threads:
        for ran in [threads.submit(work) for _ in range(3)]:
            ran.result()

    assert StoredMail.objects.count() == 15


def test_old_notices_are_deleted(vendor: Vendor) -> None:
    vendor.license()
    vendor.license()
    old = Notice.objects.first()
    assert old is not None
    before = timezone.now() - timedelta(days=91)
    Notice.objects.filter(pk=old.pk).update(dispatched_at=before)

    assert delete_old_notices() == 1
    assert Notice.objects.count() == 1
