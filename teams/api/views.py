from __future__ import annotations

import uuid

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import AuditEvent
from audit.selectors import audit_events_for_team
from portal.errors import Invalid
from portal.http.values import parse_id
from teams import api_tokens, services
from teams.api.base import TeamView, by_id_or_name, refuse_unknown
from teams.api.conditions import conditional
from teams.api.idempotency import idempotent
from teams.api.serializers import (
    ApiTokenSerializer,
    AuditEventSerializer,
    CreatedApiTokenSerializer,
    MemberChangesSerializer,
    MemberSerializer,
    NewApiTokenSerializer,
    NewServiceAccountSerializer,
    ServiceAccountChangesSerializer,
    ServiceAccountSerializer,
    TeamChangesSerializer,
    TeamSerializer,
)
from teams.filters import (
    ApiTokenFilter,
    AuditEventFilter,
    MemberFilter,
    ServiceAccountFilter,
)
from teams.locks import lock_members
from teams.models import ApiToken, Membership, ServiceAccount, Team, User
from teams.permissions import Permission, Role
from teams.selectors import (
    api_tokens_for_actor,
    api_tokens_for_team,
    members_of_team,
    service_accounts_for_team,
    tokens_left_by_member,
)

KEEP_TOKENS = "keep_api_tokens"


class TeamDetailView(TeamView[Team]):
    serializer_class = TeamSerializer

    def target(self) -> Team:
        return Team.objects.get(pk=self.team_id)

    def get(self, request: Request) -> Response:
        """Read your team, with your role and permissions."""
        self.require(Permission.TEAM_READ)
        return self.shown(self.team)

    @extend_schema(request=TeamChangesSerializer)
    @conditional(Permission.TEAM_MANAGE)
    def patch(self, request: Request) -> Response:
        """Change name, time zone, or what members and customers may do."""
        self.require(Permission.TEAM_MANAGE)
        team = services.change_team(
            actor=self.actor,
            team=self.target(),
            changes=self.validated(TeamChangesSerializer),
        )
        return self.shown(team)


class _Members(TeamView[Membership]):
    serializer_class = MemberSerializer

    def get_queryset(self) -> QuerySet[Membership]:
        return members_of_team(self.team_id)

    def lock(self, row: Membership) -> None:
        lock_members(row.team_id)


class MembersView(_Members):
    filterset_class = MemberFilter
    orderings = ("created_at", "updated_at")

    def get(self, request: Request) -> Response:
        """List the members of the team."""
        self.require(Permission.TEAM_READ)
        return self.page()


class MemberView(_Members):
    def get(self, request: Request, member_id: uuid.UUID) -> Response:
        """Read a member."""
        self.require(Permission.TEAM_READ)
        return self.shown(self.find(member_id))

    @extend_schema(request=MemberChangesSerializer)
    @conditional(Permission.MEMBER_MANAGE)
    def patch(self, request: Request, member_id: uuid.UUID) -> Response:
        """Give a member another role.

        The tokens that they created for the team and its service accounts stop if they
        may do more than the new role, except those in `keep_api_tokens`. Changing your
        own role keeps none.
        """
        membership = self.find(member_id)
        self.require(Permission.MEMBER_MANAGE)
        values = self.validated(MemberChangesSerializer)
        membership = services.change_member_role(
            actor=self.actor,
            membership=membership,
            role=Role(values["role"]),
            kept=self._known(membership, set(values["keep_api_tokens"])),
        )
        return self.shown(membership)

    @extend_schema(
        operation_id="members_remove",
        parameters=[
            OpenApiParameter(
                KEEP_TOKENS,
                description="IDs of API tokens that keep working, separated by commas",
            )
        ],
    )
    @conditional(Permission.TEAM_READ)
    def delete(self, request: Request, member_id: uuid.UUID) -> Response:
        """Remove a member from the team, or leave it yourself.

        The member's user tokens stop, and so do the tokens that they created for the
        team and its service accounts, except those in `keep_api_tokens`.
        `GET /api-tokens?created_by=` lists them. Members who leave cannot keep any;
        others need the permission `api-token:manage` to keep some.
        """
        refuse_unknown("parameter", request.query_params, {KEEP_TOKENS})
        membership = self.find(member_id)
        services.remove_member(
            actor=self.actor, membership=membership, kept=self._kept(membership)
        )
        return Response(status=204)

    def _kept(self, membership: Membership) -> set[uuid.UUID]:
        named = self.request.query_params.get(KEEP_TOKENS, "")
        kept = {parse_id(text) for text in named.split(",") if text}
        return self._known(membership, kept)

    def _known(
        self, membership: Membership, kept: set[uuid.UUID | None]
    ) -> set[uuid.UUID]:
        left = set(tokens_left_by_member(membership).values_list("pk", flat=True))
        known = {pk for pk in kept if pk in left}
        if known != kept:
            raise Invalid(
                {
                    KEEP_TOKENS: [
                        "Name usable tokens that this member created for others."
                    ]
                }
            )
        return known


