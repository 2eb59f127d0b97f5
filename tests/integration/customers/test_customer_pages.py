"""The customer's pages, as contacts see them and as members view them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from customers.models import Contact, CustomerLink
from licenses.models import Customer
from teams.mail import send_stored_mails
from teams.models import Membership, Team, User
from tests.integration.customers.conftest import signed_in
from tests.support.minutes import within_a_minute
from tests.support.pages.reading import new_browser, text_of
from tests.support.pages.team_pages import message_of, seen, submission
from tests.support.pages.team_pages import signed_in as member_browser
from tests.support.rows.factories import (
    ContactFactory,
    CustomerFactory,
    LicenseFactory,
    MembershipFactory,
    PullEventFactory,
    UserFactory,
    VendorLookFactory,
)


def own(contact: Contact, page: str = "") -> str:
    return f"/c/{contact.customer_id}/{page}"


def viewed(customer: Customer, page: str = "") -> str:
    return f"/t/{customer.team.slug}/customers/{customer.pk}/view/{page}"


def test_home_redirects_to_the_only_customer(anna: Contact) -> None:
    browser = signed_in(anna)

    response = browser.get("/", follow=True)

    assert response.redirect_chain[-1][0] == own(anna)


def test_home_lists_several_customers_and_teams(
    anna: Contact, other_team: Team
) -> None:
    VendorLookFactory(team=other_team, display_name="Rival Software")
    ContactFactory(
        email=anna.email, customer__team=other_team, customer__name="Initech East"
    )
    browser = signed_in(anna)
    third = MembershipFactory(
        team__name="Their own", user=User.objects.get(email=anna.email)
    )

    text = text_of(browser.get("/c/"))

    assert "Rival Software for Initech East" in text
    assert "Acme for Initech" in text
    assert "Their own" in text
    assert browser.get("/").headers["Location"] == f"/t/{third.team.slug}/"


def test_an_unproven_account_is_told_how_to_prove_its_address(anna: Contact) -> None:
    user = UserFactory(email=anna.email, is_address_proven=False)
    browser = new_browser()
    browser.force_login(user)

    assert "Choose a new password" in text_of(browser.get("/c/"))
    assert browser.get(own(anna)).status_code == 404


def test_an_unproven_account_does_not_learn_whose_contact_its_address_is(
    anna: Contact,
) -> None:
    """Whoever invites an address to a team of their own can open its account."""
    pages = []
    for email in (anna.email, "nobody@initech.example"):
        browser = new_browser()
        browser.force_login(UserFactory(email=email, is_address_proven=False))
        page = browser.get("/c/").content.decode().replace(email, "ADDRESS")
        pages.append(re.sub(r'value="[^"]*"', "", page))

    assert pages[0] == pages[1]


def test_removing_an_administrator_says_what_they_keep(
    anna: Contact, reader: Contact, owner: Membership
) -> None:
    second = ContactFactory(customer=anna.customer)
    warning = "pull credentials that they have seen go on working"
    browser, member = signed_in(anna), member_browser(owner)

    for contact, is_warned in ((second, True), (reader, False)):
        own_page = browser.get(own(anna, f"people/{contact.pk}/remove"))
        vendors = member.get(
            f"/t/acme/customers/{anna.customer_id}/contacts/{contact.pk}/remove"
        )
        assert (warning in text_of(own_page)) is is_warned
        assert (warning in text_of(vendors)) is is_warned


def test_changes_by_a_contact_are_limited(anna: Contact, reader: Contact) -> None:
    """Whoever renames people by a program would fill the vendor's audit log."""
    browser = signed_in(anna)
    edit = own(anna, f"people/{reader.pk}/edit")

    def rename() -> list[Any]:
        return [
            browser.post(edit, {"name": name, "role": "reader"} | seen(browser, edit))
            for name in ["Rita", "Reta"] * 20
        ]

    answers = within_a_minute(rename)

    assert (answers[0].status_code, answers[-1].status_code) == (302, 429)
    assert int(answers[-1].headers["Retry-After"]) > 0
    # Reading goes on, and others are not limited by it.
    assert browser.get(own(anna, "people")).status_code == 200
    mails = own(reader, "mails")
    other = signed_in(reader)
    assert other.post(mails, seen(other, mails)).status_code == 302


