from __future__ import annotations

import uuid
from typing import ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from licenses import services
from licenses.api.serializers import (
    CustomerChangesSerializer,
    CustomerSerializer,
    NewCustomerSerializer,
)
from licenses.filters import CustomerFilter
from licenses.models import Customer
from licenses.selectors import (
    customers_for_team,
)
from teams.api.base import TeamView, find
from teams.api.idempotency import idempotent
from teams.permissions import Permission


class CustomersView(TeamView):
    filterset_class: ClassVar[type[CustomerFilter]] = CustomerFilter

    def get_queryset(self) -> QuerySet[Customer]:
        return customers_for_team(self.team_id)

    @extend_schema(
        operation_id="customers_list", responses=CustomerSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """List the team's customers."""
        self.require(Permission.CUSTOMER_READ)
        return self.page(CustomerSerializer)

    @extend_schema(
        operation_id="customers_create",
        request=NewCustomerSerializer,
        responses={201: CustomerSerializer},
    )
    @idempotent(Permission.CUSTOMER_MANAGE)
    def post(self, request: Request) -> Response:
        """Add a customer."""
        values = self.validated(NewCustomerSerializer)
        customer = services.create_customer(actor=self.actor, team=self.team, **values)
        return self.shown(CustomerSerializer, customer, 201)


class CustomerView(TeamView):
    @extend_schema(operation_id="customers_read", responses=CustomerSerializer)
    def get(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Read a customer."""
        self.require(Permission.CUSTOMER_READ)
        customer = find(customers_for_team(self.team_id), pk=customer_id)
        return self.shown(CustomerSerializer, customer)

    @extend_schema(
        operation_id="customers_change",
        request=CustomerChangesSerializer,
        responses=CustomerSerializer,
    )
    def patch(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Change name, e-mail address or custom ID."""
        customer = find(customers_for_team(self.team_id), pk=customer_id)
        self.require(Permission.CUSTOMER_MANAGE)
        changes = self.validated(CustomerChangesSerializer)
        customer = services.change_customer(
            actor=self.actor, customer=customer, changes=changes
        )
        return self.shown(CustomerSerializer, customer)


class CustomerArchiveView(TeamView):
    @extend_schema(
        operation_id="customers_archive", request=None, responses=CustomerSerializer
    )
    def post(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Stop all pulls with the customer's licenses."""
        customer = find(customers_for_team(self.team_id), pk=customer_id)
        customer = services.archive_customer(actor=self.actor, customer=customer)
        return self.shown(CustomerSerializer, customer)


class CustomerRestoreView(TeamView):
    @extend_schema(
        operation_id="customers_restore", request=None, responses=CustomerSerializer
    )
    def post(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Undo archiving: licenses neither expired nor revoked can pull again."""
        customer = find(customers_for_team(self.team_id), pk=customer_id)
        customer = services.restore_customer(actor=self.actor, customer=customer)
        return self.shown(CustomerSerializer, customer)
