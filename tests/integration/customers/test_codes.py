"""Contacts sign in with a code by mail; members and operators do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from audit.models import AuditEvent
from customers.models import Contact
from teams.mail import send_stored_mails
from teams.models import Membership, StoredMail, Team, User
from tests.support.minutes import within_a_minute
from tests.support.pages.reading import (
    give_password,
    is_signed_in,
    new_browser,
    sign_in,
    text_of,
    totp_code,
)
from tests.support.rows.factories import (
    ContactFactory,
    MembershipFactory,
    UserFactory,
)

ASK, ENTER = "/accounts/login/code/", "/accounts/login/code/confirm/"


def ask(browser: Client, email: str, next_url: str = "/c/") -> Any:
    mail.outbox.clear()
    response = browser.post(ASK, {"email": email, "next": next_url}, follow=True)
    send_stored_mails()
    return response


def code() -> str:
    (sent,) = mail.outbox
    (found,) = re.findall(r"\b[A-Z]{4}-[A-Z]{4}\b", str(sent.body))
    return str(found)


def sign_ins() -> list[tuple[str, str, str]]:
    """Return each recorded sign-in: whose, to which customer, and how."""
    events = AuditEvent.objects.filter(tag="contact:signed-in").order_by("created_at")
    return [
        (event.actor_label, event.subject_label, event.data["by"]) for event in events
    ]


def test_a_new_contact_signs_in_with_a_code(anna: Contact, browser: Client) -> None:
    ask(browser, "Anna@Initech.example")

    response = browser.post(ENTER, {"code": code(), "next": "/c/"}, follow=True)

    assert response.redirect_chain[-1][0] == f"/c/{anna.customer_id}/"
    user = User.objects.get(email=anna.email)
    assert user.is_address_proven
    assert not user.has_usable_password()


def test_the_page_does_not_reveal_which_addresses_exist(
    anna: Contact, owner: Membership, browser: Client
) -> None:
    pages = []
    for email in (anna.email, owner.user.email, "nobody@initech.example"):
        response = ask(new_browser(), email)
        text = re.sub(r'value="[^"]*"', "", response.content.decode())
        pages.append((response.redirect_chain, text.replace(email, "ADDRESS")))

    assert pages[0] == pages[1] == pages[2]
    assert not User.objects.filter(email="nobody@initech.example").exists()
    assert mail.outbox == []


def test_a_member_gets_a_mail_without_a_code(
    owner: Membership, browser: Client
) -> None:
    ask(browser, owner.user.email)

    (sent,) = mail.outbox
    assert sent.subject == "Sign in with your password"
    assert not re.search(r"\b[A-Z]{4}-[A-Z]{4}\b", str(sent.body))
    assert browser.post(ENTER, {"code": ""}).status_code == 200
    assert not is_signed_in(browser)


@pytest.mark.parametrize("field", ["is_staff", "is_superuser"])
def test_an_operator_gets_no_code(anna: Contact, browser: Client, field: str) -> None:
    UserFactory(email=anna.email, **{field: True})

    ask(browser, anna.email)

    assert mail.outbox[0].subject == "Sign in with your password"


def test_a_disabled_account_gets_no_mail(anna: Contact, browser: Client) -> None:
    UserFactory(email=anna.email, is_active=False)

    ask(browser, anna.email)

    assert mail.outbox == []


def test_a_code_works_once_in_the_browser_that_asked_for_it(
    anna: Contact, browser: Client
) -> None:
    ask(browser, anna.email)
    right, thief = code(), new_browser()
    ask(thief, "nobody@initech.example")

    thief.post(ENTER, {"code": right})
    assert not is_signed_in(thief)

    browser.post(ENTER, {"code": right})
    assert is_signed_in(browser)
    browser.logout()
    browser.post(ENTER, {"code": right})
    assert not is_signed_in(browser)


def test_a_code_stops_working_after_three_wrong_ones(
    anna: Contact, browser: Client
) -> None:
    ask(browser, anna.email)
    right = code()
    for _ in range(3):
        browser.post(ENTER, {"code": "BCDF-GHJK"})

    browser.post(ENTER, {"code": right})

    assert not is_signed_in(browser)


def test_codes_to_one_address_are_limited(anna: Contact) -> None:
    answers = [new_browser().post(ASK, {"email": anna.email}) for _ in range(5)]

    assert answers[-1].status_code == 429
    assert StoredMail.objects.count() == 3


def test_requests_from_one_network_are_limited(
    anna: Contact, browser: Client, settings: Any
) -> None:
    settings.BERTH_TOKEN_FAILURES_PER_MINUTE = 4

    def ask_five_times() -> list[Any]:
        emails = (f"x{number}@initech.example" for number in range(5))
        # Each in a session of its own: one that has asked enters its code first.
        address = browser.defaults["REMOTE_ADDR"]
        return [
            Client().post(ASK, {"email": email}, REMOTE_ADDR=address)
            for email in emails
        ]

    answers = within_a_minute(ask_five_times)

    assert (answers[0].status_code, answers[-1].status_code) == (302, 429)
    assert "from your network" in text_of(answers[-1])


def test_a_stranger_who_opened_the_account_is_locked_out(
    anna: Contact, browser: Client
) -> None:
    user = give_password(UserFactory(email=anna.email, is_address_proven=False))
    ask(browser, anna.email)

    browser.post(ENTER, {"code": code()})

    user.refresh_from_db()
    assert user.is_address_proven
    assert not user.has_usable_password()
    assert is_signed_in(browser)
    sign_in(other := new_browser(), user)
    assert not is_signed_in(other)


def test_the_second_factor_is_asked_for_after_code_and_link(
    anna: Contact, browser: Client, send: Callable[..., str]
) -> None:
    ask(browser, anna.email)
    browser.post(ENTER, {"code": code()})
    page = browser.get("/accounts/2fa/totp/activate/").content.decode()
    (secret,) = re.findall(r"<pre><code>([^<]*)</code>", page)
    browser.post("/accounts/2fa/totp/activate/", {"code": totp_code(secret)})

    by_code, by_link = new_browser(), new_browser()
    ask(by_code, anna.email)
    after_code = by_code.post(ENTER, {"code": code()})
    after_link = by_link.post(send(anna))

    for other, response in ((by_code, after_code), (by_link, after_link)):
        assert response.headers["Location"] == "/accounts/2fa/authenticate/"
        assert not is_signed_in(other)
        assert other.get(f"/c/{anna.customer_id}/").status_code == 302


def test_a_mistyped_address_can_be_corrected(anna: Contact, browser: Client) -> None:
    ask(browser, "ana@initech.example")

    browser.post("/accounts/logout/", {"next": ASK})
    ask(browser, anna.email)

    browser.post(ENTER, {"code": code()})
    assert is_signed_in(browser)


def test_a_sign_in_is_recorded_once_for_each_customer(
    anna: Contact, reader: Contact, other_team: Team, browser: Client
) -> None:
    elsewhere = ContactFactory(
        email=anna.email, customer__team=other_team, customer__name="Umbrella"
    )
    ask(browser, anna.email)
    assert sign_ins() == []

    browser.post(ENTER, {"code": code()})
    for _ in range(2):
        browser.get(f"/c/{anna.customer_id}/")
        browser.get(f"/c/{elsewhere.customer_id}/people")

    assert set(sign_ins()) == {
        (anna.email, "Initech", "code"),
        (anna.email, "Umbrella", "code"),
    }
    assert len(sign_ins()) == 2
    theirs = AuditEvent.objects.get(tag="contact:signed-in", team=other_team)
    assert (theirs.actor_kind, theirs.actor_id) == ("contact", elsewhere.pk)
    assert theirs.subject_id == elsewhere.customer_id
    assert theirs.address == browser.defaults["REMOTE_ADDR"]


def test_a_sign_in_by_link_is_recorded_once(
    anna: Contact, browser: Client, send: Callable[..., str]
) -> None:
    path = send(anna)
    browser.post(path)
    browser.get(path)
    assert sign_ins() == [(anna.email, "Initech", "link")]

    # Whoever is signed in already does not sign in again.
    browser.post(send(anna))
    assert len(sign_ins()) == 1


def test_a_sign_in_without_its_second_factor_is_not_recorded(
    anna: Contact, browser: Client, send: Callable[..., str]
) -> None:
    browser.post(send(anna))
    page = browser.get("/accounts/2fa/totp/activate/").content.decode()
    (secret,) = re.findall(r"<pre><code>([^<]*)</code>", page)
    browser.post("/accounts/2fa/totp/activate/", {"code": totp_code(secret)})
    other = new_browser()
    ask(other, anna.email)
    before = sign_ins()

    other.post(ENTER, {"code": code()})
    assert sign_ins() == before
    assert not is_signed_in(other)


def test_wrong_codes_and_members_of_the_vendor_are_not_recorded(
    anna: Contact, browser: Client
) -> None:
    ask(browser, anna.email)
    browser.post(ENTER, {"code": "BCDF-GHJK"})
    member = MembershipFactory(team=anna.team)
    ContactFactory(customer=anna.customer, email=member.user.email)
    sign_in(other := new_browser(), give_password(member.user))

    assert is_signed_in(other)
    assert sign_ins() == []


def test_a_sign_in_with_a_password_is_recorded_too(
    anna: Contact, outsider: Membership, browser: Client
) -> None:
    contact = ContactFactory(customer=anna.customer, email=outsider.user.email)

    sign_in(browser, give_password(outsider.user))

    assert is_signed_in(browser)
    assert sign_ins() == [(contact.email, "Initech", "password")]
