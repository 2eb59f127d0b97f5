"""A customer's contacts, and the links mailed to them, for the vendor."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.serializers import (
    ContactChangesSerializer,
    ContactSerializer,
    CustomerLinkSerializer,
    NewContactSerializer,
    NewCustomerLinksSerializer,
    SentCustomerLinksSerializer,
)
from customers.filters import ContactFilter, CustomerLinkFilter
from customers.mail import site_of
from customers.models import Contact, ContactRole, CustomerLink
from customers.selectors import contacts_of_customer, links_of_customer
from customers.services.contacts import (
    add_contact,
    change_contact,
    lock_people,
    remove_contact,
)
from customers.services.links import send_links, withdraw_link
from licenses.models import Customer, License
from licenses.selectors import customers_for_team, licenses_for_team
from portal.errors import Invalid
from teams.api.base import TeamView, by_id_or_name, find_by_id_or_name
from teams.api.conditions import conditional
from teams.api.idempotency import idempotent
from teams.permissions import Permission


class _OfCustomer(TeamView[Any]):
    """A view of what belongs to the customer that the URL names."""

    @property
    def customer(self) -> Customer:
        if getattr(self, "swagger_fake_view", False):
            return Customer(team_id=self.team_id)
        customers = customers_for_team(self.team_id).select_related("team")
        return find_by_id_or_name(customers, self.kwargs["customer_id"], "custom_id")


class _Contacts(_OfCustomer):
    serializer_class = ContactSerializer

    def get_queryset(self) -> QuerySet[Contact]:
        return contacts_of_customer(self.customer)

    def lock(self, row: Contact) -> None:
        lock_people(self.customer)


class ContactsView(_Contacts):
    filterset_class = ContactFilter
    orderings = ("created_at", "updated_at", "email")

    def get(self, request: Request, customer_id: str) -> Response:
        """List a customer's contacts."""
        self.require(Permission.CUSTOMER_READ)
        return self.page()

    @extend_schema(request=NewContactSerializer)
    @idempotent(Permission.CONTACT_MANAGE)
    def post(self, request: Request, customer_id: str) -> Response:
        """Add a contact. Nothing is sent to them: `POST …/links` does that."""
        customer = self.customer
        values = self.validated(NewContactSerializer)
        role = ContactRole(values.pop("role"))
        contact = add_contact(actor=self.actor, customer=customer, role=role, **values)
        return self.shown(contact, 201)


class ContactView(_Contacts):
    def get(
        self, request: Request, customer_id: str, contact_id: uuid.UUID
    ) -> Response:
        """Read a contact."""
        self.require(Permission.CUSTOMER_READ)
        return self.shown(self.find(contact_id))

    @extend_schema(request=ContactChangesSerializer)
    @conditional(Permission.CONTACT_MANAGE)
    def patch(
        self, request: Request, customer_id: str, contact_id: uuid.UUID
    ) -> Response:
        """Change a contact's name or role. The address is fixed."""
        contact = self.find(contact_id)
        self.require(Permission.CONTACT_MANAGE)
        changes = self.validated(ContactChangesSerializer)
        contact = change_contact(actor=self.actor, contact=contact, changes=changes)
        return self.shown(contact)

    @conditional(Permission.CONTACT_MANAGE)
    def delete(
        self, request: Request, customer_id: str, contact_id: uuid.UUID
    ) -> Response:
        """Remove a contact. They see nothing of the customer from then on."""
        remove_contact(actor=self.actor, contact=self.find(contact_id))
        return Response(status=204)


class _Links(_OfCustomer):
    serializer_class = CustomerLinkSerializer

    def get_queryset(self) -> QuerySet[CustomerLink]:
        return links_of_customer(self.customer)


class CustomerLinksView(_Links):
    filterset_class = CustomerLinkFilter

    def get(self, request: Request, customer_id: str) -> Response:
        """List the links that were mailed to a customer's contacts."""
        self.require(Permission.CUSTOMER_READ)
        return self.page()

    @extend_schema(
        request=NewCustomerLinksSerializer, responses={201: SentCustomerLinksSerializer}
    )
    @idempotent(Permission.CONTACT_MANAGE)
    def post(self, request: Request, customer_id: str) -> Response:
        """Mail contacts a link to the customer's pages.

        Each link signs its contact in once, within seven days. Links sent to them
        before stop working. With a license, the mail names it and its link leads there.
        """
        customer = self.customer
        values = self.validated(NewCustomerLinksSerializer)
        links = send_links(
            actor=self.actor,
            customer=customer,
            contacts=self._chosen(customer, values["contacts"]),
            site=site_of(request),
            message=values.get("message", ""),
            license=self._named(customer, values.get("license")),
        )
        return Response({"links": self.get_serializer(links, many=True).data}, 201)

    def _chosen(self, customer: Customer, texts: list[str]) -> list[Contact]:
        contacts = contacts_of_customer(customer)
        found = [by_id_or_name(contacts, text, "email__iexact") for text in texts]
        if None in found:
            raise Invalid({"contacts": ["Choose contacts of this customer."]})
        return list({contact.pk: contact for contact in found if contact}.values())

    def _named(self, customer: Customer, id: uuid.UUID | None) -> License | None:
        if id is None:
            return None
        licenses = licenses_for_team(self.team_id).filter(customer=customer)
        license = licenses.filter(pk=id).first()
        if license is None:
            raise Invalid({"license": ["Choose a license of this customer."]})
        return license


class CustomerLinkView(_Links):
    def get(self, request: Request, customer_id: str, link_id: uuid.UUID) -> Response:
        """Read what became of a link."""
        self.require(Permission.CUSTOMER_READ)
        return self.shown(self.find(link_id))


class CustomerLinkWithdrawView(_Links):
    @extend_schema(request=None)
    @conditional(Permission.CONTACT_MANAGE)
    def post(self, request: Request, customer_id: str, link_id: uuid.UUID) -> Response:
        """Let a link that was not used yet work no more."""
        link = withdraw_link(actor=self.actor, link=self.find(link_id))
        return self.shown(link)
