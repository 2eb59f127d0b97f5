"""The vendor's pages about contacts, and *Send to customer*."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from audit.models import AuditEvent
from customers.models import Contact, CustomerLink
from customers.services.look import change_look
from licenses.models import Customer, License
from teams.actors import member_actor
from teams.mail import send_stored_mails
from teams.models import Membership, StoredMail, Team
from tests.support.pages.reading import new_browser, text_of
from tests.support.pages.team_pages import message_of, seen, signed_in, submission
from tests.support.rows.factories import (
    ContactFactory,
    CustomerLinkFactory,
    ExternalRegistryFactory,
    LicenseFactory,
)


def at(customer: Customer, page: str) -> str:
    return f"/t/acme/customers/{customer.pk}/{page}"


def form(**values: Any) -> dict[str, Any]:
    return {"role": "administrator", **submission(), **values}


@pytest.fixture
def seller(owner: Membership) -> Client:
    return signed_in(owner)


def test_new_and_known_people_get_a_mail(
    seller: Client, customer: Customer, anna: Contact
) -> None:
    new = "Bob Smith <Bob@Initech.example>\n\n eve@initech.example \n"
    values = form(contacts=[str(anna.pk)], new=new, message="Welcome aboard.")

    response = seller.post(at(customer, "send"), values, follow=True)

    assert "3 people get a mail." in text_of(response)
    send_stored_mails()
    assert {sent.to[0] for sent in mail.outbox} == {
        "anna@initech.example",
        "bob@initech.example",
        "eve@initech.example",
    }
    assert all("Welcome aboard." in str(sent.body) for sent in mail.outbox)
    bob = Contact.objects.get(email="bob@initech.example")
    assert (bob.name, bob.role) == ("Bob Smith", "administrator")
    assert AuditEvent.objects.filter(tag="customer-link:sent").count() == 3
    assert AuditEvent.objects.filter(tag="contact:added").count() == 2


def test_a_known_address_entered_as_new_gets_one_mail(
    seller: Client, customer: Customer, anna: Contact
) -> None:
    seller.post(at(customer, "send"), form(new="ANNA@initech.example"))

    assert CustomerLink.objects.get().contact == anna


def test_a_preview_sends_nothing(
    seller: Client, customer: Customer, owner: Membership
) -> None:
    LicenseFactory(team=customer.team, customer=customer, application__name="Kestrel")
    values = form(new="bob@initech.example", message="Welcome aboard.", preview="1")

    response = seller.post(at(customer, "send"), values)

    text = text_of(response)
    assert "Subject Acme: your license for Kestrel" in text
    assert "Welcome aboard." in text
    assert "/c/links/…" in text
    assert not Contact.objects.exists()
    assert not StoredMail.objects.exists()
    # The form still holds what was entered, and can be sent.
    assert "bob@initech.example</textarea>" in response.content.decode()


def test_a_form_sent_twice_mails_once(seller: Client, customer: Customer) -> None:
    values = form(new="bob@initech.example")

    for _ in range(2):
        response = seller.post(at(customer, "send"), values)
        assert response.headers["Location"] == at(customer, "contacts")

    assert CustomerLink.objects.count() == 1
    assert StoredMail.objects.count() == 1


@pytest.mark.parametrize(
    ("new", "error"),
    [
        ("nobody", "“nobody” is no address."),
        ("a@b.example\nBob <bob>", "“Bob <bob>” is no address."),
        ("owner@acme.example", "This address belongs to Acme"),
    ],
)
def test_a_wrong_address_is_reported_and_nobody_is_added(
    seller: Client, customer: Customer, new: str, error: str
) -> None:
    response = seller.post(
        at(customer, "send"), form(new=f"fine@initech.example\n{new}")
    )

    assert error in message_of(response, "new")
    assert not Contact.objects.exists()
    assert not StoredMail.objects.exists()


def test_sending_needs_at_least_one_person(
    seller: Client, customer: Customer, anna: Contact
) -> None:
    response = seller.post(at(customer, "send"), form())

    assert "Choose somebody" in text_of(response)


def test_another_customers_contact_cannot_be_chosen(
    seller: Client, customer: Customer, anna: Contact
) -> None:
    theirs = ContactFactory(customer__team=customer.team)

    response = seller.post(at(customer, "send"), form(contacts=[str(theirs.pk)]))

    assert "Somebody has been removed." in message_of(response, "contacts")
    assert not CustomerLink.objects.exists()


def test_the_customers_own_address_is_suggested(
    seller: Client, customer: Customer
) -> None:
    customer.email = "it@initech.example"
    customer.save()

    assert (
        "it@initech.example</textarea>"
        in seller.get(at(customer, "send")).content.decode()
    )


def test_the_contacts_page_shows_the_state_of_each_link(
    seller: Client, customer: Customer, anna: Contact, reader: Contact
) -> None:
    CustomerLinkFactory(contact=anna, opened_at=anna.created_at)

    text = text_of(seller.get(at(customer, "contacts")))

    assert re.search(r"Anna Admin .* Administrator link opened", text)
    assert re.search(r"rita@initech.example .* Reader nothing sent", text)


def test_withdrawing_a_link_twice_is_recorded_once(
    seller: Client, customer: Customer, anna: Contact
) -> None:
    link = CustomerLinkFactory(contact=anna)
    withdraw = at(customer, f"links/{link.pk}/withdraw")

    for _ in range(2):
        assert seller.post(withdraw).status_code == 302

    link.refresh_from_db()
    assert link.state == "withdrawn"
    assert AuditEvent.objects.filter(tag="customer-link:withdrawn").count() == 1


def test_contacts_are_added_changed_and_removed(
    seller: Client, customer: Customer
) -> None:
    values = form(email="bob@initech.example", name="Bob", role="administrator")
    seller.post(at(customer, "contacts/new"), values)
    bob = Contact.objects.get()
    assert not CustomerLink.objects.exists()

    edit = at(customer, f"contacts/{bob.pk}/edit")
    seller.post(edit, {"name": "Robert", "role": "reader"} | seen(seller, edit))
    bob.refresh_from_db()
    assert (bob.name, bob.role) == ("Robert", "reader")

    seller.post(at(customer, f"contacts/{bob.pk}/remove"))
    assert not Contact.objects.exists()
    tags = AuditEvent.objects.order_by("created_at").values_list("tag", flat=True)
    assert list(tags) == ["contact:added", "contact:changed", "contact:removed"]


def test_customer_and_license_pages_link_to_sending(
    seller: Client, customer: Customer
) -> None:
    license = LicenseFactory(team=customer.team, customer=customer)

    for page in (f"/t/acme/customers/{customer.pk}", f"/t/acme/licenses/{license.pk}"):
        assert at(customer, "send") in seller.get(page).content.decode()


@pytest.fixture
def license(customer: Customer) -> License:
    return LicenseFactory(
        team=customer.team,
        customer=customer,
        application__name="Sentinel",
    )


def test_sending_from_a_license_names_it_and_links_to_it(
    seller: Client, customer: Customer, license: License
) -> None:
    LicenseFactory(team=customer.team, customer=customer, application__name="Kestrel")
    page = seller.get(f"/t/acme/licenses/{license.pk}").content.decode()
    address = f"{at(customer, 'send')}?license={license.pk}"
    assert page.count(address) == 2
    values = form(new="bob@initech.example")
    shown = text_of(seller.get(address))
    preview = text_of(seller.post(address, {**values, "preview": "1"}))

    assert "The mail is about the license for Sentinel, Stable" in shown
    assert "Subject Acme: your license for Sentinel, Stable" in preview
    assert "Kestrel" not in preview
    seller.post(address, values)
    send_stored_mails()
    (sent,) = mail.outbox
    assert sent.subject == "Acme: your license for Sentinel, Stable"
    assert "your license for Sentinel, Stable." in str(sent.body)
    event = AuditEvent.objects.get(tag="customer-link:sent")
    assert event.data["license"] == "Sentinel, Stable"

    (path,) = re.findall(r"http://testserver(/c/links/\S+)", str(sent.body))
    bob = new_browser()
    assert "your license for Sentinel, Stable, and how to" in text_of(bob.get(path))
    landed = bob.post(path)
    overview = f"/c/{customer.pk}/"
    assert landed.headers["Location"] == f"{overview}#license-{license.pk}"
    assert f'id="license-{license.pk}"' in bob.get(overview).content.decode()
    # The used link still shows its owner the way.
    assert bob.get(path).headers["Location"] == landed.headers["Location"]


@pytest.mark.parametrize("whose", ["another customer's", "another team's", "nobody's"])
def test_only_the_customers_own_license_can_be_named(
    whose: str, seller: Client, customer: Customer, other_team: Team
) -> None:
    licenses = {
        "another customer's": lambda: str(LicenseFactory(team=customer.team).pk),
        "another team's": lambda: str(LicenseFactory(team=other_team).pk),
        "nobody's": lambda: "x",
    }
    address = f"{at(customer, 'send')}?license={licenses[whose]()}"

    assert seller.get(address).status_code == 404
    response = seller.post(address, form(new="bob@initech.example"))

    assert response.status_code == 404
    assert not CustomerLink.objects.exists()
    assert not Contact.objects.exists()
    assert not StoredMail.objects.exists()


def test_a_viewer_is_not_offered_to_send(
    viewer: Membership, customer: Customer, anna: Contact
) -> None:
    browser = signed_in(viewer)

    page = browser.get(at(customer, "contacts")).content.decode()

    assert "anna@initech.example" in page
    assert "Send" not in page
    assert browser.get(at(customer, "send")).status_code == 403


def test_the_vendor_is_warned_if_customers_would_see_no_image(
    owner: Membership, settings: Any
) -> None:
    settings.BERTH_PROXY_HOST = "images.acme.example"
    license = LicenseFactory(team=owner.team, application__name="Kestrel")
    address = f"/t/acme/customers/{license.customer_id}/send?license={license.pk}"
    browser = signed_in(owner)
    warning = "Their page Install would name no image of Kestrel yet"
    no_support = "Customers find no address for questions."

    before = text_of(browser.get(address))
    ExternalRegistryFactory(
        team=owner.team, endpoint="quay.io", test_image="acme/api:v1"
    )
    change_look(
        actor=member_actor(owner),
        team=owner.team,
        changes={"support_email": "help@acme.example"},
    )
    after = text_of(browser.get(address))

    assert warning in before
    assert no_support in before
    assert warning not in after
    assert no_support not in after