class _ServiceAccounts(TeamView[ServiceAccount]):
    serializer_class = ServiceAccountSerializer

    def get_queryset(self) -> QuerySet[ServiceAccount]:
        return service_accounts_for_team(self.team_id)


class ServiceAccountsView(_ServiceAccounts):
    filterset_class = ServiceAccountFilter
    orderings = ("created_at", "updated_at", "name")

    def get(self, request: Request) -> Response:
        """List the team's service accounts."""
        self.require(Permission.SERVICE_ACCOUNT_READ)
        return self.page()

    @extend_schema(request=NewServiceAccountSerializer)
    @idempotent(Permission.SERVICE_ACCOUNT_MANAGE)
    def post(self, request: Request) -> Response:
        """Create a service account, with no more permissions than you have."""
        values = self.validated(NewServiceAccountSerializer)
        service_account = services.create_service_account(
            actor=self.actor,
            team=self.team,
            name=values["name"],
            role=Role(values["role"]),
        )
        return self.shown(service_account, 201)


class ServiceAccountView(_ServiceAccounts):
    def get(self, request: Request, service_account_id: uuid.UUID) -> Response:
        """Read a service account."""
        self.require(Permission.SERVICE_ACCOUNT_READ)
        return self.shown(self.find(service_account_id))

    @extend_schema(request=ServiceAccountChangesSerializer)
    @conditional(Permission.SERVICE_ACCOUNT_MANAGE)
    def patch(self, request: Request, service_account_id: uuid.UUID) -> Response:
        """Change name or role; a role applies to existing tokens at once."""
        service_account = self.find(service_account_id)
        self.require(Permission.SERVICE_ACCOUNT_MANAGE)
        service_account = services.change_service_account(
            actor=self.actor,
            service_account=service_account,
            changes=self.validated(ServiceAccountChangesSerializer),
        )
        return self.shown(service_account)

    @conditional(Permission.SERVICE_ACCOUNT_MANAGE)
    def delete(self, request: Request, service_account_id: uuid.UUID) -> Response:
        """Delete a service account; its tokens stop at once."""
        services.delete_service_account(
            actor=self.actor, service_account=self.find(service_account_id)
        )
        return Response(status=204)


class _ApiTokens(TeamView[ApiToken]):
    serializer_class = ApiTokenSerializer

    def get_queryset(self) -> QuerySet[ApiToken]:
        if getattr(self, "swagger_fake_view", False):
            return api_tokens_for_team(self.team_id)
        return api_tokens_for_actor(self.actor)


class ApiTokensView(_ApiTokens):
    orderings = ("created_at", "name")
    filterset_class = ApiTokenFilter

    def get(self, request: Request) -> Response:
        """List your API tokens, or all of the team's if you may manage them."""
        self.require(Permission.TEAM_READ)
        return self.page()

    @extend_schema(
        request=NewApiTokenSerializer, responses={201: CreatedApiTokenSerializer}
    )
    @idempotent(Permission.API_TOKEN_CREATE)
    def post(self, request: Request) -> Response:
        """Create an API token. `token` is its text, only shown now."""
        values = self.validated(NewApiTokenSerializer)
        kind = ApiToken.Kind(values["kind"])
        api_token, text = api_tokens.create_api_token(
            actor=self.actor,
            team=self.team,
            name=values["name"],
            kind=kind,
            user=self._user() if kind == ApiToken.Kind.USER else None,
            service_account=self._service_account(values["service_account"]),
            role=Role(values["role"]) if values["role"] else None,
            read_only=values["read_only"],
            expires_at=values["expires_at"],
        )
        return self.shown(api_token, 201, token=text.reveal())

    def _user(self) -> User | None:
        if self.actor.id is None:
            return None
        members = members_of_team(self.team_id)
        membership = members.filter(user_id=self.actor.id).first()
        return membership.user if membership else None

    def _service_account(self, text: str | None) -> ServiceAccount | None:
        if text is None:
            return None
        accounts = service_accounts_for_team(self.team_id)
        service_account = by_id_or_name(accounts, text, "name")
        if service_account is None:
            raise Invalid({"service_account": ["Choose a service account."]})
        return service_account


class ApiTokenView(_ApiTokens):
    def get(self, request: Request, api_token_id: uuid.UUID) -> Response:
        """Read an API token, without its text."""
        self.require(Permission.TEAM_READ)
        return self.shown(self.find(api_token_id))


class ApiTokenRevokeView(_ApiTokens):
    @conditional(Permission.TEAM_READ)
    def post(self, request: Request, api_token_id: uuid.UUID) -> Response:
        """Stop an API token at once. Revoking again is not an error."""
        api_token = self.find(api_token_id)
        api_tokens.revoke_api_token(actor=self.actor, api_token=api_token)
        return self.stored()


class AuditEventsView(TeamView[AuditEvent]):
    serializer_class = AuditEventSerializer
    filterset_class = AuditEventFilter

    def get_queryset(self) -> QuerySet[AuditEvent]:
        return audit_events_for_team(self.team_id)

    def get(self, request: Request) -> Response:
        """List who did what, newest first."""
        self.require(Permission.AUDIT_READ)
        return self.page()
