"""Contacts and the links sent to them, by API."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.core import mail

from audit.services import record
from audit.tags import EventTag
from customers.models import Contact, CustomerLink
from customers.services.links import MAX_PER_HOUR
from licenses.models import Customer
from teams.actors import system_actor
from teams.mail import send_stored_mails
from teams.models import StoredMail
from tests.support.clients.api import ApiClient, code_of
from tests.support.rows.factories import (
    ContactFactory,
    CustomerFactory,
    CustomerLinkFactory,
    LicenseFactory,
)


def contacts_of(customer: Customer) -> str:
    return f"/customers/{customer.pk}/contacts"


def links_of(customer: Customer) -> str:
    return f"/customers/{customer.pk}/links"


def test_adding_a_contact_sends_no_mail(
    support_api: ApiClient, customer: Customer
) -> None:
    body = {"email": "Anna@Initech.example", "name": "Anna", "role": "administrator"}

    response = support_api.post(contacts_of(customer), body)

    assert response.status_code == 201
    contact = Contact.objects.get()
    assert response.json() | {"created_at": None, "updated_at": None} == {
        "id": str(contact.pk),
        "email": "anna@initech.example",
        "name": "Anna",
        "role": "administrator",
        "invited_by": "support@acme.example",
        "last_seen_at": None,
        "created_at": None,
        "updated_at": None,
    }
    assert not StoredMail.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": "nobody"}, "email"),
        ({"email": "owner@acme.example"}, "email"),
        ({"email": "a@b.example", "role": "owner"}, "role"),
        ({"email": "a@b.example", "name": "a\nb"}, "name"),
        ({"email": "a@b.example", "customer": str(uuid.uuid4())}, "customer"),
    ],
)
def test_an_invalid_value_is_reported_with_its_field(
    owner_api: ApiClient, anna: Contact, body: dict[str, Any], field: str
) -> None:
    response = owner_api.post(contacts_of(anna.customer), body)

    assert response.status_code == 400
    assert field in response.json()["errors"]
    assert Contact.objects.count() == 1


def test_contacts_are_listed_changed_and_removed(
    owner_api: ApiClient, customer: Customer, anna: Contact
) -> None:
    ContactFactory(customer__team=customer.team)
    address = f"{contacts_of(customer)}/{anna.pk}"

    listed = owner_api.get(contacts_of(customer)).json()["results"]
    assert [each["email"] for each in listed] == ["anna@initech.example"]
    changed = owner_api.patch(address, {"role": "reader"})
    assert changed.json()["role"] == "reader"
    assert owner_api.patch(address, {"email": "b@b.example"}).status_code == 400
    assert owner_api.delete(address).status_code == 204
    assert not Contact.objects.filter(pk=anna.pk).exists()


def test_links_are_sent_read_and_withdrawn(
    owner_api: ApiClient, customer: Customer, anna: Contact
) -> None:
    body = {"contacts": [str(anna.pk)], "message": "Welcome aboard."}

    response = owner_api.post(links_of(customer), body)

    assert response.status_code == 201
    (link,) = response.json()["links"]
    assert (link["email"], link["state"]) == ("anna@initech.example", "sent")
    send_stored_mails()
    (sent,) = mail.outbox
    secret = str(sent.body).partition("/c/links/")[2].split()[0]
    assert secret not in response.content.decode()
    assert owner_api.get(links_of(customer)).json()["results"] == [link]
    address = f"{links_of(customer)}/{link['id']}"
    assert owner_api.get(address).json() == link
    assert owner_api.post(f"{address}/withdraw").json()["state"] == "withdrawn"


def test_a_link_can_name_a_license(
    owner_api: ApiClient, customer: Customer, anna: Contact
) -> None:
    license = LicenseFactory(
        team=customer.team, customer=customer, application__name="Sentinel"
    )
    theirs = LicenseFactory(team=customer.team)
    chosen = {"contacts": [str(anna.pk)]}

    for wrong in (theirs.pk, uuid.uuid4()):
        refused = owner_api.post(links_of(customer), {**chosen, "license": str(wrong)})
        assert refused.status_code == 400
        assert list(refused.json()["errors"]) == ["license"]
    assert not CustomerLink.objects.exists()
    response = owner_api.post(
        links_of(customer), {**chosen, "license": str(license.pk)}
    )

    (link,) = response.json()["links"]
    assert link["license"] == str(license.pk)
    send_stored_mails()
    (sent,) = mail.outbox
    name = f"Sentinel, {license.channel.name}"
    assert sent.subject == f"{customer.team.name}: your license for {name}"
    # Without one it is about all of them.
    other = owner_api.post(links_of(customer), {**chosen, "license": None})
    assert other.json()["links"][0]["license"] is None


def test_the_same_idempotency_key_sends_one_mail(
    owner_api: ApiClient, customer: Customer, anna: Contact
) -> None:
    body = {"contacts": [str(anna.pk)]}

    first, second = (
        owner_api.post(links_of(customer), body, headers={"Idempotency-Key": "1"})
        for _ in range(2)
    )

    assert first.json() == second.json()
    assert CustomerLink.objects.count() == 1
    assert StoredMail.objects.count() == 1


def test_contacts_of_another_customer_get_no_link(
    owner_api: ApiClient, customer: Customer, anna: Contact
) -> None:
    theirs = ContactFactory(customer__team=customer.team)

    for chosen in ([str(theirs.pk)], [str(anna.pk), str(theirs.pk)], []):
        response = owner_api.post(links_of(customer), {"contacts": chosen})
        assert response.status_code == 400
        assert "contacts" in response.json()["errors"]
    assert not CustomerLink.objects.exists()


def sent_before(customer: Customer, number: int) -> None:
    """Record that so many links were sent to people of the customer just now."""
    actor = system_actor(customer.team)
    for _ in range(number):
        record(actor, EventTag.CUSTOMER_LINK_SENT, customer, contact="a@b.example")


def test_mails_to_one_customer_are_limited(
    owner_api: ApiClient, customer: Customer, anna: Contact
) -> None:
    sent_before(CustomerFactory(team=customer.team), MAX_PER_HOUR)
    sent_before(customer, MAX_PER_HOUR - 1)
    body = {"contacts": [str(anna.pk)]}
    assert owner_api.post(links_of(customer), body).status_code == 201

    response = owner_api.post(links_of(customer), body)

    assert response.status_code == 429
    assert code_of(response) == "too_many_mails"
    assert StoredMail.objects.count() == 1


def test_removing_people_makes_no_room_for_more_mails(
    owner_api: ApiClient, customer: Customer
) -> None:
    """Whoever invites and removes an address in turn would fill its mailbox."""
    sent_before(customer, MAX_PER_HOUR - 2)

    def invite_and_remove() -> int:
        body = {"email": "victim@elsewhere.example"}
        contact = owner_api.post(contacts_of(customer), body).json()["id"]
        sent = owner_api.post(links_of(customer), {"contacts": [contact]})
        owner_api.delete(f"{contacts_of(customer)}/{contact}")
        return int(sent.status_code)

    assert [invite_and_remove() for _ in range(4)] == [201, 201, 429, 429]
    assert StoredMail.objects.count() == 2


@pytest.mark.parametrize("role", ["viewer_api", "member_api"])
def test_roles_without_the_permission_can_only_read(
    role: str, anna: Contact, request: pytest.FixtureRequest
) -> None:
    api: ApiClient = request.getfixturevalue(role)
    customer, link = anna.customer, CustomerLinkFactory(contact=anna)

    assert api.get(contacts_of(customer)).status_code == 200
    assert api.get(links_of(customer)).status_code == 200
    for method, address, body in (
        ("post", contacts_of(customer), {"email": "b@b.example"}),
        ("patch", f"{contacts_of(customer)}/{anna.pk}", {"role": "reader"}),
        ("delete", f"{contacts_of(customer)}/{anna.pk}", {}),
        ("post", links_of(customer), {"contacts": [str(anna.pk)]}),
        ("post", f"{links_of(customer)}/{link.pk}/withdraw", {}),
    ):
        assert api.request(method, address, body).status_code == 403
    anna.refresh_from_db()
    link.refresh_from_db()
    assert (anna.role, link.state) == ("administrator", "sent")
    assert not StoredMail.objects.exists()
