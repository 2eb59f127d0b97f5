from __future__ import annotations

import uuid

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from portal.crypto.secrets import Secret
from teams.api.base import TeamView
from teams.api.conditions import conditional
from teams.api.idempotency import idempotent
from teams.api.serializers import (
    InvitationSerializer,
    NewInvitationSerializer,
    SentInvitationSerializer,
)
from teams.filters import InvitationFilter
from teams.invitations import (
    invite,
    mailed_link,
    renew_invitation,
    withdraw_invitation,
)
from teams.mail import send_invitation
from teams.models import Invitation
from teams.permissions import Permission, Role
from teams.selectors import invitations_of_team


class _Invitations(TeamView[Invitation]):
    serializer_class = InvitationSerializer

    def get_queryset(self) -> QuerySet[Invitation]:
        return invitations_of_team(self.team_id)

    def sent(self, invitation: Invitation, secret: Secret, status: int) -> Response:
        """Respond with the link, and mail it after the commit."""
        path = reverse("invitation", kwargs={"secret": secret.reveal()})
        link = self.request.build_absolute_uri(path)
        mailed = mailed_link(link, secret)
        transaction.on_commit(lambda: send_invitation(invitation, link=mailed))
        return self.shown(invitation, status, link=link)


class InvitationsView(_Invitations):
    filterset_class = InvitationFilter
    orderings = ("created_at", "updated_at", "email")

    def get(self, request: Request) -> Response:
        """List invitations that are not yet accepted, including expired ones."""
        self.require(Permission.TEAM_READ)
        return self.page()

    @extend_schema(
        request=NewInvitationSerializer, responses={201: SentInvitationSerializer}
    )
    @idempotent(Permission.MEMBER_MANAGE)
    def post(self, request: Request) -> Response:
        """Invite somebody by mail. `link` is only shown now, in case the mail fails."""
        values = self.validated(NewInvitationSerializer)
        invitation, secret = invite(
            actor=self.actor,
            team=self.team,
            email=values["email"],
            role=Role(values["role"]),
        )
        return self.sent(invitation, secret, 201)


class InvitationView(_Invitations):
    def get(self, request: Request, invitation_id: uuid.UUID) -> Response:
        """Read an invitation, without its link."""
        self.require(Permission.TEAM_READ)
        return self.shown(self.find(invitation_id))

    @extend_schema(operation_id="invitations_withdraw")
    @conditional(Permission.MEMBER_MANAGE)
    def delete(self, request: Request, invitation_id: uuid.UUID) -> Response:
        """Withdraw an invitation; its link stops working."""
        withdraw_invitation(actor=self.actor, invitation=self.find(invitation_id))
        return Response(status=204)


class InvitationRenewView(_Invitations):
    @extend_schema(responses=SentInvitationSerializer)
    @idempotent(Permission.MEMBER_MANAGE)
    @conditional(Permission.MEMBER_MANAGE)
    def post(self, request: Request, invitation_id: uuid.UUID) -> Response:
        """Mail a new link, valid for a week; the old link stops working."""
        secret = renew_invitation(actor=self.actor, invitation=self.find(invitation_id))
        return self.sent(self.find(invitation_id), secret, 200)