def test_the_vendors_look_is_on_every_page(anna: Contact) -> None:
    VendorLookFactory(
        team=anna.team,
        display_name="Kestrel Software",
        accent="#c2410c",
        support_email="help@kestrel.example",
        support_url="https://kestrel.example/help",
    )

    response = signed_in(anna).get(own(anna, "people"))

    page = response.content.decode()
    assert "<title>People · Kestrel Software</title>" in page
    assert "/c/colors/c2410c.css" in page
    assert "mailto:help@kestrel.example" in page
    assert "https://kestrel.example/help" in page
    assert "Acme" not in text_of(response)


STATES: list[tuple[dict[str, Any], str, str]] = [
    ({}, "works", "It does not end. What to do: install it ."),
    (
        {"expires_at": timezone.now() + timedelta(days=5)},
        "ends soon",
        "ask Acme to extend it before then",
    ),
    (
        {"expires_at": timezone.now() - timedelta(days=1)},
        "ended",
        "ask Acme to extend it",
    ),
    ({"revoked": True}, "revoked", "ask Acme what happened"),
    (
        {"customer__archived_at": timezone.now()},
        "suspended",
        "Acme has suspended the licenses of",
    ),
]


@pytest.mark.parametrize(("values", "state", "words"), STATES)
def test_a_license_is_shown_in_words(
    team: Team, values: dict[str, Any], state: str, words: str
) -> None:
    license = LicenseFactory(team=team, application__name="Kestrel", **values)
    contact = ContactFactory(customer=license.customer)

    text = text_of(signed_in(contact).get(own(contact)))

    assert f"Kestrel {state}" in text
    assert words in text
    # Nothing of the vendor's own.
    assert "unpaid" not in text
    assert license.license_id.reveal() not in text


def test_nothing_is_to_do_once_something_was_pulled(anna: Contact) -> None:
    license = LicenseFactory(team=anna.team, customer=anna.customer)
    pull = {"team": anna.team, "license": license}
    PullEventFactory(**pull, outcome="license_expired")
    assert "What to do: install it" in text_of(signed_in(anna).get(own(anna)))

    PullEventFactory(**pull)

    assert "What to do: nothing." in text_of(signed_in(anna).get(own(anna)))


def test_licenses_of_other_customers_are_not_shown(anna: Contact) -> None:
    LicenseFactory(team=anna.team, application__name="Hidden")

    assert "Hidden" not in text_of(signed_in(anna).get(own(anna)))


def test_an_administrator_invites_a_person(anna: Contact) -> None:
    browser = signed_in(anna)
    values = {"email": "Bob@Initech.example", "name": "Bob", "role": "reader"}

    browser.post(own(anna, "people/invite"), values | submission())

    bob = Contact.objects.get(email="bob@initech.example")
    assert bob.invited_by == anna.email
    assert bob.links.count() == 1
    assert "Bob bob@initech.example Reader sent" in text_of(
        browser.get(own(anna, "people"))
    )


def test_a_form_sent_twice_invites_once(anna: Contact) -> None:
    browser = signed_in(anna)
    values = {"email": "bob@initech.example", "role": "reader", **submission()}

    for _ in range(2):
        response = browser.post(own(anna, "people/invite"), values)
        assert response.headers["Location"] == own(anna, "people")

    assert CustomerLink.objects.count() == 1


def test_a_members_address_is_refused_beside_its_field(
    anna: Contact, owner: Membership
) -> None:
    values = {"email": owner.user.email, "role": "administrator", **submission()}

    response = signed_in(anna).post(own(anna, "people/invite"), values)

    assert "belongs to Acme" in message_of(response, "email")
    assert Contact.objects.count() == 1
    assert not CustomerLink.objects.exists()


def test_an_administrator_changes_and_removes_people(
    anna: Contact, reader: Contact
) -> None:
    browser = signed_in(anna)
    edit = own(anna, f"people/{reader.pk}/edit")

    browser.post(edit, {"name": "Rita", "role": "administrator"} | seen(browser, edit))
    reader.refresh_from_db()
    assert (reader.name, reader.role) == ("Rita", "administrator")

    browser.post(own(anna, f"people/{reader.pk}/remove"))
    assert not Contact.objects.filter(pk=reader.pk).exists()


def test_the_last_administrator_cannot_be_removed(
    anna: Contact, reader: Contact
) -> None:
    browser = signed_in(anna)
    remove = own(anna, f"people/{anna.pk}/remove")

    assert "only administrator" in text_of(browser.get(remove))
    assert (
        'type="submit" class="btn btn-danger"'
        not in browser.get(remove).content.decode()
    )
    assert "Make somebody else" in text_of(browser.post(remove))
    assert Contact.objects.filter(pk=anna.pk).exists()


