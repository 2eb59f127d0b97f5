from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from licenses import services
from licenses.api.serializers import (
    ArchivedCustomerSerializer,
    CustomerChangesSerializer,
    CustomerSerializer,
    NewCustomerSerializer,
)
from licenses.filters import CustomerFilter
from licenses.models import Customer
from licenses.selectors import (
    customers_for_team,
)
from teams.api.base import TeamView
from teams.api.conditions import conditional
from teams.api.idempotency import idempotent
from teams.permissions import Permission

CUSTOMER_KEPT = (
    "Licenses of this customer are kept for the record, so it is archived instead of "
    "deleted, and left out of lists."
)


class _Customers(TeamView[Customer]):
    serializer_class = CustomerSerializer
    known_by = "custom_id"

    def get_queryset(self) -> QuerySet[Customer]:
        return customers_for_team(self.team_id)


class CustomersView(_Customers):
    orderings = ("created_at", "updated_at", "name")
    filterset_class = CustomerFilter

    def get(self, request: Request) -> Response:
        """List the team's customers."""
        self.require(Permission.CUSTOMER_READ)
        return self.page()

    @extend_schema(request=NewCustomerSerializer)
    @idempotent(Permission.CUSTOMER_MANAGE)
    def post(self, request: Request) -> Response:
        """Add a customer."""
        values = self.validated(NewCustomerSerializer)
        customer = services.create_customer(actor=self.actor, team=self.team, **values)
        return self.shown(customer, 201)


class CustomerView(_Customers):
    def get(self, request: Request, customer_id: str) -> Response:
        """Read a customer, by ID or custom ID."""
        self.require(Permission.CUSTOMER_READ)
        return self.shown(self.find(customer_id))

    @extend_schema(request=CustomerChangesSerializer)
    @conditional(Permission.CUSTOMER_MANAGE)
    def patch(self, request: Request, customer_id: str) -> Response:
        """Change name, e-mail address or custom ID."""
        customer = self.find(customer_id)
        self.require(Permission.CUSTOMER_MANAGE)
        changes = self.validated(CustomerChangesSerializer)
        customer = services.change_customer(
            actor=self.actor, customer=customer, changes=changes
        )
        return self.shown(customer)

    @extend_schema(responses={200: ArchivedCustomerSerializer, 204: None})
    @conditional(Permission.CUSTOMER_MANAGE)
    def delete(self, request: Request, customer_id: str) -> Response:
        """Delete a customer that has no licenses, with its contacts.

        One with licenses that are archived is archived too, and returned.
        """
        archived = services.delete_customer(
            actor=self.actor, customer=self.find(customer_id)
        )
        if archived is None:
            return Response(status=204)
        return self.stored(detail=CUSTOMER_KEPT)


class CustomerArchiveView(_Customers):
    @conditional(Permission.CUSTOMER_MANAGE)
    def post(self, request: Request, customer_id: str) -> Response:
        """Stop all pulls with the customer's licenses."""
        customer = self.find(customer_id)
        customer = services.archive_customer(actor=self.actor, customer=customer)
        return self.shown(customer)


class CustomerRestoreView(_Customers):
    @conditional(Permission.CUSTOMER_MANAGE)
    def post(self, request: Request, customer_id: str) -> Response:
        """Undo archiving: licenses neither expired nor revoked can pull again."""
        customer = self.find(customer_id)
        customer = services.restore_customer(actor=self.actor, customer=customer)
        return self.shown(customer)
