"""Who may change a customer's contacts, and who counts as a contact."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from audit.models import AuditEvent
from customers.actors import contact_actor
from customers.models import Contact, ContactRole
from customers.selectors import contact_at, contacts_of_user
from customers.services.contacts import (
    MAX_CONTACTS,
    add_contact,
    change_contact,
    remove_contact,
)
from licenses.models import Customer
from licenses.services import archive_customer
from portal.errors import Conflict, Invalid, NotAllowed
from teams.actors import Actor, member_actor
from teams.models import Membership, Team, User
from tests.support.rows.factories import (
    ContactFactory,
    CustomerFactory,
    MembershipFactory,
    UserFactory,
)


@pytest.fixture
def customer(team: Team) -> Customer:
    return CustomerFactory(team=team, name="Initech")


@pytest.fixture
def administrator(customer: Customer) -> Contact:
    return ContactFactory(customer=customer, email="anna@initech.example")


def acting(contact: Contact) -> Actor:
    return contact_actor(contact, UserFactory(email=contact.email).pk)


def event(tag: str) -> AuditEvent:
    return AuditEvent.objects.get(tag=tag)


def test_a_vendor_adds_a_contact_in_lower_case(
    actor: Actor, customer: Customer
) -> None:
    contact = add_contact(
        actor=actor, customer=customer, email=" Anna@Initech.example ", name="Anna"
    )

    contact.refresh_from_db()
    assert contact.email == "anna@initech.example"
    assert contact.role == ContactRole.READER
    assert contact.invited_by == actor.label
    assert event("contact:added").data == {
        "contact": "anna@initech.example",
        "role": "reader",
    }


def test_an_administrator_adds_people_to_their_own_customer_only(
    customer: Customer, administrator: Contact, team: Team
) -> None:
    other = CustomerFactory(team=team)

    added = add_contact(
        actor=acting(administrator), customer=customer, email="bob@initech.example"
    )

    assert added.invited_by == "anna@initech.example"
    assert event("contact:added").actor_kind == "contact"
    with pytest.raises(NotAllowed):
        add_contact(
            actor=contact_actor(administrator, UserFactory().pk),
            customer=other,
            email="bob@initech.example",
        )
    assert not other.contacts.exists()


def test_a_reader_cannot_change_people(
    customer: Customer, administrator: Contact
) -> None:
    reader = ContactFactory(customer=customer, role="reader")
    actor = acting(reader)

    with pytest.raises(NotAllowed):
        add_contact(actor=actor, customer=customer, email="x@initech.example")
    with pytest.raises(NotAllowed):
        change_contact(actor=actor, contact=reader, changes={"role": "administrator"})
    with pytest.raises(NotAllowed):
        remove_contact(actor=actor, contact=administrator)
    assert customer.contacts.count() == 2
    reader.refresh_from_db()
    assert reader.role == "reader"


def test_a_member_without_the_permission_cannot_add_contacts(
    customer: Customer, viewer: Membership
) -> None:
    with pytest.raises(NotAllowed):
        add_contact(
            actor=member_actor(viewer), customer=customer, email="x@initech.example"
        )
    assert not customer.contacts.exists()


@pytest.mark.parametrize(
    ("email", "error"),
    [
        ("Anna@Initech.example", "already a contact"),
        ("Owner@Acme.example", "belongs to Acme"),
    ],
)
def test_neither_an_existing_contact_nor_a_member_can_be_added(
    actor: Actor, administrator: Contact, email: str, error: str
) -> None:
    with pytest.raises(Invalid) as raised:
        add_contact(actor=actor, customer=administrator.customer, email=email)

    assert error in raised.value.fields["email"][0]
    assert Contact.objects.count() == 1


@pytest.mark.parametrize(
    "values", [{"email": "nobody"}, {"email": "a@b.example", "name": "a\nb"}]
)
def test_invalid_values_are_refused(
    actor: Actor, customer: Customer, values: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        add_contact(actor=actor, customer=customer, **values)
    assert not customer.contacts.exists()


def test_the_number_of_contacts_is_limited(actor: Actor, customer: Customer) -> None:
    ContactFactory.create_batch(MAX_CONTACTS, customer=customer)

    with pytest.raises(Conflict):
        add_contact(actor=actor, customer=customer, email="x@initech.example")
    assert customer.contacts.count() == MAX_CONTACTS


def test_only_the_vendor_can_remove_the_last_administrator(
    actor: Actor, administrator: Contact
) -> None:
    ContactFactory(customer=administrator.customer, role="reader")
    own = acting(administrator)

    with pytest.raises(Conflict):
        change_contact(actor=own, contact=administrator, changes={"role": "reader"})
    with pytest.raises(Conflict):
        remove_contact(actor=own, contact=administrator)
    administrator.refresh_from_db()
    assert administrator.is_administrator

    remove_contact(actor=actor, contact=administrator)
    assert not Contact.objects.filter(pk=administrator.pk).exists()
    assert event("contact:removed").data == {"contact": "anna@initech.example"}


def test_one_of_two_administrators_can_be_removed(administrator: Contact) -> None:
    other = ContactFactory(customer=administrator.customer)

    remove_contact(actor=acting(other), contact=administrator)

    assert list(administrator.customer.contacts.all()) == [other]


def test_the_user_who_has_proven_the_address_is_the_contact(
    administrator: Contact,
) -> None:
    user = UserFactory(email="anna@initech.example")
    assert contact_at(user, administrator.customer_id) == administrator

    user.email = "anna@elsewhere.example"
    user.save()
    assert contact_at(user, administrator.customer_id) is None


@pytest.mark.parametrize("unusable", ["is_active", "is_address_proven"])
def test_disabled_and_unproven_accounts_are_not_contacts(
    administrator: Contact, unusable: str
) -> None:
    user: User = UserFactory(email=administrator.email, **{unusable: False})

    assert not contacts_of_user(user).exists()


def test_a_member_can_be_a_contact_of_other_vendors_only(
    administrator: Contact, other_team: Team
) -> None:
    user = UserFactory(email=administrator.email)
    MembershipFactory(team=other_team, user=user)
    assert contact_at(user, administrator.customer_id) == administrator

    MembershipFactory(team=administrator.team, user=user)
    assert contact_at(user, administrator.customer_id) is None


def test_one_person_can_be_a_contact_of_several_vendors(other_team: Team) -> None:
    email = "consultant@many.example"
    ours, theirs = (
        ContactFactory(email=email),
        ContactFactory(email=email, customer__team=other_team),
    )

    found = contacts_of_user(UserFactory(email=email))

    assert set(found) == {ours, theirs}


def test_people_of_an_archived_customer_invite_nobody(
    actor: Actor, customer: Customer, administrator: Contact
) -> None:
    archive_customer(actor=actor, customer=customer)
    email = "bob@initech.example"

    with pytest.raises(Conflict) as refused:
        add_contact(actor=acting(administrator), customer=customer, email=email)

    assert refused.value.code == "customer_archived"
    assert list(Contact.objects.all()) == [administrator]
    # The vendor may: they see why they cannot pull.
    assert add_contact(actor=actor, customer=customer, email=email).email == email