@pytest.mark.parametrize("page", ["invite", "{0}/edit", "{0}/send", "{0}/remove"])
def test_a_reader_cannot_change_people(
    anna: Contact, reader: Contact, page: str
) -> None:
    browser = signed_in(reader)
    before = list(Contact.objects.order_by("pk").values("email", "role"))
    address = own(anna, f"people/{page.format(anna.pk)}")

    for response in (browser.get(address), browser.post(address, submission())):
        assert response.status_code == 403
        assert "Only administrators of Initech" in text_of(response)
    assert list(Contact.objects.order_by("pk").values("email", "role")) == before
    assert "Invite a person" not in text_of(browser.get(own(anna, "people")))


def test_last_seen_is_updated_once_an_hour(anna: Contact) -> None:
    browser = signed_in(anna)
    browser.get(own(anna))
    anna.refresh_from_db()
    first = anna.last_seen_at

    browser.get(own(anna))

    anna.refresh_from_db()
    assert first is not None
    assert anna.last_seen_at == first


def test_a_member_views_the_pages_read_only(anna: Contact, viewer: Membership) -> None:
    browser = member_browser(viewer)
    customer = anna.customer

    for page in ("", "people", "people"):
        response = browser.get(viewed(customer, page))
        assert response.status_code == 200
        assert "You see what the people of Initech see." in text_of(response)
        assert viewed(customer, "people") in response.content.decode()
        assert own(anna) not in response.content.decode()
    invitation = {"email": "x@initech.example", "role": "reader", **submission()}
    assert browser.post(viewed(customer, "people")).status_code == 405
    for page in ("people/invite", f"people/{anna.pk}/remove"):
        assert browser.get(viewed(customer, page)).status_code == 404
        assert browser.post(viewed(customer, page), invitation).status_code == 404
    assert Contact.objects.count() == 1
    anna.refresh_from_db()
    assert anna.last_seen_at is None
    event = AuditEvent.objects.get(tag="customer:viewed")
    assert event.actor_label == viewer.user.email
    assert event.subject_label == "Initech"


def test_a_view_is_recorded_again_after_an_hour(
    anna: Contact, viewer: Membership, support: Membership
) -> None:
    for member in (viewer, support):
        member_browser(member).get(viewed(anna.customer))

    assert AuditEvent.objects.filter(tag="customer:viewed").count() == 2


def test_members_cannot_view_another_teams_customers(
    outsider: Membership, customer: Customer
) -> None:
    theirs = CustomerFactory(team=outsider.team)
    browser = member_browser(outsider)

    assert browser.get(viewed(customer)).status_code == 404
    assert browser.get(f"/t/rival/customers/{customer.pk}/view/").status_code == 404
    assert browser.get(viewed(theirs)).status_code == 200


def test_viewing_needs_the_second_factor_that_the_team_requires(
    customer: Customer, viewer: Membership
) -> None:
    customer.team.require_second_factor = True
    customer.team.save()

    response = member_browser(viewer).get(viewed(customer))

    assert response.headers["Location"] == "/t/acme/second-factor"


def test_anonymous_visitors_are_asked_to_sign_in(anna: Contact) -> None:
    response = Client().get(own(anna, "people"))

    assert response.headers["Location"] == (
        f"/accounts/login/code/?next={own(anna, 'people')}"
    )


def test_the_invitation_names_the_contact_who_sent_it(anna: Contact) -> None:
    values = {"email": "bob@initech.example", "role": "reader", **submission()}
    signed_in(anna).post(own(anna, "people/invite"), values)

    send_stored_mails()

    (sent,) = mail.outbox
    assert "anna@initech.example has added you to the pages that Acme" in str(sent.body)


def test_a_member_who_is_another_vendors_contact_can_open_both(
    anna: Contact, outsider: Membership
) -> None:
    browser = member_browser(outsider)
    assert "Your vendors" not in text_of(browser.get("/accounts/sessions/"))

    Contact.objects.filter(pk=anna.pk).update(email=outsider.user.email)

    assert "Your vendors" in text_of(browser.get("/accounts/sessions/"))


def test_the_vendors_history_of_a_customer_names_its_contacts(
    anna: Contact, owner: Membership
) -> None:
    values = {"email": "bob@initech.example", "role": "reader", **submission()}
    signed_in(anna).post(own(anna, "people/invite"), values)

    page = member_browser(owner).get(f"/t/acme/customers/{anna.customer_id}")

    assert re.search(r"Contact added .*For bob@initech.example", text_of(page))
